"""Scores ↔ grids: one row per voice, one cell per step; a cell begins a pitch, holds it, or rests.

Kept: when notes begin and end on the grid, pitches, the program of each part, the first tempo and
the first meter. Left out: velocities and everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from musiccore.errors import ConfigError
from musiccore.scores.score import (
    DEFAULT_TEMPO,
    DRUM_CHANNEL,
    Meter,
    Part,
    Score,
    ScoreNote,
    Tempo,
)

HOLD: Final = 128
REST: Final = 129
STRINGS: Final = (*(str(pitch) for pitch in range(128)), "hold", "rest")
"""Token strings of a grid; the id of one is its index."""

MAX_CELLS: Final = 1 << 24

PerQuarter = Literal[1, 2, 4]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridVoice:
    """One row of a grid.

    Attributes:
        part: which part it belongs to; a part that plays chords has several rows.
        program: General MIDI instrument.
        is_drums: whether its pitches are percussion.
    """

    part: int
    program: int = 0
    is_drums: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """A piece as voices and steps.

    Attributes:
        cells: [voices, steps] int16: a pitch that begins, `HOLD` or `REST`.
        voices: one per row.
        per_quarter: steps of a quarter note: 4, 2 or 1.
        microseconds: of a quarter note.
        meter: numerator and denominator.

    Raises:
        ConfigError: if a cell is none of these, or rows and voices differ in number.
    """

    cells: npt.NDArray[np.int16]
    voices: tuple[GridVoice, ...]
    per_quarter: int
    microseconds: int = DEFAULT_TEMPO
    meter: tuple[int, int] = (4, 4)

    def __post_init__(self) -> None:
        if self.per_quarter not in (1, 2, 4):
            raise ConfigError(f"per_quarter is {self.per_quarter}, want 1, 2 or 4")
        if self.cells.ndim != 2 or len(self.cells) != len(self.voices):
            raise ConfigError(
                f"grid: cells have the shape {self.cells.shape}, and there are "
                f"{len(self.voices)} voices"
            )
        if self.cells.size and not (self.cells.min() >= 0 and self.cells.max() <= REST):
            raise ConfigError(f"grid: a cell is outside 0 to {REST}")


def encode_grid(score: Score, per_quarter: PerQuarter = 4) -> Grid:
    """Put a score on a grid.

    A note begins and ends at the nearest step, and is at least one step long. No note is lost: a
    part has as many rows as notes sound at once.

    Args:
        score: any score.
        per_quarter: 4 for a grid of 16th notes, 2 for 8th, 1 for quarter notes.

    Raises:
        ConfigError: if the grid would be too large.
    """
    ticks = score.ticks_per_quarter

    def at(tick: int) -> int:
        return (2 * tick * per_quarter + ticks) // (2 * ticks)

    rows: list[list[tuple[int, int, int]]] = []  # start, end, pitch
    voices: list[GridVoice] = []
    for number, part in enumerate(score.parts):
        own: list[list[tuple[int, int, int]]] = []
        for note in sorted(part.notes, key=lambda n: (at(n.start), -n.pitch, n.end)):
            start = at(note.start)
            free = next((row for row in own if row[-1][1] <= start), None)
            if free is None:
                free = []
                own.append(free)
            free.append((start, max(at(note.end), start + 1), note.pitch))
        voice = GridVoice(part=number, program=part.program, is_drums=part.is_drums)
        rows.extend(own)
        voices.extend([voice] * len(own))
    steps = max((row[-1][1] for row in rows), default=0)
    if steps * len(rows) > MAX_CELLS:
        raise ConfigError(
            f"grid: {len(rows)} voices and {steps} steps are more than {MAX_CELLS} cells",
            hint="use a coarser grid or a shorter piece",
        )
    cells = np.full((len(rows), steps), REST, dtype=np.int16)
    for number, row in enumerate(rows):
        for start, end, pitch in row:
            cells[number, start] = pitch
            cells[number, start + 1 : end] = HOLD
    tempo = score.tempos[0].microseconds if score.tempos else DEFAULT_TEMPO
    meter = (score.meters[0].numerator, score.meters[0].denominator) if score.meters else (4, 4)
    return Grid(
        cells=cells,
        voices=tuple(voices),
        per_quarter=per_quarter,
        microseconds=tempo,
        meter=meter,
    )


def decode_grid(grid: Grid) -> Score:
    """Return the score of a grid; a cell that holds nothing rests."""
    parts: dict[int, list[ScoreNote]] = {}
    for row, voice in zip(grid.cells, grid.voices, strict=True):
        parts.setdefault(voice.part, []).extend(_notes(row))
    told = {voice.part: voice for voice in grid.voices}
    free = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    return Score(
        ticks_per_quarter=grid.per_quarter,
        parts=tuple(
            Part(
                notes=tuple(sorted(parts[n], key=lambda n: (n.start, n.pitch, n.duration))),
                program=told[n].program,
                channel=DRUM_CHANNEL if told[n].is_drums else free[n % len(free)],
                track=n + 1,
            )
            for n in sorted(parts)
        ),
        tempos=(Tempo(tick=0, microseconds=grid.microseconds),),
        meters=(Meter(tick=0, numerator=grid.meter[0], denominator=grid.meter[1]),),
    )


def _notes(row: npt.NDArray[np.int16]) -> list[ScoreNote]:
    """Return the notes of a row: each lasts over the cells that hold it."""
    starts = np.flatnonzero(row < HOLD)
    breaks = np.flatnonzero(row != HOLD)
    ends = np.append(breaks, len(row))[np.searchsorted(breaks, starts) + 1]
    return [
        ScoreNote(start=int(start), duration=int(end - start), pitch=int(row[start]))
        for start, end in zip(starts, ends, strict=True)
    ]
