"""Key and harmony of a score."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

from musiccore.errors import AudioError
from musiccore.scores.notation.bach import Mode, Note, estimate_key
from musiccore.scores.notation.process import Music21, Refusal
from musiccore.scores.score import Score

MAX_CHORDS = 50_000
"""Moments of harmony that one score may have."""

_TONICS = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B")
_FLAT = {"major": {1: "D-"}, "minor": {8: "G#", 3: "E-", 10: "B-"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chord:
    """What sounds together.

    Attributes:
        start: tick.
        end: tick.
        pitches: MIDI numbers, from the lowest.
        name: such as `G-dominant seventh chord`.
        numeral: Roman numeral in the key, such as `V65`; empty if it is no triad or seventh chord.
    """

    start: int
    end: int
    pitches: tuple[int, ...]
    name: str
    numeral: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmony:
    """Key and chords of a score.

    Attributes:
        tonic: pitch class 0 (C) to 11 (B).
        mode: `major` or `minor`.
        chords: one after the other, percussion left out; rests lie between them.
    """

    tonic: int
    mode: Mode
    chords: tuple[Chord, ...]


def key_of(score: Score) -> tuple[int, Mode]:
    """Return tonic pitch class and mode that fit the notes of a score best, percussion left out.

    Raises:
        AudioError: if no note has a pitch and a length.
    """
    notes = tuple(
        Note(onset=note.start, duration=note.duration, pitch=note.pitch, part=0)
        for part in score.parts
        if not part.is_drums
        for note in part.notes
    )
    if not any(note.duration for note in notes):
        raise AudioError("the score has no key: no note has a pitch and a length")
    return estimate_key(notes)


def key_name(tonic: int, mode: Mode) -> str:
    """Return a key as music21 writes it, flats as `-`: `E-` is E flat."""
    return _FLAT[mode].get(tonic, _TONICS[tonic])


def analyse_harmony(score: Score, *, music21: Music21 | None = None) -> Harmony:
    """Name the chords of a score in its key.

    Args:
        score: any score.
        music21: a process to ask; without one, a new one is started.

    Raises:
        AudioError: if it has no key, too many chords, or music21 takes too long.
    """
    if music21 is None:
        with Music21() as own:
            return analyse_harmony(score, music21=own)
    tonic, mode = key_of(score)
    moments = _moments(score)
    if len(moments) > MAX_CHORDS:
        raise AudioError(
            f"the score has {len(moments)} chords, more than the limit of {MAX_CHORDS}"
        )
    distinct = sorted({pitches for _, _, pitches in moments})
    asked = json.dumps({"key": [key_name(tonic, mode), mode], "chords": distinct}).encode()
    try:
        names = dict(zip(distinct, json.loads(music21.ask("numerals", asked)), strict=True))
    except Refusal as error:
        raise AudioError(f"the harmony cannot be named: {error.message}") from error
    return Harmony(
        tonic=tonic,
        mode=mode,
        chords=tuple(
            Chord(
                start=start,
                end=end,
                pitches=pitches,
                name=names[pitches][0],
                numeral=names[pitches][1],
            )
            for start, end, pitches in moments
        ),
    )


def _moments(score: Score) -> list[tuple[int, int, tuple[int, ...]]]:
    """Return (start, end, pitches) of every time in which the same pitches sound."""
    notes = [
        note for part in score.parts if not part.is_drums for note in part.notes if note.duration
    ]
    changes: dict[int, list[tuple[int, int]]] = {}
    for note in notes:
        changes.setdefault(note.start, []).append((1, note.pitch))
        changes.setdefault(note.end, []).append((-1, note.pitch))
    ticks = sorted(changes)
    sounding: dict[int, int] = {}
    moments: list[tuple[int, int, tuple[int, ...]]] = []
    for start, end in pairwise(ticks):
        for step, pitch in changes[start]:
            sounding[pitch] = sounding.get(pitch, 0) + step
            if not sounding[pitch]:
                del sounding[pitch]
        pitches = tuple(sorted(sounding))
        if not pitches:
            continue
        if moments and moments[-1][1] == start and moments[-1][2] == pitches:
            moments[-1] = (moments[-1][0], end, pitches)
        else:
            moments.append((start, end, pitches))
    return moments
