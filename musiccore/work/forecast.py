"""How long the rest will take: a range from the speed so far that allows for changing speeds.

The history is cut into parts: the windows or, while these are few, equally many codes each. From
one part to the next the time changes for two reasons: noise, which averages out, and drift, which
adds up. Both are estimated from the differences; the level is followed by a Kalman filter of that
model, and the range is that of the sum of all parts to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt

_POINTS = 256  # of the history that are kept; when it is full, every second one goes
_PARTS = 24
_FEW = 6  # parts below which nothing is known about changes
_WIDE = 1.8  # range of a forecast from few parts, as a factor up and down
_LEAST_UP, _LEAST_DOWN = 0.15, 0.12  # what any machine may change by
_MOST = 1.8  # factor up and down beyond which a range says nothing
_DEVIATIONS = 2.0
_FAIR = 1.25
_NOISE = 0.02  # of the time of a part, at least
_DRIFT = 0.3  # of it, over as many parts as there were so far, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected of the rest.

    Attributes:
        rate: codes per second at present.
        seconds, seconds_low, seconds_high: time that the rest takes.
    """

    rate: float
    seconds: float
    seconds_low: float
    seconds_high: float


class Pace:
    """The times at which codes were made, in this process."""

    def __init__(self) -> None:
        self._codes: list[int] = [0]
        self._seconds: list[float] = [0.0]
        self._every = 0.0  # seconds between points that are kept
        self._borders: list[tuple[int, float]] = [(0, 0.0)]

    def add(self, codes: int, seconds: float) -> None:
        """Count codes, and the time since the last call."""
        codes, seconds = self._codes[-1] + codes, self._seconds[-1] + seconds
        if len(self._codes) > 2 and self._seconds[-1] - self._seconds[-2] < self._every:
            self._codes[-1], self._seconds[-1] = codes, seconds
            return
        self._codes.append(codes)
        self._seconds.append(seconds)
        if len(self._codes) > _POINTS:
            del self._codes[1:-1:2], self._seconds[1:-1:2]
            self._every = 2 * seconds / _POINTS

    def border(self) -> None:
        """Note that a window ends here: windows are alike, stretches inside them are not."""
        here = self._codes[-1], self._seconds[-1]
        if here[0] > self._borders[-1][0]:
            self._borders.append(here)
        if len(self._borders) > 2 * _PARTS:
            del self._borders[1:-1:2]

    def forecast(self, left: int) -> Forecast | None:
        """Return what `left` more codes will take; None before the first code."""
        if self._codes[-1] <= 0 or self._seconds[-1] <= 0:
            return None
        windows = len(self._borders) - 1
        if windows >= _FEW:
            return _forecast(left, *self._windows())
        n = min(_PARTS, len(self._codes) - 1)
        found = _forecast(left, self._codes[-1] / n, self._even_parts(n))
        if not windows:
            return found
        codes, seconds = self._borders[-1]
        even = left * seconds / codes  # stretches of a window may differ, so both count
        return replace(
            found,
            seconds_low=min(found.seconds_low, even / _FAIR),
            seconds_high=max(found.seconds_high, even * _FAIR),
        )

    def _windows(self) -> tuple[float, list[float]]:
        """Return the codes of a window, and the seconds that each took for so many."""
        pairs = list(pairwise(self._borders))
        size = self._borders[-1][0] / len(pairs)
        return size, [size * (b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs]

    def _even_parts(self, n: int) -> list[float]:
        """Return the seconds of each of `n` parts with equally many codes."""
        total, ends, at = self._codes[-1], [0.0], 1
        for part in range(1, n + 1):
            wanted = total * part / n
            while self._codes[at] < wanted and at < len(self._codes) - 1:
                at += 1
            before, here = self._codes[at - 1], self._codes[at]
            share = 1.0 if here == before else min(1.0, (wanted - before) / (here - before))
            begin, end = self._seconds[at - 1], self._seconds[at]
            ends.append(begin + share * (end - begin))
        return [later - sooner for sooner, later in pairwise(ends)]


def _forecast(left: int, size: float, parts: Sequence[float]) -> Forecast:
    """Return what is expected after parts of `size` codes each."""
    if len(parts) < _FEW:
        rate = size * len(parts) / sum(parts)
        up, down, seconds = _WIDE, _WIDE, left / rate
    else:
        level, doubt, noise, drift = _follow(parts)
        to_come = max(left / size, 1e-9)
        variance = doubt + drift * to_come / 3 + noise / max(to_come, 1.0)
        spread = _DEVIATIONS * sqrt(variance) / level
        up = min(_MOST, 1 + max(_LEAST_UP, spread))
        down = min(_MOST, 1 + max(_LEAST_DOWN, spread))
        rate, seconds = size / level, to_come * level
    return Forecast(
        rate=rate, seconds=seconds, seconds_low=seconds / down, seconds_high=seconds * up
    )


def _follow(parts: Sequence[float]) -> tuple[float, float, float, float]:
    """Return the present level of the parts, its variance, and the variances of noise and drift."""
    mean = sum(parts) / len(parts)
    steps = [later - sooner for sooner, later in pairwise(parts)]
    common = sum(a * b for a, b in pairwise(steps)) / (len(steps) - 1)
    noise = max(-common, (_NOISE * mean) ** 2)
    drift = max(
        (_DRIFT * mean) ** 2 / len(parts), *(_drift(parts, lag, noise) for lag in (1, 2, 4))
    )
    level, doubt = parts[0], noise
    for part in parts[1:]:
        doubt += drift
        gain = doubt / (doubt + noise)
        level += gain * (part - level)
        doubt *= 1 - gain
    return max(level, 0.05 * mean), doubt, noise, drift


def _drift(parts: Sequence[float], lag: int, noise: float) -> float:
    """Return the variance of the drift from one part to the next, seen over `lag` parts."""
    steps = [later - sooner for sooner, later in zip(parts, parts[lag:], strict=False)]
    return (sum(step * step for step in steps) / len(steps) - 2 * noise) / lag
