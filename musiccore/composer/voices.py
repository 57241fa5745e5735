"""Music as voices on a grid of equal steps: what a recurrent model reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from musiccore.errors import ConfigError
from musiccore.scores.score import Part, Score

Grid = NDArray[np.int16]

MIN_STEPS = 16
"""A grid with fewer steps is no piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceGrid:
    """Some voices, each with one pitch or a rest in every step.

    Attributes:
        name: of the piece.
        pitches: `[T, V]`, MIDI numbers, 0 for a rest; highest voice first.
        struck: `[T, V]`, whether a note begins.
        fermata: `[T]`, whether the highest voice rests on a fermata; None if unknown.
        steps_per_quarter: steps of a quarter note.
        upbeat: steps before the first bar line; 0 if it begins with a bar.
        beats: quarter notes of a bar.
    """

    name: str
    pitches: Grid
    struck: NDArray[np.bool_]
    fermata: NDArray[np.bool_] | None = None
    steps_per_quarter: int = 4
    upbeat: int = 0
    beats: int = 4

    def every(self, n: int) -> VoiceGrid:
        """Return the grid with every n-th step: the music of the others is not heard."""
        return VoiceGrid(
            name=self.name,
            pitches=self.pitches[::n],
            struck=self.struck[::n],
            fermata=None if self.fermata is None else self.fermata[::n],
            steps_per_quarter=self.steps_per_quarter // n,
            upbeat=self.upbeat // n,
            beats=self.beats,
        )


def place(
    name: str,
    voices: Iterable[Iterable[tuple[float, float, int]]],
    n_steps: int,
    steps_per_quarter: int,
) -> VoiceGrid:
    """Put voices on a grid: a step sounds as its beginning does.

    Args:
        name: of the piece.
        voices: of each, notes as begin, end (steps, not whole) and pitch, in order.
        n_steps: steps of the grid.
        steps_per_quarter: steps of a quarter note.
    """
    listed = [list(voice) for voice in voices]
    pitches = np.zeros((n_steps, len(listed)), np.int16)
    struck = np.zeros((n_steps, len(listed)), bool)
    for v, voice in enumerate(listed):
        for begin, end, pitch in voice:
            first, last = int(np.ceil(begin - 1e-6)), int(np.ceil(end - 1e-6))
            pitches[first:last, v] = pitch
            if first < min(last, n_steps):
                struck[first, v] = True
    return VoiceGrid(name=name, pitches=pitches, struck=struck, steps_per_quarter=steps_per_quarter)


def trimmed(grid: VoiceGrid) -> VoiceGrid:
    """Return the grid without silence before its first and after its last note."""
    sounding = np.flatnonzero(grid.pitches.any(1))
    if not len(sounding):
        return grid
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    bar = grid.beats * grid.steps_per_quarter
    return VoiceGrid(
        name=grid.name,
        pitches=grid.pitches[first:last],
        struck=grid.struck[first:last],
        fermata=None if grid.fermata is None else grid.fermata[first:last],
        steps_per_quarter=grid.steps_per_quarter,
        upbeat=(grid.upbeat - first) % bar,
        beats=grid.beats,
    )


def fold(
    score: Score, n_voices: int = 4, steps_per_quarter: int = 4, name: str = ""
) -> tuple[VoiceGrid, str]:
    """Bring a score to a number of voices.

    As many parts with one note at a time as there are voices become the voices, the highest first.
    Any other score is folded: in every step the highest and the lowest pitch are the outer voices,
    the inner ones take those below the highest. Percussion is left out.

    Args:
        score: any score.
        n_voices: voices wanted.
        steps_per_quarter: steps of a quarter note; notes begin and end at the nearest step.
        name: of the piece.

    Returns:
        The voices, and how they were found.

    Raises:
        ConfigError: if there is too little music.
    """
    parts = [part for part in score.parts if part.notes and not part.is_drums]
    left_out = sum(part.is_drums and bool(part.notes) for part in score.parts)
    step = score.ticks_per_quarter / steps_per_quarter
    n_steps = round(max((note.end for part in parts for note in part.notes), default=0) / step)
    if n_steps < MIN_STEPS:
        raise ConfigError(
            f"score: {name or score.name!r} has {n_steps} steps of music",
            hint=f"give music of at least {MIN_STEPS} steps, {steps_per_quarter} a quarter note",
        )
    layers = [_steps(part, step) for part in parts]
    if len(parts) == n_voices and all(_is_melody(layer) for layer in layers):
        layers.sort(key=lambda notes: -float(np.mean([pitch for _, _, pitch in notes])))
        grid, how = place(name, layers, n_steps, steps_per_quarter), f"{n_voices} parts as voices"
    else:
        grid = _skyline(name, layers, n_steps, n_voices, steps_per_quarter)
        how = f"{len(parts)} parts folded to {n_voices} voices"
    meter = score.meters[0] if score.meters else None
    beats = 4 if meter is None else max(4 * meter.numerator // meter.denominator, 1)
    upbeat = 0
    if meter is not None and len(score.meters) > 1:  # a short first bar is an upbeat
        second = score.meters[1]
        if round(second.tick / step) == round(beats * steps_per_quarter):
            upbeat, beats = (
                round(second.tick / step),
                max(4 * second.numerator // second.denominator, 1),
            )
    how += f", {left_out} of percussion left out" if left_out else ""
    grid = VoiceGrid(
        name=name,
        pitches=grid.pitches,
        struck=grid.struck,
        steps_per_quarter=steps_per_quarter,
        upbeat=upbeat % (beats * steps_per_quarter),
        beats=beats,
    )
    return trimmed(grid), how


def _steps(part: Part, step: float) -> list[tuple[float, float, int]]:
    """Return notes as whole steps of begin and end, at least one long."""
    notes = []
    for note in part.notes:
        begin = round(note.start / step)
        notes.append((float(begin), float(max(round(note.end / step), begin + 1)), note.pitch))
    return notes


def _is_melody(notes: list[tuple[float, float, int]]) -> bool:
    return all(after[0] >= before[1] for before, after in pairwise(notes))


def _skyline(
    name: str,
    layers: list[list[tuple[float, float, int]]],
    n_steps: int,
    n_voices: int,
    steps_per_quarter: int,
) -> VoiceGrid:
    sounding = np.zeros((n_steps + 1, 128), bool)
    begins = np.zeros((n_steps + 1, 128), bool)
    for begin, end, pitch in (note for layer in layers for note in layer):
        sounding[int(begin) : int(end), pitch] = True
        begins[min(int(begin), n_steps), pitch] = True
    pitches = np.zeros((n_steps, n_voices), np.int16)
    struck = np.zeros((n_steps, n_voices), bool)
    for t in range(n_steps):
        found = np.flatnonzero(sounding[t])[::-1]
        if not len(found):
            continue
        chosen = list(found[:n_voices])
        if len(found) > 1 and n_voices > 1:
            inner = list(found[1:-1][: n_voices - 2])
            chosen = [found[0], *inner, *[0] * (n_voices - 2 - len(inner)), found[-1]]
        for v, pitch in enumerate(chosen):
            pitches[t, v] = pitch
            struck[t, v] = pitch and (begins[t, pitch] or (t > 0 and pitches[t - 1, v] != pitch))
    return VoiceGrid(name=name, pitches=pitches, struck=struck, steps_per_quarter=steps_per_quarter)
