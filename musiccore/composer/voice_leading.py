"""What a teacher of harmony would look at, counted. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from musiccore.composer.voices import Grid

_TRIADS = [
    {(root + step) % 12 for step in kind} for root in range(12) for kind in ((0, 4, 7), (0, 3, 7))
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Figures of one or several grids, shares from 0 to 1.

    Attributes:
        held: notes that keep the pitch of the step before.
        crossings: steps in which a voice sounds above its upper neighbour.
        parallels: steps in which two voices move in fifths or octaves, of those in which two move.
        consonant: beats whose notes belong to one major or minor triad.
        rests: notes that are silent.
    """

    held: float
    crossings: float
    parallels: float
    consonant: float
    rests: float


def check(grids: Sequence[Grid], steps_per_quarter: int = 4) -> Checks:
    """Count over all steps of some grids.

    Args:
        grids: `[T, V]` each.
        steps_per_quarter: steps of a beat.
    """
    held = notes = crossed = steps = parallel = moving = consonant = beats = silent = 0
    for grid in grids:
        pitches = grid.astype(np.int64)
        held += int((pitches[1:] == pitches[:-1]).sum())
        notes += pitches[1:].size
        silent += int((pitches == 0).sum())
        upper, lower = pitches[:, :-1], pitches[:, 1:]
        crossed += int(((upper < lower) & (upper > 0)).any(1).sum())
        steps += len(pitches)
        wrong, both = parallel_steps(pitches)
        parallel, moving = parallel + int(wrong.sum()), moving + int(both.sum())
        for frame in pitches[::steps_per_quarter]:
            classes = {int(pitch) % 12 for pitch in frame if pitch}
            consonant += any(classes <= triad for triad in _TRIADS)
            beats += 1
    return Checks(
        held=held / max(notes, 1),
        crossings=crossed / max(steps, 1),
        parallels=parallel / max(moving, 1),
        consonant=consonant / max(beats, 1),
        rests=silent / max(sum(grid.size for grid in grids), 1),
    )


def parallel_steps(pitches: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, per step after the first, whether voices move in parallel, and whether two move."""
    before, after = pitches[:-1], pitches[1:]
    wrong = np.zeros(len(after), bool)
    both = np.zeros(len(after), bool)
    for a, b in combinations(range(pitches.shape[1]), 2):
        sounding = (before[:, [a, b]] > 0).all(1) & (after[:, [a, b]] > 0).all(1)
        moved = sounding & (before[:, a] != after[:, a]) & (before[:, b] != after[:, b])
        first = (before[:, a] - before[:, b]) % 12
        second = (after[:, a] - after[:, b]) % 12
        wrong |= moved & (first == second) & np.isin(first, (0, 7))
        both |= moved
    return wrong, both


class Copies:
    """Finds what is copied, in any key, from some pieces.

    Args:
        grids: the pieces.
    """

    def __init__(self, grids: Sequence[Grid]) -> None:
        self._known = np.concatenate([_shapes(grid) for grid in grids])

    def longest(self, grid: Grid) -> int:
        """Return the length in steps of the longest run that also stands in one of the pieces."""
        runs = np.zeros(len(self._known) + 1, np.int64)
        longest = 0
        for shape in _shapes(grid):
            runs[1:] = np.where(self._known == shape, runs[:-1] + 1, 0)
            longest = max(longest, int(runs.max()))
        return longest


def _shapes(grid: Grid) -> NDArray[np.int64]:
    """Return numbers that are equal for steps that are equal but for their key.

    A step is the intervals above its lowest voice, and how far that moved; the first step of a
    piece moved by a number of its own, so that no run leads from one piece to the next.
    """
    pitches = grid.astype(np.int64)
    bass = pitches[:, -1]
    moved = np.diff(bass, prepend=bass[0] - 199)
    number = moved + 200
    for v in range(pitches.shape[1] - 1):
        number = number * 257 + (pitches[:, v] - bass + 128)
    return number
