"""Peaks turned down just where they are, so that the rest can be louder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from musiccore.audio.resampling import Oversampler
from musiccore.audio.streams import Frames

Real = npt.NDArray[np.float64]

_REACH_SECONDS = 0.015


class Limiter:
    """Holds the peaks between the samples under a ceiling.

    The gain looks ahead: it is the lowest that any sample within reach needs, averaged over the
    same reach, so that it never jumps and is never too high.

    Args:
        sample_rate: Hz.
        channels: number of them; all get the same gain, so that nothing moves in the stereo image.
        ceiling: largest magnitude; 1.0 is full scale.

    Attributes:
        lowest: the smallest gain so far; 1.0 if nothing was turned down.
    """

    def __init__(self, sample_rate: int, channels: int, ceiling: float) -> None:
        self.lowest = 1.0
        self._ceiling = ceiling
        self._oversampler = Oversampler(sample_rate, channels)
        self._reach = max(1, round(_REACH_SECONDS * sample_rate))

    def __call__(self, blocks: Iterable[Frames]) -> Iterator[Frames]:
        """Yield as many frames as come, later than they come."""
        context = 2 * self._reach
        needed = np.ones(context)  # gains, from `context` frames before the first one waiting
        waiting: list[Frames] = []  # frames without a gain so far
        for block in blocks:
            waiting.append(block)
            needed = np.append(needed, self._needed(self._oversampler.peaks(block)))
            ready = len(needed) - 2 * context
            if ready > 0:
                yield from _given(waiting, self._gains(needed))
                needed = needed[ready:]
        needed = np.append(needed, self._needed(self._oversampler.peaks(None)))
        missing = sum(map(len, waiting)) - (len(needed) - context)
        needed = np.append(needed, np.ones(context + max(0, missing)))
        yield from _given(waiting, self._gains(needed))

    def _needed(self, peaks: npt.NDArray[np.float32]) -> Real:
        return self._ceiling / np.maximum(peaks, self._ceiling).astype(np.float64)

    def _gains(self, needed: Real) -> Real:
        """[T] from [T + 2 context]."""
        from scipy.ndimage import minimum_filter1d

        width = 2 * self._reach + 1
        least = minimum_filter1d(needed, width)[self._reach : -self._reach]
        total = np.concatenate([[0.0], np.cumsum(least)])
        gains: Real = np.minimum((total[width:] - total[:-width]) / width, 1.0)
        self.lowest = min(self.lowest, float(gains.min(initial=1.0)))
        return gains


def _given(waiting: list[Frames], gains: Real) -> Iterator[Frames]:
    """Yield the frames that have a gain; the others stay in `waiting`."""
    while waiting and len(gains):
        block = waiting.pop(0)
        if len(block) > len(gains):
            waiting.insert(0, block[len(gains) :])
            block = block[: len(gains)]
        yield block * gains[: len(block), None].astype(block.dtype)
        gains = gains[len(block) :]
