"""Training of one prior of the embedded model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from musiccore.models.config import PriorConfig
from musiccore.models.prior import Prior
from musiccore.training.bigram import Bigram, start_from_bigram_
from musiccore.training.code_windows import WindowBatch, WindowSource
from musiccore.training.optim import warm_cosine
from musiccore.training.state import WeightAverage, load_state, save_state


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorTraining:
    """How one prior trains."""

    steps: int
    batch: int = 4
    learning_rate: float = 6e-4
    warmup: int = 100
    weight_decay: float = 0.01
    upper_noise: float = 0.15
    average_decay: float = 0.995
    seed: int = 0
    save_every: int = 100
    test_every: int = 250


def train_prior(
    config: PriorConfig,
    train: WindowSource,
    test: WindowBatch,
    bigram: Bigram,
    options: PriorTraining,
    state_path: Path,
    *,
    on_step: Callable[[int, float], None] | None = None,
    on_test: Callable[[int, float], None] | None = None,
) -> Prior:
    """Train one prior; continues from `state_path` where it was interrupted.

    Args:
        test: held-out windows; their bits are reported, never used to choose.

    Returns:
        The prior with averaged weights.
    """
    torch.manual_seed(options.seed * 10 + config.level)  # initial weights only
    prior = Prior(config)
    start_from_bigram_(prior, bigram)
    optimiser = torch.optim.AdamW(
        _groups(prior, options.weight_decay), options.learning_rate, betas=(0.9, config.beta2)
    )
    average = WeightAverage(prior, options.average_decay)
    done, _ = load_state(state_path, prior, optimiser, average)
    if on_test is not None and not done:
        on_test(0, held_out_bits(prior, test))
    for step in range(done, options.steps):
        factor = warm_cosine(step, options.steps, warmup=options.warmup, floor=0.03)
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * factor
        batch = train.batch(step, options.batch, seed=options.seed, upper_noise=options.upper_noise)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = prior.loss(batch.codes, batch.upper, batch.labels).codes
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        optimiser.step()
        average.update_(prior)
        if on_step is not None:
            on_step(step, loss.item())
        if (step + 1) % options.save_every == 0 or step + 1 == options.steps:
            save_state(state_path, step + 1, prior, optimiser, average)
        if on_test is not None and (step + 1) % options.test_every == 0:
            on_test(step + 1, held_out_bits(prior, test))
    average.copy_to_(prior)
    return prior.eval()


def _groups(prior: Prior, weight_decay: float) -> list[dict[str, object]]:
    """Decay matrices of the stack only; embeddings and conditioners stay free."""
    decayed = [p for n, p in prior.decoder.layers.named_parameters() if p.ndim == 2]
    chosen = {id(p) for p in decayed}
    free = [p for p in prior.parameters() if id(p) not in chosen]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


@torch.inference_mode()
def held_out_bits(prior: Prior, windows: WindowBatch, *, size: int = 8) -> float:
    """Return the mean bits per code of windows, in float32."""
    total = 0.0
    for start in range(0, len(windows.codes), size):
        part = slice(start, start + size)
        upper = None if windows.upper is None else windows.upper[part]
        loss = prior.loss(windows.codes[part], upper, windows.labels[part])
        total += float(loss.codes) * len(windows.codes[part])
    return total / len(windows.codes)
