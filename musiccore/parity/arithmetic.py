"""Miscellaneous files: filters, optimiser, averages, down-mix, spectral distances."""

from __future__ import annotations

import torch
from torch import nn

from musiccore.audio.sound import Audio, to_mono
from musiccore.models.config import VQVAELossConfig
from musiccore.models.vqvae.losses import multispectral_loss, spectral_convergence, spectral_loss
from musiccore.parity.layers import single_layers
from musiccore.parity.report import TOLERANCE, GoldenFile
from musiccore.sampling.logits import filter_logits
from musiccore.training.optim import AdamOptions, PublishedAdam
from musiccore.training.state import WeightAverage


def miscellaneous(file: GoldenFile) -> None:
    """Compare everything a miscellaneous file holds."""
    single_layers(file)
    _filters(file)
    if file.under("out/adam/"):
        _adam(file)
    if file.wants("out/ema/state"):
        _average(file)
    with torch.no_grad():
        _spectra(file)


def _filters(file: GoldenFile) -> None:
    for name in file.expected:
        option, _, value = name.removeprefix("out/").rpartition("_")
        if option == "top_k":
            found = filter_logits(file.given("in/logits"), top_k=int(value))
        elif option == "top_p":
            found = filter_logits(file.given("in/logits"), top_p=float(value))
        else:
            continue
        file.compare(name, found, part="filters")


def _adam(file: GoldenFile) -> None:
    hyper = file.config.table("adam")
    beta1, beta2 = hyper.numbers("betas")
    parameter = nn.Parameter(file.given("in/adam/p0").clone())
    options = AdamOptions(
        lr=hyper.number("lr"),
        betas=(beta1, beta2),
        eps=hyper.number("eps"),
        weight_decay=hyper.number("weight_decay"),
        clip=hyper.number("clip"),
    )
    optimiser = PublishedAdam([parameter], options)
    for step, scale in enumerate(hyper.numbers("scales")):
        gradient = file.given(f"in/adam/g{step}")
        clipping = max(1.0, float(gradient.norm()) / options.clip)
        ours = abs(scale - clipping) <= TOLERANCE * clipping  # what clipping divides by
        parameter.grad = gradient.clone() if ours else gradient / scale
        optimiser.step()
        file.compare(f"out/adam/p{step + 1}", parameter, part="optimiser")


def _average(file: GoldenFile) -> None:
    sequence = file.given("in/ema/seq")
    module = nn.Module()
    module.weight = nn.Parameter(sequence[0].clone())
    average = WeightAverage(module, file.config.number("ema_mu"))
    for values in sequence[1:]:
        with torch.no_grad():
            module.get_parameter("weight").copy_(values)
        average.update_(module)
    file.compare("out/ema/state", average.values["weight"], part="optimiser")


def _spectra(file: GoldenFile) -> None:
    if not file.wants("out/mono"):
        return
    part = "audio"
    stereo = file.given("in/stereo")  # [B, T, 2]
    mono = torch.stack(
        [
            torch.from_numpy(to_mono(Audio(samples=x.T.numpy(), sample_rate=44100)).samples.T)
            for x in stereo
        ]
    )
    file.compare("out/mono", mono, part=part)
    output = file.maybe("in/spec_pred")
    if output is None:
        return
    config = VQVAELossConfig()
    file.compare("out/spectral_loss", spectral_loss(mono, output, 1.0), part=part)
    several = multispectral_loss(mono, output, config, 1.0)
    file.compare("out/multispectral_loss", several, part=part)
    file.compare("out/spectral_convergence", spectral_convergence(mono, output), part=part)
    silent = spectral_convergence(torch.zeros_like(mono), output)
    file.compare("out/spectral_convergence_silent_target", silent, part=part)
