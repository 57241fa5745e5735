"""The chorales of J. S. Bach as voices on a grid, in the split that papers report on.

`jsb_split.json` names the pieces of each part and says how to play each: the order in which its
sections are heard (quarter notes, with repeats), which parts are the voices where there are more
than four, and where fermatas stand. The notes come from the music21 package. The split is rebuilt
from there: it is close to, not identical with, the data that papers use.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np

from musiccore.composer.voices import VoiceGrid, place, trimmed
from musiccore.errors import ConfigError
from musiccore.scores.notation import Note, read_chorale

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

STEPS_PER_QUARTER = 4


class _Entry(TypedDict, total=False):
    order: list[list[float]]
    parts: list[int]
    fermatas: list[float]
    meter: str
    upbeat: float


@cache
def _table() -> dict[Split, dict[str, _Entry]]:
    path = Path(__file__).with_name("jsb_split.json")
    table: dict[Split, dict[str, _Entry]] = json.loads(path.read_text(encoding="utf-8"))
    return table


def names_of(split: Split) -> tuple[str, ...]:
    """Return the names of the chorales of one part of the split."""
    return tuple(_table()[split])


def read_voices(name: str) -> VoiceGrid:
    """Read one chorale of the split as four voices in sixteenths, repeats played.

    Raises:
        ConfigError: if the split has no such chorale.
    """
    entry = next((table[name] for table in _table().values() if name in table), None)
    if entry is None:
        raise ConfigError(
            f"chorale: {name!r} is in no part of the split", hint="use a name such as bwv66.6"
        )
    notes = read_chorale(name).notes
    parts = entry.get("parts", [0, 1, 2, 3])
    voices = [[note for note in notes if note.part == part] for part in parts]
    end = max(note.onset + note.duration for voice in voices for note in voice)
    order = entry.get("order", [[0, end]])
    steps = STEPS_PER_QUARTER
    played = [list(_play(voice, order)) for voice in voices]
    n_steps = int(np.ceil(max(last for voice in played for _, last, _ in voice) - 1e-6))
    grid = place(name, played, n_steps, steps)
    held = [
        Note(onset=note.onset, duration=note.duration, pitch=1, part=0)
        for note in voices[0]
        if note.onset in entry["fermatas"]
    ]
    fermata = place(name, [_play(held, order)], n_steps, steps).pitches[:, 0] > 0
    numerator, denominator = (int(part) for part in entry["meter"].split("/"))
    return trimmed(
        VoiceGrid(
            name=name,
            pitches=grid.pitches,
            struck=grid.struck,
            fermata=fermata,
            steps_per_quarter=steps,
            upbeat=round(entry["upbeat"] * steps),
            beats=4 * numerator // denominator,
        )
    )


def _play(voice: list[Note], order: list[list[float]]) -> Iterator[tuple[float, float, int]]:
    """Yield notes of a voice in steps, section after section; a note ends with its section."""
    before = 0.0
    for first, last in order:
        for note in voice:
            if first <= note.onset < last:
                begin = note.onset - first + before
                end = min(note.onset + note.duration, last) - first + before
                yield begin * STEPS_PER_QUARTER, end * STEPS_PER_QUARTER, note.pitch
        before += last - first


def read_split(split: Split) -> list[VoiceGrid]:
    """Read one part of the split; some 0.1 s a piece."""
    return [read_voices(name) for name in names_of(split)]
