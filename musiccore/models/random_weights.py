"""Networks with random weights that depend on a seed only: those of the model `tiny`."""

from __future__ import annotations

import torch

from musiccore.models.config import PriorConfig
from musiccore.models.presets import preset
from musiccore.models.prior import Prior
from musiccore.models.vqvae import VQVAE


def random_prior(config: PriorConfig, *, seed: int = 0, scale: float = 1.0) -> Prior:
    """Return a prior with random weights that depend on the seed only."""
    prior = Prior(config)
    _randomise_(prior, seed, scale)
    return prior.eval()


def tiny_vqvae(*, seed: int = 0) -> VQVAE:
    """Return the VQ-VAE of the `tiny` model with random weights that depend on the seed only."""
    vqvae = VQVAE(preset("tiny").vqvae)
    _randomise_(vqvae, seed, 1.0)
    return vqvae.eval()


@torch.no_grad()
def _randomise_(module: torch.nn.Module, seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _, tensor in sorted(module.state_dict(keep_vars=True).items()):
        noise = torch.randn(tensor.shape, generator=generator)
        spread = scale / max(1.0, float(tensor[0].numel()) ** 0.5) if tensor.ndim > 1 else 0.1
        tensor.copy_(noise * spread)
        if tensor.ndim == 1:
            tensor.add_(0.5)
