"""Scores ↔ event tokens: bars, positions, notes with velocity and duration, instruments, tempo.

Time is counted in 24ths of a quarter note. What lies on that grid comes back exactly: notes of
all parts with velocities, programs and their changes, percussion, tempos, meters and keys. Names,
words, controllers and bends are left out.

A piece reads: for each part `Part`, for percussion `Drums`, `Program`; then for each bar `Bar`, a
meter if it is new, and at each `Position` tempo, key, programs and notes. `Long` before a position
or a duration adds `LONG` to it. A position right before a bar cuts the bar before it short.

Paper: the order of bar, position and note follows "Pop Music Transformer: Beat-based Modeling and
Generation of Expressive Pop Piano Compositions", REMI; parts, exact durations and exact tempos are
ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from musiccore.errors import ConfigError
from musiccore.scores.score import (
    DRUM_CHANNEL,
    Meter,
    Part,
    Score,
    ScoreNote,
)
from musiccore.scores.tokens.event_reader import EventReader

PER_QUARTER: Final = 24
LONG: Final = 192
MAX_PARTS: Final = 128

_TEMPOS = range(4, 401)  # quarter notes a minute
_UNITS = (1, 2, 4, 8, 16, 32, 64, 128)
_MODES = ("major", "minor")
_PROGRAM = 0xC


@dataclass(frozen=True)
class EventVocabulary:
    """All event tokens: strings ↔ ids, the same for every piece."""

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """Token strings; the id of one is its index."""
        return (
            "End",
            "Bar",
            "Long",
            "Drums",
            *(f"Position_{n}" for n in range(LONG)),
            *(f"Part_{n}" for n in range(MAX_PARTS)),
            *(f"Program_{n}" for n in range(128)),
            *(f"Pitch_{n}" for n in range(128)),
            *(f"Velocity_{n}" for n in range(1, 128)),
            *(f"Duration_{n}" for n in range(LONG)),
            *(f"Beats_{n}" for n in range(1, 256)),
            *(f"Unit_{n}" for n in _UNITS),
            *(f"Tempo_{n}" for n in _TEMPOS),
            *(f"Key_{n}_{mode}" for n in range(-7, 8) for mode in _MODES),
            *(f"Byte_{n}" for n in range(256)),
        )

    @cached_property
    def ids(self) -> dict[str, int]:
        """String → id."""
        return {string: n for n, string in enumerate(self.strings)}

    def encode(self, strings: Iterable[str]) -> list[int]:
        """Return the ids of strings.

        Raises:
            ConfigError: if one of them is no token.
        """
        ids = []
        for n, string in enumerate(strings):
            if string not in self.ids:
                raise ConfigError(f"token {n} is {string!r}, which is none of this vocabulary")
            ids.append(self.ids[string])
        return ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the strings of ids.

        Raises:
            ConfigError: if one of them is outside the vocabulary.
        """
        strings = []
        for n, token in enumerate(ids):
            if not 0 <= token < len(self.strings):
                raise ConfigError(f"token {n} is {token}, want 0 to {len(self.strings) - 1}")
            strings.append(self.strings[token])
        return strings


def on_grid(score: Score) -> Score:
    """Return what event tokens keep of a score, every time at the nearest 24th of a quarter note.

    A note keeps a length: none becomes 0 that was not. Parts get tracks and channels of their own.
    """

    def at(tick: int) -> int:
        return (2 * tick * PER_QUARTER + score.ticks_per_quarter) // (2 * score.ticks_per_quarter)

    free = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    parts = []
    for number, part in enumerate(score.parts):
        notes = (
            replace(
                note,
                start=at(note.start),
                duration=max(at(note.end) - at(note.start), min(note.duration, 1)),
            )
            for note in part.notes
        )
        changes = (
            replace(control, tick=at(control.tick))
            for control in part.controls
            if control.kind == _PROGRAM
        )
        parts.append(
            Part(
                notes=tuple(sorted(notes, key=_order)),
                program=part.program,
                channel=DRUM_CHANNEL if part.is_drums else free[number % len(free)],
                controls=tuple(changes),
                track=number + 1,
            )
        )
    moved = Score(
        ticks_per_quarter=PER_QUARTER,
        parts=tuple(parts),
        tempos=tuple({at(t.tick): replace(t, tick=at(t.tick)) for t in score.tempos}.values()),
        meters=tuple({at(m.tick): replace(m, tick=at(m.tick)) for m in score.meters}.values()),
        keys=tuple({at(k.tick): replace(k, tick=at(k.tick)) for k in score.keys}.values()),
    )
    return _within(moved)


