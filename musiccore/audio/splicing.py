"""Putting stretches of audio together without audible joins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musiccore.audio.sound import Audio
from musiccore.errors import AudioError


def replace_range(base: Audio, new: Audio, start: int, end: int, fade: int) -> Audio:
    """Return audio that is `new` from `start` to `end` and `base` everywhere else.

    Args:
        base, new: of the same shape and rate.
        start, end: the stretch, in samples.
        fade: samples on each side of it over which one fades into the other, at equal gain.

    Returns:
        Audio that equals `base` before `start - fade` and from `end + fade` on.

    Raises:
        AudioError: if the two do not fit each other.
    """
    if base.samples.shape != new.samples.shape or base.sample_rate != new.sample_rate:
        raise AudioError(
            f"audio of shape {base.samples.shape} at {base.sample_rate} Hz and of shape "
            f"{new.samples.shape} at {new.sample_rate} Hz do not fit each other"
        )
    at = np.arange(base.n_samples)
    slope = max(1, fade)
    rise = np.clip((at - start + slope) / slope, 0.0, 1.0) if start > 0 else np.ones(len(at))
    fall = (
        np.clip((end + fade - at) / slope, 0.0, 1.0) if end < base.n_samples else np.ones(len(at))
    )
    share = np.minimum(rise, fall).astype(np.float32)
    samples = base.samples * (1 - share) + new.samples * share
    samples[:, share == 0] = base.samples[:, share == 0]
    samples[:, share == 1] = new.samples[:, share == 1]
    return Audio(samples=samples.astype(np.float32), sample_rate=base.sample_rate)


def overlay(layers: Sequence[tuple[int, Audio]], n_samples: int, sample_rate: int) -> Audio:
    """Return the best of several layers for every stretch: later layers cover earlier ones.

    Args:
        layers: (first sample, mono audio), worst quality first.
        n_samples: length of the result.
        sample_rate: of all of them, Hz.
    """
    samples = np.zeros((1, n_samples), dtype=np.float32)
    for start, layer in layers:
        end = min(n_samples, start + layer.n_samples)
        if start < end:
            samples[:, start:end] = layer.samples[:1, : end - start]
    return Audio(samples=samples, sample_rate=sample_rate)
