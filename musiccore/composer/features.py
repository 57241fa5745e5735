"""What the model sees of a grid of voices: only the past, step by step.

A grid is an integer array `[time, voices]` of MIDI pitches, 0 for a rest, highest voice first. The
same `History` describes the past when a whole corpus is prepared and when music is drawn, so the
two cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musiccore.composer.voices import Grid

Ints = NDArray[np.int64]

MAX_AGE = 32
"""A pitch held for longer counts as held this long, in steps."""

MIN_DISTANCE = 8
"""An earlier place that looks like the present lies at least this many steps back."""

N_BUCKETS = 8
"""How long the earlier place has looked like the present, in classes: 0, 1, 2, 3-4, ... 33 up."""

UNKNOWN_REFERENCE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known before each step, for a batch of grids.

    Attributes:
        ages: steps each voice has held its pitch, 0 before the start, up to `MAX_AGE`.
        earlier: step that followed the most similar earlier place, -1 if there is none.
        bucket: how long that place has looked like the present, 0 to `N_BUCKETS` - 1.
    """

    ages: Ints
    earlier: Ints
    bucket: Ints


class History:
    """Grids that grow by one step at a time.

    Args:
        n_pieces: pieces that grow together.
        n_voices: voices of each.
        capacity: steps they may reach.
    """

    def __init__(self, n_pieces: int, n_voices: int, capacity: int) -> None:
        self.grid = np.zeros((n_pieces, capacity, n_voices), np.int16)
        self.length = 0
        self._ages = np.zeros((n_pieces, n_voices), np.int64)
        # runs[b, s]: for how many steps the music before step s equals the music before now.
        self._runs = np.zeros((n_pieces, capacity + 1), np.int64)

    def past(self) -> Past:
        """Describe what is known before the next step."""
        t, rows = self.length, np.arange(len(self._runs))
        if t <= MIN_DISTANCE:
            none = np.full(len(rows), -1, np.int64)
            return Past(ages=self._ages.copy(), earlier=none, bucket=np.zeros(len(rows), np.int64))
        runs = self._runs[:, : t - MIN_DISTANCE + 1]
        latest = runs.shape[1] - 1 - np.argmax(runs[:, ::-1], axis=1)
        longest = runs[rows, latest]
        bucket = np.ceil(np.log2(np.maximum(longest, 1))).astype(np.int64) + 1
        bucket = np.where(longest > 0, np.minimum(np.maximum(bucket, 1), N_BUCKETS - 1), 0)
        earlier = np.where(longest > 0, latest, -1)
        return Past(ages=self._ages.copy(), earlier=earlier, bucket=bucket)

    def take(self, other: History, rows: Ints) -> None:
        """Become a copy of some pieces of another history of the same capacity."""
        self.grid[:], self.length = other.grid[rows], other.length
        self._ages, self._runs = other._ages[rows], other._runs[rows]

    def append(self, frame: NDArray[np.integer]) -> None:
        """Add one step `[pieces, voices]`."""
        t = self.length
        same = self.grid[:, t - 1] == frame if t else np.zeros_like(frame, dtype=bool)
        self._ages = np.where(same, np.minimum(self._ages + 1, MAX_AGE), 1)
        self.grid[:, t] = frame
        equal = (self.grid[:, :t] == frame[:, None]).all(-1)
        self._runs[:, 1 : t + 1] = np.where(equal, self._runs[:, :t] + 1, 0)
        self.length = t + 1


def describe(grid: Grid) -> Past:
    """Describe what is known before every step of one grid; arrays are `[time, ...]`."""
    history = History(1, grid.shape[1], len(grid))
    pasts = []
    for frame in grid:
        pasts.append(history.past())
        history.append(frame[None])
    return Past(
        ages=np.stack([past.ages[0] for past in pasts]),
        earlier=np.array([past.earlier[0] for past in pasts]),
        bucket=np.array([past.bucket[0] for past in pasts]),
    )


def reference_of(frame: NDArray[np.integer]) -> Ints:
    """Return -6 to 5: the pitch class of the lowest sounding voice, for frames `[..., voices]`.

    Pieces mostly begin on their tonic; counted from it, all keys look alike.
    """
    sounding = np.where(frame > 0, frame, 999).min(-1)
    lowest = np.where(sounding == 999, 0, sounding).astype(np.int64)
    return (lowest + 6) % 12 - 6