def _order(note: ScoreNote) -> tuple[int, int, int, int]:
    return note.start, note.pitch, note.duration, note.velocity


def _within(score: Score) -> Score:
    """Leave out what comes after the end of the music."""
    bars = set(score.bars())
    last = max(score.end, 1)
    return replace(
        score,
        parts=tuple(
            replace(part, controls=tuple(c for c in part.controls if c.tick < last))
            for part in score.parts
        ),
        tempos=tuple(tempo for tempo in score.tempos if tempo.tick < last),
        meters=tuple(m for m in score.meters if m.tick in bars and m.tick < last),
        keys=tuple(key for key in score.keys if key.tick < last),
    )


def encode_events(score: Score) -> list[str]:
    """Encode a score as event tokens.

    Args:
        score: any score; times that are not on the grid move to it, see `on_grid`.

    Returns:
        Token strings; `EventVocabulary` has their ids.

    Raises:
        ConfigError: if it has more than 128 parts.
    """
    if len(score.parts) > MAX_PARTS:
        raise ConfigError(
            f"score: it has {len(score.parts)} parts, event tokens know {MAX_PARTS}",
            hint="leave some parts out",
        )
    return list(_tokens(on_grid(score)))


def _tokens(score: Score) -> Iterator[str]:
    for number, part in enumerate(score.parts):
        yield f"Part_{number}"
        if part.is_drums:
            yield "Drums"
        yield f"Program_{part.program}"
    events = _events(score)
    meters = {meter.tick: meter for meter in score.meters}
    bars = [bar for bar in score.bars() if bar < score.end or bar == 0]
    length, before = 0, 0
    done = 0
    for number, bar in enumerate(bars):
        if number and bar - before != length:
            yield from _long("Position", bar - before)
        yield "Bar"
        meter = meters.get(bar)
        if meter is not None:
            yield f"Beats_{meter.numerator}"
            yield f"Unit_{meter.denominator}"
        length = _length(meter) if meter else length or _length(None)
        end = bars[number + 1] if number + 1 < len(bars) else max(score.end, bar) + 1
        before, now = bar, -1
        while done < len(events) and events[done][0] < end:
            tick, _, tokens = events[done]
            if tick != now:
                yield from _long("Position", tick - bar)
                now = tick
            yield from tokens
            done += 1
    yield "End"


def _length(meter: Meter | None) -> int:
    """Return the ticks of a bar, as `Score.bars` counts them."""
    return (
        4 * PER_QUARTER
        if meter is None
        else max(PER_QUARTER * 4 * meter.numerator // meter.denominator, 1)
    )


def _long(name: str, number: int) -> Iterator[str]:
    for _ in range(number // LONG):
        yield "Long"
    yield f"{name}_{number % LONG}"


def _events(score: Score) -> list[tuple[int, tuple[int, ...], list[str]]]:
    """Return (tick, order at that tick, tokens) of everything that has a time."""
    found: list[tuple[int, tuple[int, ...], list[str]]] = [
        *((tempo.tick, (0,), _tempo_tokens(tempo.microseconds)) for tempo in score.tempos),
        *((key.tick, (1,), [f"Key_{key.sharps}_{key.mode}"]) for key in score.keys),
    ]
    for number, part in enumerate(score.parts):
        for control in part.controls:
            tokens = [f"Part_{number}", f"Program_{control.data[0]}"]
            found.append((control.tick, (2, number), tokens))
        for at, note in enumerate(part.notes):
            tokens = [
                f"Part_{number}",
                f"Pitch_{note.pitch}",
                f"Velocity_{note.velocity}",
                *_long("Duration", note.duration),
            ]
            found.append((note.start, (3, number, at), tokens))
    found.sort(key=lambda event: event[:2])
    return found


def _tempo_tokens(microseconds: int) -> list[str]:
    """Return the whole number of quarter notes a minute, and what it really is if that differs."""
    beats = min(max(round(60e6 / microseconds), _TEMPOS[0]), _TEMPOS[-1])
    exact = [] if round(60e6 / beats) == microseconds else microseconds.to_bytes(3, "big")
    return [f"Tempo_{beats}", *(f"Byte_{byte}" for byte in exact)]


def decode_events(tokens: Sequence[str]) -> Score:
    """Decode event tokens.

    Args:
        tokens: token strings; `End` may be missing.

    Returns:
        The score, 24 ticks a quarter note.

    Raises:
        ConfigError: if a token comes where it makes no sense; the message says which.
    """
    vocabulary = EventVocabulary()
    vocabulary.encode(tokens)
    return EventReader(tokens, per_quarter=PER_QUARTER, long=LONG).score()
