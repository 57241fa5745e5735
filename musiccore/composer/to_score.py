"""Voices on a grid → a score that can be played: velocities, tempo, key and names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from musiccore.composer.compose_options import PROGRAMS, VOICES, Instruments
from musiccore.composer.voices import Grid, VoiceGrid
from musiccore.scores.key import Key
from musiccore.scores.score import KeySignature, Meter, Part, Score, ScoreNote, Tempo, Words

TICKS_PER_QUARTER = 480
PROVENANCE = "jukeflow"
"""Key under which the text event of a composed file says how it was made."""

_SLOWING = (0.95, 0.88)  # tempo of the two beats before the final chord, and then of the chord
_FINAL = 0.82
_VELOCITY, _LOWEST, _HIGHEST = 70, 36, 108
_BALANCE = (7, -2, -2, 3)


def slowed_quarters(quarters: float, final: float) -> float:
    """Return how many quarter notes of the basic tempo a piece lasts.

    Args:
        quarters: of the piece.
        final: quarters of its final chord.
    """
    extra = sum(1 / factor - 1 for factor in _SLOWING) if quarters - final >= 2 else 0.0
    return quarters + extra + final * (1 / _FINAL - 1)


def tempo_map(quarters: float, final: float, tempo: float) -> tuple[Tempo, ...]:
    """Return a steady tempo that slows down towards the final chord."""
    start = quarters - final
    marks = [(0.0, 1.0)]
    if start >= 2:
        marks += [(start - 2 + n, factor) for n, factor in enumerate(_SLOWING)]
    marks.append((start, _FINAL))
    return tuple(
        Tempo(tick=round(at * TICKS_PER_QUARTER), microseconds=round(6e7 / (tempo * factor)))
        for at, factor in marks
    )


def notes_of(grid: VoiceGrid, velocities: NDArray[np.int64]) -> list[tuple[ScoreNote, ...]]:
    """Return the notes of each voice.

    Args:
        grid: the voices.
        velocities: `[T, V]`, of a note that begins there.
    """
    step = TICKS_PER_QUARTER // grid.steps_per_quarter
    voices = []
    for v in range(grid.pitches.shape[1]):
        pitches, struck = grid.pitches[:, v], grid.struck[:, v]
        changed = np.flatnonzero(struck | (np.diff(pitches, prepend=-1) != 0))
        ends = [*changed[1:], len(pitches)]
        voices.append(
            tuple(
                ScoreNote(
                    start=int(first) * step,
                    duration=int(last - first) * step,
                    pitch=int(pitches[first]),
                    velocity=int(velocities[first, v]),
                )
                for first, last in zip(changed, ends, strict=True)
                if pitches[first]
            )
        )
    return voices


def velocities(grid: VoiceGrid, seed: int) -> NDArray[np.int64]:
    """Return how loud a note is that begins at each step `[T, V]`.

    Phrases swell and fade, bars and beats are accented, the outer voices lead, and no two notes
    are quite alike.
    """
    n_steps, n_voices = grid.pitches.shape
    beat, bar = grid.steps_per_quarter, grid.steps_per_quarter * grid.beats
    at = (np.arange(n_steps) - grid.upbeat) % bar
    accent = np.where(at == 0, 5, np.where(at % beat == 0, 1, -5))
    fermata = grid.fermata if grid.fermata is not None else np.zeros(n_steps, bool)
    ends = [int(step) + 1 for step in np.flatnonzero(fermata & ~np.append(fermata[1:], False))]
    arch = np.zeros(n_steps)
    first = 0
    for last in [*ends, n_steps]:
        if last > first:
            arch[first:last] = 14 * np.sin(np.pi * (np.arange(last - first) + 0.5) / (last - first))
            first = last
    balance = np.array([_BALANCE[0], *[-2] * (n_voices - 2), _BALANCE[-1]][:n_voices])
    noise = np.random.default_rng((seed, 7)).normal(0, 2.5, (n_steps, n_voices))
    loud = _VELOCITY - 6 + (accent + arch)[:, None] + balance + noise
    clipped: NDArray[np.int64] = np.clip(np.round(loud), _LOWEST, _HIGHEST).astype(np.int64)
    return clipped


def to_score(
    grid: VoiceGrid,
    key: Key,
    tempos: tuple[Tempo, ...],
    instruments: Instruments,
    seed: int,
    provenance: Mapping[str, object],
    melody: Sequence[ScoreNote] | None = None,
) -> Score:
    """Return a score with one part per voice.

    Args:
        grid: the voices.
        key: for its signature.
        tempos: of the piece.
        instruments: who plays.
        seed: of the velocities.
        provenance: how it was made, kept as a text of the score.
        melody: notes of the highest voice as they are, in place of those of the grid.
    """
    voices = notes_of(grid, velocities(grid, seed))
    if melody is not None:
        voices[0] = tuple(melody)
    names = VOICES if len(voices) == len(VOICES) else [f"Voice {n + 1}" for n in range(len(voices))]
    programs = PROGRAMS[instruments]
    parts = tuple(
        Part(
            notes=notes,
            program=programs[min(v, len(programs) - 1)],
            channel=v if v < 9 else v + 1,
            name=names[v],
            track=v + 1,
        )
        for v, notes in enumerate(voices)
    )
    meters = [Meter(tick=0, numerator=grid.beats, denominator=4)]
    if grid.upbeat and grid.upbeat % grid.steps_per_quarter == 0:
        short = grid.upbeat // grid.steps_per_quarter
        tick = short * TICKS_PER_QUARTER
        meters = [
            Meter(tick=0, numerator=short, denominator=4),
            Meter(tick=tick, numerator=grid.beats, denominator=4),
        ]
    return Score(
        ticks_per_quarter=TICKS_PER_QUARTER,
        parts=parts,
        tempos=tempos,
        meters=tuple(meters),
        keys=(KeySignature(tick=0, sharps=key.sharps, mode=key.mode),),
        words=(Words(tick=0, kind="text", text=json.dumps({PROVENANCE: provenance})),),
        name=grid.name,
    )


def struck_of(pitches: Grid) -> NDArray[np.bool_]:
    """Return where notes begin if none is struck again."""
    struck: NDArray[np.bool_] = (np.diff(pitches, axis=0, prepend=0) != 0) & (pitches > 0)
    return struck


def provenance_of(score: Score) -> dict[str, object] | None:
    """Return how a composed score says it was made; None for any other."""
    for words in score.words:
        if words.kind == "text" and words.text.startswith("{"):
            try:
                found = json.loads(words.text).get(PROVENANCE)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return None
