"""How likely a model finds whole pieces."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from musiccore.composer.batches import Example, example_of, make_batch
from musiccore.composer.network import Composer
from musiccore.composer.voices import VoiceGrid


def nats_per_note(model: Composer, examples: Sequence[Example], batch_size: int = 25) -> float:
    """Return the mean negative log-likelihood of a grid cell, in nats.

    Args:
        model: weights to judge.
        examples: whole pieces; every step of every voice counts once.
        batch_size: pieces at a time.
    """
    total, count = 0.0, 0
    ordered = sorted(examples, key=lambda example: len(example.grid))
    with torch.no_grad():
        for first in range(0, len(ordered), batch_size):
            batch = make_batch(ordered[first : first + batch_size], model.config)
            nats, _ = model.losses(batch.inputs, batch.codes, batch.counts)
            total, count = total + float(nats.double().sum()), count + nats.numel()
    return total / count


def judge(model: Composer, grids: Sequence[VoiceGrid]) -> float:
    """Return nats per note of whole pieces."""
    return nats_per_note(model, [example_of(grid) for grid in grids])
