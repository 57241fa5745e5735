"""VQ-VAE evaluation and training steps as published.

The embedded model trains with `musiccore.training.codec`, which departs from this where a small
model needs it.

Paper: "VQ-VAE", "Random restarts for embeddings", "Spectral loss".
`docs/model.md`, "Bottleneck", "Reconstruction losses".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from musiccore.models.vqvae import VQVAE
from musiccore.models.vqvae.bottleneck import CodebookMetrics, tile_rows
from musiccore.models.vqvae.losses import (
    Bandwidth,
    multispectral_loss,
    spectral_convergence,
    spectral_loss,
    waveform_losses,
)

RestartDraw = Callable[[int, Tensor, int], Tensor]
"""(level, rows [R, E], K) → K rows [K, E] that replace rarely used codes of the level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VQVAEStep:
    """What one pass over a batch gave.

    Attributes:
        loss: weighted sum of all terms, over all levels; backward goes through it.
        terms: every term by name; `reconstruction/l` and so on are those of level l.
        codebooks: what happened to the codebook of each level; empty in evaluation.
        output: reconstruction of level 0, [B, T, 1].
    """

    loss: Tensor
    terms: dict[str, Tensor]
    codebooks: tuple[CodebookMetrics, ...]
    output: Tensor

    def codebook_mean(self, name: str) -> Tensor:
        """Return one metric of the codebooks, averaged over levels."""
        assert name in {field.name for field in fields(CodebookMetrics)}
        values = [getattr(metrics, name) for metrics in self.codebooks]
        return torch.stack([value.float() for value in values]).mean()


@torch.no_grad()
def evaluate_step(model: VQVAE, audio: Tensor, bandwidth: Bandwidth) -> VQVAEStep:
    """Reconstruct a batch at every level and measure it; nothing changes.

    Args:
        model: all levels.
        audio: [B, T, 1], T a multiple of the top hop length.
        bandwidth: energy of the training data.
    """
    return _step(model, audio, bandwidth, None)


def train_step(
    model: VQVAE, audio: Tensor, bandwidth: Bandwidth, restart: RestartDraw | None = None
) -> VQVAEStep:
    """Return the loss of a training batch and update the codebooks.

    In this order per level: quantise with the old codebook, update it without gradient, commitment
    loss, straight-through. The caller runs backward and the optimiser.

    Args:
        model: all levels, codebooks initialised or restored.
        audio: [B, T, 1], T a multiple of the top hop length.
        bandwidth: energy of the training data.
        restart: chooses the rows for restarts; a random permutation by default.

    Paper: "Random restarts for embeddings".
    """
    return _step(model, audio, bandwidth, restart or random_restart(torch.Generator()))


def random_restart(generator: torch.Generator) -> RestartDraw:
    """Return a draw of restart rows: a random permutation of the (tiled) encoder rows."""

    def draw(level: int, rows: Tensor, size: int) -> Tensor:
        del level
        noise: Tensor | None = None
        if len(rows) < size:
            shape = (-(-size // len(rows)) * len(rows), rows.shape[1])
            noise = torch.randn(shape, generator=generator).to(rows)
        tiled = tile_rows(rows, size, noise)
        order = torch.randperm(len(tiled), generator=generator).to(rows.device)
        return tiled[order][:size]

    return draw


def initialise_codebooks_(model: VQVAE, audio: Tensor, generator: torch.Generator) -> None:
    """Take the encoder rows of a first batch [B, T, 1] as codebooks."""
    for level in range(model.config.levels):
        with torch.no_grad():
            rows = _rows(model.latents(audio.transpose(1, 2), level))
        book = model.codebook(level)
        n_rows = max(len(rows), -(-len(book.codes) // len(rows)) * len(rows))
        book.initialise_(rows, torch.randperm(n_rows, generator=generator))


def restore_codebooks_(model: VQVAE, sample_length: int, *, n_processes: int = 1) -> None:
    """Start the moving averages again after loading weights.

    Args:
        sample_length: samples per training item; the batch size plays no part.
    """
    for level, hop in enumerate(model.config.hop_lengths):
        book = model.codebook(level)
        book.restore_(sample_length // hop * n_processes / len(book.codes))


def _rows(latents: Tensor) -> Tensor:
    """[B, E, L] to rows [B * L, E], batch-major."""
    return latents.transpose(1, 2).reshape(-1, latents.shape[1])


def _step(
    model: VQVAE, audio: Tensor, bandwidth: Bandwidth, restart: RestartDraw | None
) -> VQVAEStep:
    weights = model.config.loss
    terms: dict[str, Tensor] = {}
    books: list[CodebookMetrics] = []
    commit = audio.new_zeros(())
    sums = {name: audio.new_zeros(()) for name in ("reconstruction", "spectral", "multispectral")}
    output = audio
    for level in reversed(range(model.config.levels)):
        latents = model.latents(audio.transpose(1, 2), level)
        quantised, level_commit, metrics = _bottleneck(model, latents, level, restart)
        commit = commit + level_commit
        if metrics is not None:
            books.insert(0, metrics)
        output = model.decoders[level](quantised).transpose(1, 2)  # [B, T, 1]
        waveform = waveform_losses(audio, output, weights, bandwidth)
        parts = {
            "reconstruction": waveform[weights.loss],
            "spectral": spectral_loss(audio, output, bandwidth.spec).mean(),
            "multispectral": multispectral_loss(audio, output, weights, bandwidth.spec).mean(),
        }
        for name, value in parts.items():
            terms[f"{name}/{level}"] = value
            sums[name] = sums[name] + value
        if level == 0:
            terms |= {name: waveform[name] for name in ("l1", "l2", "linf")}
            terms["spectral_convergence"] = spectral_convergence(audio, output).mean()
    loss = sums["reconstruction"] + weights.commit * commit
    for name, weight in (
        ("spectral", weights.spectral),
        ("multispectral", weights.multispectral),
    ):
        if weight:
            loss = loss + weight * sums[name]
    terms |= {**sums, "commit": commit}
    return VQVAEStep(
        loss=loss,
        terms={name: value.detach() for name, value in terms.items()},
        codebooks=tuple(books),
        output=output.detach(),
    )


def _bottleneck(
    model: VQVAE, latents: Tensor, level: int, restart: RestartDraw | None
) -> tuple[Tensor, Tensor, CodebookMetrics | None]:
    """Quantise latents [B, E, L]; return what the decoder gets, commitment loss, metrics."""
    book, weights = model.codebook(level), model.config.loss
    rows = _rows(latents)
    with torch.no_grad():
        codes, distances = book.quantise(rows)
        chosen = book.dequantise(codes)
        metrics: CodebookMetrics | None = None
        if restart is not None:
            metrics = book.update_(
                rows,
                codes,
                restart(level, rows, len(book.codes)),
                decay=weights.codebook_decay,
                threshold=weights.revival_threshold,
                distances=distances,
            )
    commit = (chosen - rows).pow(2).mean()
    through = rows + (chosen - rows).detach()
    batch, width, length = latents.shape
    return through.view(batch, length, width).transpose(1, 2), commit, metrics
