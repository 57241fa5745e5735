"""Last part of the codec training: the decoder alone, on fixed codes.

The codes stay what they are, so priors may train on them meanwhile. The decoder also learns the
log-mel distance, and at level 2 the chroma, that the gates of `docs/nano.md` measure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from musiccore.audio.measures import mel_filters, pitch_class_filters
from musiccore.models.nano import SAMPLE_RATE
from musiccore.models.vqvae.losses import magnitude
from musiccore.training.codec import CodecTraining, LevelCodec, draw_crops, spectral_distance
from musiccore.training.data import RenderedCorpus
from musiccore.training.optim import warm_cosine
from musiccore.training.state import WeightAverage, load_state, save_state

_N_FFT = 1024
_PITCH_FFT = 4096
_RANGE = 1e-8  # power 80 dB below the loudest band
_FIRST_BATCH = 20_000_000  # crops that the codec training has not drawn


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    return torch.from_numpy(mel_filters(_N_FFT, SAMPLE_RATE)).float()


def log_mel_distance(target: Tensor, output: Tensor) -> Tensor:
    """Return the mean over items of the RMS log-mel difference, in dB; audio [B, T, 1].

    Bands more than 80 dB below the loudest one of the target count as that floor.
    """
    x, y = (
        _filters() @ magnitude(audio, _N_FFT, _N_FFT // 4, _N_FFT).pow(2)
        for audio in (target, output)
    )
    floor = x.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6) * _RANGE
    difference = 10 * (torch.log10(x + floor) - torch.log10(y + floor))
    return difference.pow(2).mean(dim=(1, 2)).sqrt().mean()


@lru_cache(maxsize=1)
def _pitch_classes() -> Tensor:
    return torch.from_numpy(pitch_class_filters(_PITCH_FFT, SAMPLE_RATE)).float()


def chroma_distance(target: Tensor, output: Tensor) -> Tensor:
    """Return 1 minus the mean correlation of the chroma of frames; audio [B, T, 1]."""
    x, y = (
        _pitch_classes() @ magnitude(audio, _PITCH_FFT, _PITCH_FFT // 4, _PITCH_FFT).pow(2)
        for audio in (target, output)
    )
    x, y = x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True)
    return 1 - torch.cosine_similarity(x, y, dim=1, eps=1e-6).mean()


def polish_decoder_(
    codec: LevelCodec,
    corpora: list[RenderedCorpus],
    options: CodecTraining,
    state_path: Path,
    *,
    on_step: Callable[[int, float], None] | None = None,
) -> None:
    """Train the decoder of a trained level further, in place; continues from `state_path`."""
    decoder = codec.decoder.train()
    optimiser = torch.optim.Adam(decoder.parameters(), options.learning_rate, betas=(0.9, 0.99))
    average = WeightAverage(decoder, options.average_decay)
    done, _ = load_state(state_path, decoder, optimiser, average)
    for step in range(done, options.polish_steps):
        factor = warm_cosine(step, options.polish_steps, warmup=options.warmup, floor=0.02)
        for group in optimiser.param_groups:
            group["lr"] = options.polish_learning_rate * factor
        loss = _loss(codec, corpora, options, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        average.update_(decoder)
        if on_step is not None:
            on_step(step, loss.item())
        if (step + 1) % options.save_every == 0 or step + 1 == options.polish_steps:
            save_state(state_path, step + 1, decoder, optimiser, average)
    average.copy_to_(decoder)
    decoder.eval()


def _loss(
    codec: LevelCodec, corpora: list[RenderedCorpus], options: CodecTraining, step: int
) -> Tensor:
    audio = draw_crops(corpora, options, _FIRST_BATCH + step)[:, :, : options.crop_samples]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            rows = codec.latents(audio).transpose(1, 2)
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            codes, _ = codec.codebook.quantise(rows.reshape(-1, rows.shape[2]))
        latents = codec.codebook.dequantise(codes.view(len(audio), -1)).transpose(1, 2)
        output = codec.decoder(latents)
    x, y = audio.transpose(1, 2), output.float().transpose(1, 2)
    loss = spectral_distance(x, y) + 0.05 * log_mel_distance(x, y)
    if options.polish_chroma:
        loss = loss + options.polish_chroma * chroma_distance(x, y)
    if options.waveform:
        loss = loss + options.waveform * (x - y).abs().mean() / 0.08
    return loss
