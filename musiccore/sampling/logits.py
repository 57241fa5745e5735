"""Temperature, top-k and top-p: what a draw may choose from."""

from __future__ import annotations

from math import isfinite

import torch

from musiccore.errors import ConfigError


def filter_logits(
    logits: torch.Tensor, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> torch.Tensor:
    """Divide by the temperature, then set codes that must not be drawn to -inf.

    Args:
        logits: [..., V].
        temperature: above 0; below 1 sharpens.
        top_k: keep the k best codes, and ties with the k-th; 0 keeps all, more than V means V.
        top_p: keep the best codes up to and including the one that takes their probability above
            this; 0 or 1 keeps all. The best code is always kept.

    Returns:
        New tensor [..., V].

    Raises:
        ConfigError: if an option is out of range, or both filters are active.

    Paper: none; released scripts use neither filter. Deviation: top-p of the release fails on any
    current PyTorch; the rule here is the intended one.
    """
    nucleus = 0.0 < top_p < 1.0
    if not (isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature is {temperature}; it must be above 0")
    if top_k < 0 or not 0.0 <= top_p <= 1.0:
        raise ConfigError(f"top_k is {top_k} and top_p is {top_p}; at least 0, and 0 to 1")
    if top_k and nucleus:
        raise ConfigError(
            f"top_k is {top_k} and top_p is {top_p}; only one of them may be active",
            hint="set top_k to 0, or top_p to 1",
        )
    scaled = logits / temperature
    if top_k:
        kth = scaled.topk(min(top_k, scaled.shape[-1]), dim=-1).values[..., -1:]
        return scaled.masked_fill(scaled < kth, float("-inf"))
    if nucleus:
        ordered, order = scaled.sort(dim=-1, descending=True, stable=True)
        before = ordered.softmax(dim=-1).cumsum(dim=-1).roll(1, dims=-1)
        before[..., 0] = 0.0
        drop = torch.zeros_like(before, dtype=torch.bool).scatter(-1, order, before > top_p)
        return scaled.masked_fill(drop, float("-inf"))
    return scaled
