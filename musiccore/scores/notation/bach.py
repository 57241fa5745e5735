"""Notes counted in quarter notes, pieces with their key, and the chorales of music21's package.

Chorales come from the music21 package: (c) 2004 Margaret Greentree, used by permission there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from musiccore.errors import ConfigError

Mode = Literal["major", "minor"]

# Krumhansl and Kessler's probe-tone profiles, from the tonic upwards.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note: onset and duration in quarter notes, pitch as a MIDI number, part from the top."""

    onset: float
    duration: float
    pitch: int
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The notes of one piece, sorted by onset, with its estimated key.

    Attributes:
        tonic: pitch class 0 (C) to 11 (B).
    """

    name: str
    notes: tuple[Note, ...]
    tonic: int
    mode: Mode

    def transposed(self, semitones: int) -> Piece:
        """Return the piece moved by a number of semitones."""
        notes = tuple(
            Note(onset=n.onset, duration=n.duration, pitch=n.pitch + semitones, part=n.part)
            for n in self.notes
        )
        tonic = (self.tonic + semitones) % 12
        return Piece(name=self.name, notes=notes, tonic=tonic, mode=self.mode)

    def in_c_or_a(self) -> Piece:
        """Return the piece in C major or A minor, moved by at most six semitones."""
        target = 0 if self.mode == "major" else 9
        shift = (target - self.tonic) % 12
        return self.transposed(shift - 12 if shift > 6 else shift)


def estimate_key(notes: tuple[Note, ...]) -> tuple[int, Mode]:
    """Return tonic pitch class and mode: the Krumhansl profile that correlates best."""
    import numpy as np

    histogram = np.zeros(12)
    for note in notes:
        histogram[note.pitch % 12] += note.duration
    best: tuple[float, int, Mode] = (-2.0, 0, "major")
    profiles: tuple[tuple[Mode, tuple[float, ...]], ...] = (("major", _MAJOR), ("minor", _MINOR))
    for mode, profile in profiles:
        for tonic in range(12):
            correlation = float(np.corrcoef(histogram, np.roll(profile, tonic))[0, 1])
            best = max(best, (correlation, tonic, mode))
    return best[1], best[2]


def chorale_names() -> list[str]:
    """Return the names of the Bach chorales in the installed music21 package, sorted."""
    from music21 import corpus

    stems = {Path(str(path)).name.split(".mxl")[0] for path in corpus.getComposer("bach")}
    return sorted(stem for stem in stems if stem.startswith("bwv") and not stem.endswith(".krn"))


def read_chorale(name: str) -> Piece:
    """Read one chorale from the music21 package, ties merged.

    Args:
        name: such as `bwv12.7`.

    Raises:
        ConfigError: if the package holds no such chorale.
    """
    from music21 import corpus
    from music21.exceptions21 import Music21Exception

    try:
        score = corpus.parse(f"bach/{name}")
    except Music21Exception as error:
        raise ConfigError(
            f"chorale: {name!r} is not in the music21 package", hint="use a name such as bwv66.6"
        ) from error
    notes: list[Note] = []
    for index, part in enumerate(score.parts):
        sounding: dict[int, Note] = {}
        for element in part.flatten().notes:
            for pitch in element.pitches:
                onset, midi = float(element.offset), int(pitch.midi)
                held = sounding.pop(midi, None)
                tied = element.tie is not None and element.tie.type in ("stop", "continue")
                if held is not None and not tied:
                    notes.append(held)
                start = held.onset if tied and held is not None else onset
                end = onset + float(element.duration.quarterLength)
                sounding[midi] = Note(onset=start, duration=end - start, pitch=midi, part=index)
        notes.extend(sounding.values())
    ordered = tuple(
        sorted((n for n in notes if n.duration > 0), key=lambda n: (n.onset, n.part, n.pitch))
    )
    tonic, mode = estimate_key(ordered)
    return Piece(name=name, notes=ordered, tonic=tonic, mode=mode)
