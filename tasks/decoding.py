"""Codes → audio, by the VQ-VAE of the run."""

from __future__ import annotations

import numpy as np

from musiccore.audio.sound import Audio
from tasks.levels import CodeArray
from tasks.resources import OpenRun


def decode_codes(run: OpenRun, level: int, codes: CodeArray) -> Audio:
    """Decode codes [n] of one level to mono audio."""
    import torch

    config = run.config.vqvae
    with torch.inference_mode():
        batch = torch.from_numpy(codes[None]).to(run.models.device)
        samples = run.models.vqvae().decode(batch, level)[0].float().cpu().numpy()  # [1, T]
    return Audio(
        samples=np.ascontiguousarray(np.clip(samples, -1.0, 1.0), dtype=np.float32),
        sample_rate=config.sample_rate,
    )
