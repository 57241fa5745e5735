"""A score as a MIDI file holds it: ticks, tempo map, parts, velocities. Nothing is rounded.

Every reader of scores gives a `Score`, every player, writer and tokeniser takes one. Times are
ticks (integers); `Score.seconds_at` turns them into seconds by the tempo map.

Specification: "Standard MIDI Files 1.0", MIDI Manufacturers Association.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.textcode import AUTO, checked_encoding

DRUM_CHANNEL = 9
"""Channel of percussion, whose pitches are instruments."""

DEFAULT_TEMPO = 500_000
"""Microseconds a quarter note where a file says nothing: 120 beats a minute."""

MAX_TICKS_PER_QUARTER = 0x7FFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files of other people are read.

    Attributes:
        encoding: of texts that are not UTF-8, such as `shift_jis`; `auto` takes what fits clearly,
            or Latin-1.
        strict: refuse what players read although it breaks the rules of its format.

    Raises:
        ConfigError: if there is no such encoding.
    """

    encoding: str = AUTO
    strict: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding", checked_encoding(self.encoding))

    def passed(self, score: Score, name: str) -> Score:
        """Return a score that may be used.

        Args:
            score: as it was read.
            name: what an error calls its file.

        Raises:
            AudioError: naming what was odd about it, if that is to be refused.
        """
        if self.strict and score.warnings:
            raise AudioError(
                f"{name} is refused, being strict: {'; '.join(score.warnings)}",
                hint="without strict it is read all the same",
            )
        return score


AS_PLAYERS_DO: Final = Reading()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreNote:
    """One note.

    Attributes:
        start: tick.
        duration: ticks; 0 is kept as the file has it.
        pitch: MIDI number, 0 to 127; 60 is middle C.
        velocity: 1 to 127.
    """

    start: int
    duration: int
    pitch: int
    velocity: int = 80

    @property
    def end(self) -> int:
        """Tick at which it ends."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A channel message that is no note: controller, bend, pressure or a later program change.

    Attributes:
        tick: when.
        kind: upper half of the MIDI status byte, 0xA to 0xE.
        data: its one or two data bytes.
    """

    tick: int
    kind: int
    data: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """From `tick` on, a quarter note lasts so many microseconds."""

    tick: int
    microseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """From `tick` on, a bar has `numerator` notes of 1 / `denominator`."""

    tick: int
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySignature:
    """From `tick` on: sharps (positive) or flats (negative), -7 to 7."""

    tick: int
    sharps: int
    mode: Literal["major", "minor"] = "major"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Text at a tick: `text`, `copyright`, `lyrics`, `marker` or `cue_marker`."""

    tick: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one instrument plays.

    Attributes:
        notes: sorted by start, then pitch.
        program: General MIDI instrument at the beginning, 0 (piano) to 127.
        channel: MIDI channel 0 to 15; `DRUM_CHANNEL` is percussion.
        name: as the file has it.
        controls: sorted by tick.
        words: texts of this track, such as its lyrics.
        track: number of the track it comes from and is written to.
        port: cable of sixteen channels that it plays on.
    """

    notes: tuple[ScoreNote, ...]
    program: int = 0
    channel: int = 0
    name: str = ""
    controls: tuple[Control, ...] = ()
    words: tuple[Words, ...] = ()
    track: int = 0
    port: int = 0

    @property
    def is_drums(self) -> bool:
        """Whether its pitches are instruments."""
        return self.channel == DRUM_CHANNEL


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundingNote:
    """A note in real time.

    Attributes:
        onset: seconds.
        duration: seconds.
        pitch: MIDI number.
        velocity: 1 to 127.
        program: General MIDI instrument when it begins.
        is_drums: whether the pitch is an instrument of percussion.
        part: index of its part in the score.
    """

    onset: float
    duration: float
    pitch: int
    velocity: int
    program: int
    is_drums: bool
    part: int


