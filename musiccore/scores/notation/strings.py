"""Notes and chords of a MIDI file as strings, by music21. Runs within its process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from music21 import chord, converter, instrument, note


def strings_of(data: bytes) -> list[list[str]]:
    """Return a string for every note and chord of every part of a MIDI file.

    A note is its name and octave, such as `C4` or `E-3`; a chord is its normal order, such as
    `0.4.7`, whatever its octaves, inversion and doublings.

    Args:
        data: the file.
    """
    score = converter.parseData(data, format="midi")
    players: Any = instrument.partitionByInstrument(score)
    if players:
        return [_strings(part.recurse()) for part in players.parts]
    return [_strings(score.flatten().notes)]


def _strings(elements: Iterable[Any]) -> list[str]:
    found = []
    for element in elements:
        if isinstance(element, note.Note):
            found.append(str(element.pitch))
        elif isinstance(element, chord.Chord):
            found.append(".".join(str(degree) for degree in element.normalOrder))
    return found
