"""Pieces as the model reads them: codes counted from the reference, padded to batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musiccore.composer.features import UNKNOWN_REFERENCE, Past, describe, reference_of
from musiccore.composer.network import Inputs
from musiccore.composer.sizes import ComposerConfig
from musiccore.composer.voices import Grid, VoiceGrid

UNKNOWN_MARK = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A piece with what is known before each of its steps.

    Attributes:
        name: of the piece.
        grid: pitches `[T, V]`, 0 for a rest.
        past: of every step.
        marks: `[T, V + 2]`: voice struck again, fermata, last step; `UNKNOWN_MARK` if unknown.
    """

    name: str
    grid: Grid
    past: Past
    marks: NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pieces of a similar length.

    Attributes:
        inputs: what is known before each step.
        codes: `[B, T, V]`, the notes themselves.
        marks: `[B, T, V + 2]`.
        counts: `[B, T]`, whether a step is music and no padding.
    """

    inputs: Inputs
    codes: Tensor
    marks: Tensor
    counts: Tensor


def make_example(
    name: str,
    grid: Grid,
    struck: NDArray[np.bool_] | None = None,
    fermata: NDArray[np.bool_] | None = None,
) -> Example:
    """Prepare a piece.

    Args:
        name: of the piece.
        grid: pitches `[T, V]`.
        struck: `[T, V]`, whether a note begins; unknown if None.
        fermata: `[T]`, whether the highest voice rests on a fermata; unknown if None.
    """
    n_steps, n_voices = grid.shape
    marks = np.full((n_steps, n_voices + 2), UNKNOWN_MARK, np.int8)
    if struck is not None:
        held = np.zeros_like(struck)
        held[1:] = (grid[1:] == grid[:-1]) & (grid[1:] > 0)
        marks[:, :n_voices] = np.where(held, struck, UNKNOWN_MARK)
    if fermata is not None:
        marks[:, n_voices] = fermata
    marks[:, n_voices + 1] = 0
    marks[-1, n_voices + 1] = 1
    return Example(name=name, grid=grid, past=describe(grid), marks=marks)


def example_of(grid: VoiceGrid) -> Example:
    """Prepare a piece."""
    return make_example(grid.name, grid.pitches, grid.struck, grid.fermata)


def encode(
    grid: Grid, shift: NDArray[np.integer] | int, config: ComposerConfig
) -> NDArray[np.int64]:
    """Return codes: 0 for a rest, else the pitch moved by `-shift`, by octaves into the range."""
    moved = grid.astype(np.int64) - shift
    moved = np.where(moved < config.low, moved + 12 * -((moved - config.low) // 12), moved)
    moved = np.where(moved > config.high, moved - 12 * ((moved - config.high + 11) // 12), moved)
    return np.where(grid > 0, moved - config.low + 1, 0)


def make_batch(
    examples: Sequence[Example],
    config: ComposerConfig,
    transpositions: Sequence[int] | None = None,
    references: Sequence[int] | None = None,
) -> Batch:
    """Pad pieces to one batch.

    Args:
        examples: the pieces.
        config: of the model.
        transpositions: semitones to move each piece by; none if None.
        references: reference to use instead of the first bass note, -6 to 5; `None` for its own.
    """
    n_steps, n_voices = max(len(e.grid) for e in examples), config.n_voices
    shape = (len(examples), n_steps)
    codes = np.zeros((*shape, n_voices), np.int64)
    previous, earlier = codes.copy(), np.full((*shape, n_voices), config.hold, np.int64)
    ages, bucket = codes.copy(), np.zeros(shape, np.int64)
    reference = np.full(shape, UNKNOWN_REFERENCE, np.int64)
    marks = np.full((*shape, n_voices + 2), UNKNOWN_MARK, np.int64)
    counts = np.zeros(shape, bool)
    for row, example in enumerate(examples):
        size = len(example.grid)
        moved = np.where(
            example.grid > 0, example.grid + (transpositions[row] if transpositions else 0), 0
        ).astype(np.int16)
        shift = int(reference_of(moved[0])) if references is None else references[row]
        relative = encode(moved, shift, config)
        codes[row, :size] = relative
        codes[row, 0] = encode(moved[:1], 0, config)[0]  # nothing to count from yet
        previous[row, 0] = config.hold
        previous[row, 1:size] = relative[:-1]
        found = example.past.earlier >= 0
        earlier[row, :size][found] = relative[example.past.earlier[found]]
        ages[row, :size], bucket[row, :size] = example.past.ages, example.past.bucket
        reference[row, 1:size] = shift + 6
        marks[row, :size] = example.marks
        counts[row, :size] = True
    position = np.broadcast_to(np.arange(n_steps), shape)
    return Batch(
        inputs=Inputs(
            previous=torch.from_numpy(previous),
            ages=torch.from_numpy(ages),
            earlier=torch.from_numpy(earlier),
            bucket=torch.from_numpy(bucket),
            position=torch.from_numpy(position.copy()),
            reference=torch.from_numpy(reference),
        ),
        codes=torch.from_numpy(codes),
        marks=torch.from_numpy(marks),
        counts=torch.from_numpy(counts),
    )
