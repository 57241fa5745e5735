"""What a model must beat: repeating the last note, and pairs of notes. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musiccore.composer.voices import Grid

N_PITCHES = 128


def copy_nats(train: Sequence[Grid], judged: Sequence[Grid]) -> float:
    """Return nats per note of a voice that keeps its pitch as often as in training.

    Where it moves, it takes a pitch as often as the voice has it in training. Its first note is
    drawn so, too.
    """
    total, count = 0.0, 0
    for v in range(train[0].shape[1]):
        pairs = _pairs(train, v)
        stays = float(np.trace(pairs) / pairs.sum())
        common = _shares(np.concatenate([grid[:, v] for grid in train]))
        for grid in judged:
            voice = grid[:, v]
            chances = (1 - stays) * common[voice[1:]]
            chances = np.where(voice[1:] == voice[:-1], stays + chances, chances)
            total -= float(np.log(chances).sum()) + float(np.log(common[voice[0]]))
            count += len(voice)
    return total / count


def bigram_nats(train: Sequence[Grid], judged: Sequence[Grid], smoothing: float = 0.1) -> float:
    """Return nats per note when each depends on the one before it in its voice.

    Args:
        train: pieces that are counted.
        judged: pieces that are judged.
        smoothing: added to every count of a pitch that the voice has anywhere.
    """
    total, count = 0.0, 0
    for v in range(train[0].shape[1]):
        common = _shares(np.concatenate([grid[:, v] for grid in train]))
        pairs = _pairs(train, v) + smoothing * N_PITCHES * common[None]
        chances = pairs / pairs.sum(1, keepdims=True)
        for grid in judged:
            voice = grid[:, v]
            total -= float(np.log(chances[voice[:-1], voice[1:]]).sum())
            total -= float(np.log(common[voice[0]]))
            count += len(voice)
    return total / count


def _pairs(grids: Sequence[Grid], voice: int) -> NDArray[np.float64]:
    pairs = np.zeros((N_PITCHES, N_PITCHES))
    for grid in grids:
        np.add.at(pairs, (grid[:-1, voice], grid[1:, voice]), 1.0)
    return pairs


def _shares(notes: Grid) -> NDArray[np.float64]:
    counts = np.bincount(notes, minlength=N_PITCHES) + 0.01
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
