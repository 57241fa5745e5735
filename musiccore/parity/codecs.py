"""VQ-VAE files: encoding, decoding, losses, one training step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from musiccore.errors import CheckpointError
from musiccore.models.checkpoints import load_state, to_our_names
from musiccore.models.published_names import our_name
from musiccore.models.vqvae import VQVAE
from musiccore.models.vqvae.bottleneck import tile_rows
from musiccore.models.vqvae.losses import Bandwidth
from musiccore.parity.published import Hyper, vqvae_config
from musiccore.parity.report import GoldenFile
from musiccore.training.steps import VQVAEStep, evaluate_step, train_step

_SUMS = {
    "reconstruction": "recons_loss",
    "spectral": "spectral_loss",
    "multispectral": "multispectral_loss",
}
_SINGLE = {
    "l1": "l1_loss",
    "l2": "l2_loss",
    "linf": "linf_loss",
    "commit": "commit_loss",
    "spectral_convergence": "spectral_convergence",
}
_CODEBOOK = {
    "fit": "fit",
    "spread": "pn",
    "entropy": "entropy",
    "used_now": "used_curr",
    "usage": "usage",
    "movement": "dk",
}
_LOSSES = ("l1", "l2", "linf", "lmix")


def build_vqvae(hyper: Hyper, state: Mapping[str, Tensor], loss: str | None = None) -> VQVAE:
    """Return a VQ-VAE with published hyper-parameters and parameters."""
    if not hyper.flag("use_nonrelative_specloss"):
        raise CheckpointError("relative spectral losses are not implemented; no release uses them")
    config = vqvae_config(hyper, loss)
    network = VQVAE(config)
    load_state(network, to_our_names(state, config), source="the golden file")
    return network.eval()


@torch.no_grad()
def vqvae(file: GoldenFile) -> None:
    """Compare latents, codes and decoded audio at every level."""
    network = build_vqvae(file.config, file.under("param/"))
    audio = file.given("in/x").transpose(1, 2)
    for level in range(network.config.levels):
        latents = network.latents(audio, level)
        codes = network.quantise(latents, level)
        part = f"level {level}"
        file.compare(f"out/h_l{level}", latents, part=part)
        file.compare(f"out/z_l{level}", codes, part=part)
        book = network.codebook(level)
        file.compare(f"out/xq_l{level}", book.dequantise(codes).transpose(1, 2), part=part)
        own = network.decode(codes, level).transpose(1, 2)
        file.compare(f"out/x_recon_l{level}", own, part=part)
        if file.wants(f"out/x_rand_l{level}"):
            chance = file.given(f"in/z_rand_l{level}")
            found = network.decode(chance, level).transpose(1, 2)
            file.compare(f"out/x_rand_l{level}", found, part=part)
        if file.wants(f"out/z_odd_l{level}"):
            odd = file.given("in/x_odd").transpose(1, 2)
            found = network.encode(odd, range(level, level + 1))[0]
            file.compare(f"out/z_odd_l{level}", found, part=part)


def vqvae_training(file: GoldenFile) -> None:
    """Compare losses in evaluation, and one training step with its codebook update."""
    hyper = file.config
    bandwidth = _bandwidth(hyper.table("bandwidth"))
    audio, state = file.given("in/x"), file.under("param/")
    for loss in _LOSSES:
        prefix = f"out/eval_{loss}/"
        if not file.under(prefix):
            continue
        step = evaluate_step(build_vqvae(hyper, state, loss), audio, bandwidth)
        file.compare("out/eval/x_out", step.output, part="evaluation")
        _compare_step(file, prefix, step, "evaluation")
    network = build_vqvae(hyper, state).train()
    tokens = hyper.numbers("restore_k_num_tokens")
    for level, count in enumerate(tokens):
        book = network.codebook(level)
        book.restore_(count / len(book.codes))
        sums, counts = file.maybe(f"in/k_sum_l{level}"), file.maybe(f"in/k_elem_l{level}")
        if sums is not None and counts is not None:
            book.sums.copy_(sums)
            book.counts.copy_(counts)
    step = train_step(network, audio, bandwidth, _GivenRestarts(file, network))
    _compare_step(file, "out/train/", step, "training")
    for ours, published in _CODEBOOK.items():
        name = f"out/train/metric/{published}"
        file.compare(name, step.codebook_mean(ours), part="training")
    step.loss.backward()
    for name in file.under("out/grad/"):
        parameter = network.get_parameter(our_name(name, network.config))
        assert parameter.grad is not None
        file.compare(f"out/grad/{name}", parameter.grad, part="gradients")
    for level in range(network.config.levels):
        book = network.codebook(level)
        file.compare(f"out/k_l{level}", book.codes, part="codebooks")
        file.compare(f"out/k_sum_l{level}", book.sums, part="codebooks")
        file.compare(f"out/k_elem_l{level}", book.counts, part="codebooks")


def _bandwidth(hyper: Hyper) -> Bandwidth:
    return Bandwidth(l1=hyper.number("l1"), l2=hyper.number("l2"), spec=hyper.number("spec"))


def _compare_step(file: GoldenFile, prefix: str, step: VQVAEStep, part: str) -> None:
    file.compare(f"{prefix}loss", step.loss, part=part)
    for name, value in step.terms.items():
        kind, _, level = name.partition("/")
        published = _SUMS.get(kind) or _SINGLE[kind]
        suffix = f"_l{int(level) + 1}" if level else ""
        file.compare(f"{prefix}metric/{published}{suffix}", value, part=part)


class _GivenRestarts:
    """Restart rows by the permutations and the noise of the file."""

    def __init__(self, file: GoldenFile, network: VQVAE) -> None:
        self._file = file
        hops = network.config.hop_lengths
        audio = file.given("in/x")
        rows = [audio.shape[0] * (audio.shape[1] // hop) for hop in hops]
        sizes = network.config.codebook_sizes
        tiled = [lv for lv, n in enumerate(rows) if n < sizes[lv]]
        self._noise = {level: file.maybe(f"in/tile_noise_{i}") for i, level in enumerate(tiled)}

    def __call__(self, level: int, rows: Tensor, size: int) -> Tensor:
        order = self._file.given(f"in/perm_l{level}")
        return tile_rows(rows, size, self._noise.get(level))[order][:size]
