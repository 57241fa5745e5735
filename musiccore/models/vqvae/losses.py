"""Reconstruction and spectral losses of VQ-VAE training.

Paper: "Spectral loss". `docs/model.md`, "Reconstruction losses".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from musiccore.models.config import VQVAELossConfig

SPECTRAL_TRIPLE = (2048, 256, 1536)
"""n_fft, hop and window of the single-resolution spectral loss and of spectral convergence."""

_CONVERGENCE_FLOOR = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """Energy of the training data that losses are divided by (`docs/model.md`, "Training").

    Attributes:
        l1: mean |x|.
        l2: variance of x.
        spec: mean Frobenius norm of the magnitude spectrum.
    """

    l1: float
    l2: float
    spec: float


def magnitude(audio: Tensor, n_fft: int, hop: int, window: int) -> Tensor:
    """Return STFT magnitudes [B, F, frames] of audio [B, T, C], channels averaged.

    Centre-padded by reflection, one-sided, periodic Hann window, not normalised.
    """
    mono = audio.mean(dim=-1)
    hann = torch.hann_window(window, dtype=mono.dtype, device=mono.device)
    spectrum = torch.stft(mono, n_fft, hop, window, window=hann, return_complex=True)
    return spectrum.abs()


def _distance(target: Tensor, output: Tensor, triple: tuple[int, int, int]) -> Tensor:
    difference = magnitude(target, *triple) - magnitude(output, *triple)
    distance: Tensor = difference.flatten(1).norm(dim=1)
    return distance


def spectral_loss(target: Tensor, output: Tensor, bandwidth: float) -> Tensor:
    """Return the spectral distance per item [B] of audio [B, T, C]."""
    return _distance(target, output, SPECTRAL_TRIPLE) / bandwidth


def multispectral_loss(
    target: Tensor, output: Tensor, config: VQVAELossConfig, bandwidth: float
) -> Tensor:
    """Return the spectral distance averaged over several resolutions, per item [B]."""
    triples = zip(config.stft_n_fft, config.stft_hop, config.stft_window, strict=True)
    distances = [_distance(target, output, triple) for triple in triples]
    return torch.stack(distances).mean(dim=0) / bandwidth


def spectral_convergence(target: Tensor, output: Tensor) -> Tensor:
    """Return `|| |S(x)| - |S(y)| || / || |S(x)| ||` per item [B]; 0 where the target is silent."""
    norm: Tensor = magnitude(target, *SPECTRAL_TRIPLE).flatten(1).norm(dim=1)
    loud = (norm > _CONVERGENCE_FLOOR).to(norm)
    return _distance(target, output, SPECTRAL_TRIPLE) * loud / norm.clamp(min=_CONVERGENCE_FLOOR)


def waveform_losses(
    target: Tensor, output: Tensor, config: VQVAELossConfig, bandwidth: Bandwidth
) -> dict[str, Tensor]:
    """Return the scalar losses `l1`, `l2`, `linf` and `lmix` of audio [B, T, C]."""
    residual = output - target
    squared = residual.pow(2).flatten(1)
    l1 = residual.abs().mean() / bandwidth.l1
    l2 = squared.mean() / bandwidth.l2
    linf = squared.topk(config.linf_k, dim=1).values.mean() / bandwidth.l2
    mixed = [(config.l1, l1), (config.l2, l2), (config.linf, linf)]
    lmix = torch.stack([w * loss for w, loss in mixed if w]).sum()
    return {"l1": l1, "l2": l2, "linf": linf, "lmix": lmix}
