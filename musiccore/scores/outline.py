"""What a score is: length, tempo, meter, key, and what each part plays."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from musiccore.scores.instrument_names import INSTRUMENT_NAMES
from musiccore.scores.notation import key_name, key_of
from musiccore.scores.score import DEFAULT_TEMPO, Meter, Part, Score, Tempo


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReport:
    """One part.

    Attributes:
        name: as the file has it.
        instrument: what General MIDI calls it; `percussion` for drums.
        program: 0 to 127.
        channel: 1 to 16, as musicians count.
        drums: whether its pitches are percussion.
        notes: how many.
        lowest: name of the lowest pitch, None without notes or for percussion.
        highest: name of the highest one.
        changes: later changes of the instrument.
    """

    name: str
    instrument: str
    program: int
    channel: int
    drums: bool
    notes: int
    lowest: str | None
    highest: str | None
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """A whole score.

    Attributes:
        name: title; empty if there is none.
        seconds: to the end of the last note.
        bars: begun bars.
        notes: of all parts.
        ticks_per_quarter: resolution.
        key: estimated from the notes, such as `F# minor`; None without pitched notes.
        key_signatures: (bar, key) as written; sharps positive, flats negative.
        tempos: (second, quarter notes a minute).
        meters: (bar, meter).
        parts: one after the other.
        words: how many texts and syllables.
    """

    name: str
    seconds: float
    bars: int
    notes: int
    ticks_per_quarter: int
    key: str | None
    key_signatures: tuple[tuple[int, int, str], ...]
    tempos: tuple[tuple[float, float], ...]
    meters: tuple[tuple[int, str], ...]
    parts: tuple[PartReport, ...]
    words: int


def report_on(score: Score) -> ScoreReport:
    """Describe a score."""
    lines = list(score.bars())
    tempos = score.tempos
    if not tempos or tempos[0].tick:
        tempos = (Tempo(tick=0, microseconds=DEFAULT_TEMPO), *tempos)
    meters = score.meters
    if not meters or meters[0].tick:
        meters = (Meter(tick=0, numerator=4, denominator=4), *meters)

    def bar(tick: int) -> int:
        return max(bisect_right(lines, tick), 1)

    return ScoreReport(
        name=score.name,
        seconds=round(score.seconds, 3),
        bars=sum(line < score.end for line in lines),
        notes=score.n_notes,
        ticks_per_quarter=score.ticks_per_quarter,
        key=_key(score),
        key_signatures=tuple((bar(key.tick), key.sharps, key.mode) for key in score.keys),
        tempos=tuple(
            (round(score.seconds_at(tempo.tick), 3), round(60e6 / tempo.microseconds, 3))
            for tempo in tempos
        ),
        meters=tuple((bar(m.tick), f"{m.numerator}/{m.denominator}") for m in meters),
        parts=tuple(_part(part) for part in score.parts),
        words=len(score.words) + sum(len(part.words) for part in score.parts),
    )


def _key(score: Score) -> str | None:
    if not any(note.duration for part in score.parts if not part.is_drums for note in part.notes):
        return None
    tonic, mode = key_of(score)
    return f"{key_name(tonic, mode).replace('-', 'b')} {mode}"


def _part(part: Part) -> PartReport:
    pitches = [note.pitch for note in part.notes]
    pitched = bool(pitches) and not part.is_drums
    return PartReport(
        name=part.name,
        instrument="percussion" if part.is_drums else INSTRUMENT_NAMES[part.program],
        program=part.program,
        channel=part.channel + 1,
        drums=part.is_drums,
        notes=len(pitches),
        lowest=pitch_name(min(pitches)) if pitched else None,
        highest=pitch_name(max(pitches)) if pitched else None,
        changes=sum(control.kind == 0xC for control in part.controls),
    )


def pitch_name(pitch: int) -> str:
    """Return the name of a pitch with its octave: 60 is `C4`, 61 `C#4`, 63 `Eb4`."""
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    return f"{names[pitch % 12]}{pitch // 12 - 1}"