@dataclass(frozen=True, kw_only=True)
class Score:
    """A whole piece.

    Attributes:
        ticks_per_quarter: 1 to 32767.
        parts: in the order of the file.
        tempos: sorted by tick; before the first, 120 quarter notes a minute.
        meters: sorted by tick; before the first, 4/4.
        keys: sorted by tick.
        words: texts of the whole piece.
        name: title; empty if there is none.
        encoding: of texts in the file that were not UTF-8; they are written so again.
        warnings: what was odd about the file, one sentence per kind; no part of the score.

    Raises:
        ConfigError: if `ticks_per_quarter` or a tempo is out of range.
    """

    ticks_per_quarter: int
    parts: tuple[Part, ...]
    tempos: tuple[Tempo, ...] = ()
    meters: tuple[Meter, ...] = ()
    keys: tuple[KeySignature, ...] = ()
    words: tuple[Words, ...] = ()
    name: str = ""
    encoding: str = field(default="utf-8", compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.ticks_per_quarter <= MAX_TICKS_PER_QUARTER:
            raise ConfigError(
                f"ticks_per_quarter is {self.ticks_per_quarter}, want 1 to {MAX_TICKS_PER_QUARTER}"
            )
        for tempo in self.tempos:
            if not 1 <= tempo.microseconds < 1 << 24:
                raise ConfigError(
                    f"tempo at tick {tempo.tick} is {tempo.microseconds} microseconds a quarter "
                    f"note, want 1 to {(1 << 24) - 1}"
                )

    @property
    def n_notes(self) -> int:
        """Notes of all parts."""
        return sum(len(part.notes) for part in self.parts)

    @cached_property
    def end(self) -> int:
        """Tick at which the last note ends; 0 without notes."""
        return max((note.end for part in self.parts for note in part.notes), default=0)

    @property
    def seconds(self) -> float:
        """Duration up to the end of the last note."""
        return self.seconds_at(self.end)

    @cached_property
    def _tempo_map(self) -> tuple[list[int], list[float], list[int]]:
        """Ticks, seconds there, microseconds a quarter note from there; the first tick is 0."""
        ticks, seconds, tempos = [0], [0.0], [DEFAULT_TEMPO]
        for tempo in self.tempos:
            passed = (tempo.tick - ticks[-1]) * tempos[-1] / self.ticks_per_quarter / 1e6
            ticks.append(tempo.tick)
            seconds.append(seconds[-1] + passed)
            tempos.append(tempo.microseconds)
        return ticks, seconds, tempos

    def seconds_at(self, tick: int) -> float:
        """Return the time of a tick, in seconds from the beginning."""
        ticks, seconds, tempos = self._tempo_map
        at = bisect_right(ticks, tick) - 1
        return seconds[at] + (tick - ticks[at]) * tempos[at] / self.ticks_per_quarter / 1e6

    def tick_at(self, seconds: float) -> int:
        """Return the tick nearest to a time in seconds."""
        ticks, times, tempos = self._tempo_map
        at = max(bisect_right(times, seconds) - 1, 0)
        return ticks[at] + round((seconds - times[at]) * 1e6 * self.ticks_per_quarter / tempos[at])

    def sounding(self) -> tuple[SoundingNote, ...]:
        """Return all notes in real time, sorted by onset, part, pitch."""
        found = [
            SoundingNote(
                onset=(onset := self.seconds_at(note.start)),
                duration=self.seconds_at(note.end) - onset,
                pitch=note.pitch,
                velocity=note.velocity,
                program=program,
                is_drums=part.is_drums,
                part=index,
            )
            for index, part in enumerate(self.parts)
            for note, program in _with_programs(part)
        ]
        return tuple(sorted(found, key=lambda note: (note.onset, note.part, note.pitch)))

    def bars(self) -> Iterator[int]:
        """Yield the tick of every bar line from 0 to the first at or after the end.

        A change of meter begins a new bar.
        """
        changes = {meter.tick: meter for meter in self.meters}
        meter = changes.pop(0, Meter(tick=0, numerator=4, denominator=4))
        left = sorted(tick for tick in changes if tick > 0)
        tick = 0
        while True:
            yield tick
            if tick >= self.end:
                return
            length = max(self.ticks_per_quarter * 4 * meter.numerator // meter.denominator, 1)
            tick += length
            if left and tick >= left[0]:
                tick = left.pop(0)
                meter = changes[tick]

    def until(self, seconds: float) -> Score:
        """Return the notes that begin before a time, none of them longer than up to it."""
        last = self.tick_at(seconds)
        kept = tuple(
            replace(
                part,
                notes=tuple(
                    note if note.end <= last else replace(note, duration=last - note.start)
                    for note in part.notes
                    if note.start < last
                ),
            )
            for part in self.parts
        )
        return replace(self, parts=kept)

    def transposed(self, semitones: int) -> Score:
        """Return the score moved by semitones; percussion stays.

        Raises:
            ConfigError: if a note would leave MIDI's range.
        """
        return replace(self, parts=tuple(_transposed(part, semitones) for part in self.parts))


def _with_programs(part: Part) -> Iterator[tuple[ScoreNote, int]]:
    """Yield the notes of a part with the program that is on when each begins."""
    changes = [control for control in part.controls if control.kind == 0xC]
    program, at = part.program, 0
    for note in part.notes:
        while at < len(changes) and changes[at].tick <= note.start:
            program, at = changes[at].data[0], at + 1
        yield note, program


def _transposed(part: Part, semitones: int) -> Part:
    if part.is_drums:
        return part
    notes = tuple(replace(note, pitch=note.pitch + semitones) for note in part.notes)
    if any(not 0 <= note.pitch <= 127 for note in notes):
        raise ConfigError(
            f"transpose: {semitones} semitones move a note of {part.name or 'a part'!r} "
            "outside 0 to 127",
            hint="move it by less, or by an octave the other way",
        )
    return replace(part, notes=notes)
