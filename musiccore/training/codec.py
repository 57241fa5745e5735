"""Training of one VQ-VAE level of the embedded model.

Differs from the paper's training (which `musiccore.training.steps` implements) where a small model
on two processor cores needs it: normalised encoder output, relative spectral losses, k-means start,
and a loss that makes codes the same for shifted and inverted sound. Each choice is measured in
`docs/nano.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiccore.models.config import VQVAEConfig
from musiccore.models.vqvae import VQVAE
from musiccore.models.vqvae.blocks import Decoder, Encoder
from musiccore.models.vqvae.losses import magnitude
from musiccore.training.data import RenderedCorpus
from musiccore.training.optim import warm_cosine
from musiccore.training.state import WeightAverage, load_state, save_state

_STFT_SIZES = (256, 512, 1024, 2048)
_MAGNITUDE_FLOOR = 1e-3
_SILENT_PEAK = 3e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecTraining:
    """How one level trains.

    Attributes:
        waveform: weight of the waveform L1 loss.
        consistency: weight of the loss between latents of a sound and of its shifted copy.
        consistency_ramp: steps between which that weight grows from 0. Without waveform loss, the
            full weight from the start makes all latents equal (seen at level 2: one code left).
        start_from_bottom: begin with the outer stage of the trained level 0. Level 2 needs it: from
            scratch, spectral losses alone left it with 50 codes of 1024.
        plain_steps: first steps without quantisation; then k-means makes the codebook.
        restart_fraction: codes used less than this share of the mean usage restart.
        polish_steps: further steps of the decoder alone, on fixed codes.
        polish_chroma: weight of the chroma correlation in them.
    """

    level: int
    steps: int
    waveform: float
    consistency: float
    consistency_ramp: tuple[int, int] = (300, 800)
    start_from_bottom: bool = False
    batch: int = 4
    crop_samples: int = 16_384
    learning_rate: float = 8e-4
    warmup: int = 60
    plain_steps: int = 150
    restart_fraction: float = 0.1
    average_decay: float = 0.995
    seed: int = 0
    save_every: int = 200
    polish_steps: int = 900
    polish_learning_rate: float = 4e-4
    polish_chroma: float = 0.0


class LevelCodec(nn.Module):
    """The encoder, codebook and decoder of one level, for training alone."""

    def __init__(self, config: VQVAEConfig, level: int) -> None:
        super().__init__()
        whole = VQVAE(config)
        self.level = level
        self.hop_length = config.hop_lengths[level]
        encoder, decoder = whole.encoders[level], whole.decoders[level]
        assert isinstance(encoder, Encoder)
        assert isinstance(decoder, Decoder)
        self.encoder, self.decoder = encoder, decoder
        self.codebook = whole.codebook(level)

    def latents(self, audio: Tensor) -> Tensor:
        """Return normalised latents [B, E, L] in float32."""
        h: Tensor = self.encoder(audio)
        return F.layer_norm(h.float().transpose(1, 2), (h.shape[1],)).transpose(1, 2)

    def start_from_(self, bottom: LevelCodec) -> None:
        """Copy the outer stage, the one next to the audio, from another level."""
        self.encoder.stages[0].load_state_dict(bottom.encoder.stages[0].state_dict())
        self.decoder.stages[0].load_state_dict(bottom.decoder.stages[0].state_dict())
        self.decoder.leave.load_state_dict(bottom.decoder.leave.state_dict())

    def into_(self, model: VQVAE) -> None:
        """Copy the weights into a complete VQ-VAE."""
        model.encoders[self.level].load_state_dict(self.encoder.state_dict())
        model.decoders[self.level].load_state_dict(self.decoder.state_dict())
        model.codebook(self.level).load_state_dict(self.codebook.state_dict())


def spectral_distance(target: Tensor, output: Tensor) -> Tensor:
    """Return spectral convergence plus log-magnitude L1 over four resolutions; audio [B, T, 1].

    The convergence is taken over the batch, so that a nearly silent crop cannot explode it.
    """
    total = target.new_zeros(())
    for n_fft in _STFT_SIZES:
        x = magnitude(target, n_fft, n_fft // 4, n_fft)
        y = magnitude(output, n_fft, n_fft // 4, n_fft)
        total = total + (x - y).norm() / x.norm().clamp(min=_MAGNITUDE_FLOOR)
        floor = _MAGNITUDE_FLOOR * n_fft
        total = total + (torch.log(x + floor) - torch.log(y + floor)).abs().mean()
    return total / len(_STFT_SIZES)


def draw_crops(corpora: list[RenderedCorpus], options: CodecTraining, step: int) -> Tensor:
    """Draw audio [B, 1, crop + margin]; a function of the step alone, so resuming is exact."""
    draw = np.random.Generator(
        np.random.Philox(key=options.seed, counter=[0, 0, options.level, step])
    )
    length = options.crop_samples + 512
    rows: list[np.ndarray] = []
    while len(rows) < options.batch:
        corpus = corpora[int(draw.integers(len(corpora)))]
        audio = corpus.audio(int(draw.integers(len(corpus.pcm) - length)), length)
        if np.abs(audio).max() >= _SILENT_PEAK:
            rows.append(audio * np.float32(10 ** draw.uniform(-0.3, 0.1)))
    return torch.from_numpy(np.stack(rows)).unsqueeze(1)


@torch.no_grad()
def k_means(rows: Tensor, size: int, rounds: int, generator: torch.Generator) -> Tensor:
    """Return `size` centres [K, E] of rows [R, E]; empty centres move to random rows."""
    centres = rows[torch.randperm(len(rows), generator=generator)[:size]].clone()
    for _ in range(rounds):
        nearest = torch.cat([torch.cdist(part, centres).argmin(dim=1) for part in rows.split(8192)])
        counts = torch.bincount(nearest, minlength=size)
        sums = torch.zeros_like(centres).index_add_(0, nearest, rows)
        spare = rows[torch.randint(len(rows), (size,), generator=generator)]
        filled = (counts > 0).unsqueeze(1)
        centres = torch.where(filled, sums / counts.clamp(min=1).unsqueeze(1), spare)
    return centres


def _start_codebook(
    codec: LevelCodec, corpora: list[RenderedCorpus], options: CodecTraining
) -> None:
    size = len(codec.codebook.codes)
    rows: list[Tensor] = []
    batch = 0
    with torch.no_grad():
        while sum(map(len, rows)) < 24 * size:
            audio = draw_crops(corpora, options, 10_000_000 + batch)
            latents = codec.latents(audio[:, :, : options.crop_samples])
            rows.append(latents.transpose(1, 2).reshape(-1, latents.shape[1]))
            batch += 1
    generator = torch.Generator().manual_seed(options.seed + options.level)
    centres = k_means(torch.cat(rows), size, 8, generator)
    codec.codebook.codes.copy_(centres)
    codec.codebook.restore_(_mean_usage(codec, options))


def _mean_usage(codec: LevelCodec, options: CodecTraining) -> float:
    n_codes = options.batch * (options.crop_samples // codec.hop_length)
    return n_codes / len(codec.codebook.codes)


def train_codec(
    config: VQVAEConfig,
    corpora: list[RenderedCorpus],
    options: CodecTraining,
    state_path: Path,
    *,
    bottom: LevelCodec | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> LevelCodec:
    """Train one level; continues from `state_path` where it was interrupted.

    Args:
        bottom: the trained level 0, which a level with `start_from_bottom` begins with.

    Returns:
        The level with averaged weights.
    """
    torch.manual_seed(options.seed * 10 + options.level)  # initial weights only
    codec = LevelCodec(config, options.level)
    if bottom is not None:
        codec.start_from_(bottom)
    optimiser = torch.optim.Adam(codec.parameters(), options.learning_rate, betas=(0.9, 0.99))
    average = WeightAverage(codec, options.average_decay)
    codec.codebook.restore_(_mean_usage(codec, options))
    done, extra = load_state(state_path, codec, optimiser, average)
    if done:
        codec.codebook.sums.copy_(extra["sums"])
        codec.codebook.counts.copy_(extra["counts"])
    for step in range(done, options.steps):
        if step == options.plain_steps:
            _start_codebook(codec, corpora, options)
        lr = options.learning_rate * warm_cosine(
            step, options.steps, warmup=options.warmup, floor=0.03
        )
        for group in optimiser.param_groups:
            group["lr"] = lr
        loss = _codec_loss(codec, config, corpora, options, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimiser.step()
        average.update_(codec)
        if on_step is not None:
            on_step(step, loss.item())
        if (step + 1) % options.save_every == 0 or step + 1 == options.steps:
            moving = {"sums": codec.codebook.sums, "counts": codec.codebook.counts}
            save_state(state_path, step + 1, codec, optimiser, average, moving)
    average.copy_to_(codec)
    return codec.eval()


def _ramp(step: int, options: CodecTraining) -> float:
    begin, end = options.consistency_ramp
    return options.consistency * min(max((step - begin) / max(end - begin, 1), 0.0), 1.0)


def _codec_loss(
    codec: LevelCodec,
    config: VQVAEConfig,
    corpora: list[RenderedCorpus],
    options: CodecTraining,
    step: int,
) -> Tensor:
    hop = config.hop_lengths[options.level]
    crops = draw_crops(corpora, options, step)
    audio = crops[:, :, : options.crop_samples]
    draw = np.random.Generator(
        np.random.Philox(key=options.seed + 1, counter=[0, 0, options.level, step])
    )
    shift, sign = int(draw.integers(1, hop // 2 + 1)), float(draw.choice([-1.0, 1.0]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():  # one side is the target: the same pull at three quarters of the cost
            moved = codec.latents(sign * crops[:, :, shift : shift + options.crop_samples])
        latents = codec.latents(audio)
        loss = _ramp(step, options) * (latents - moved).pow(2).mean()
        if step >= options.plain_steps:
            rows = latents.transpose(1, 2).reshape(-1, latents.shape[1])
            with torch.no_grad(), torch.autocast("cpu", enabled=False):
                codes, distances = codec.codebook.quantise(rows)
            quantised = codec.codebook.dequantise(codes)
            loss = loss + config.loss.commit * (quantised - rows).pow(2).mean()
            generator = torch.Generator().manual_seed(options.seed + 7919 * step)
            size = len(codec.codebook.codes)
            spare = rows.detach()[torch.randint(len(rows), (size,), generator=generator)]
            codec.codebook.update_(
                rows.detach(),
                codes,
                spare,
                decay=config.loss.codebook_decay,
                threshold=options.restart_fraction * _mean_usage(codec, options),
                distances=distances,
            )
            through = rows + (quantised - rows).detach()
            latents = through.view(latents.shape[0], -1, latents.shape[1]).transpose(1, 2)
        output = codec.decoder(latents)
    x, y = audio.transpose(1, 2), output.float().transpose(1, 2)
    loss = loss + spectral_distance(x, y)
    if options.waveform:
        loss = loss + options.waveform * (x - y).abs().mean() / 0.08
    return loss
