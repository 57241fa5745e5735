"""Event tokens → score: a reader that says which token makes no sense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NoReturn

from musiccore.errors import ConfigError
from musiccore.scores.score import (
    DRUM_CHANNEL,
    Control,
    KeySignature,
    Meter,
    Part,
    Score,
    ScoreNote,
    Tempo,
)

_PROGRAM = 0xC


class EventReader:
    """Reads the tokens of one piece, from the first to the last.

    Args:
        tokens: token strings.
        per_quarter: ticks of a quarter note.
        long: what `Long` adds.
    """

    def __init__(self, tokens: Sequence[str], *, per_quarter: int, long: int) -> None:
        self._tokens = tokens
        self._per_quarter, self._long = per_quarter, long
        self._at = 0
        self._programs: list[int] = []
        self._drums: list[bool] = []
        self._notes: list[list[ScoreNote]] = []
        self._controls: list[list[Control]] = []
        self._tempos: list[Tempo] = []
        self._meters: list[Meter] = []
        self._keys: list[KeySignature] = []

    def score(self) -> Score:
        """Return the score.

        Raises:
            ConfigError: if a token makes no sense where it stands.
        """
        self._header()
        self._music()
        free = [channel for channel in range(16) if channel != DRUM_CHANNEL]
        return Score(
            ticks_per_quarter=self._per_quarter,
            parts=tuple(
                Part(
                    notes=tuple(
                        sorted(notes, key=lambda n: (n.start, n.pitch, n.duration, n.velocity))
                    ),
                    program=program,
                    channel=DRUM_CHANNEL if drums else free[number % len(free)],
                    controls=tuple(controls),
                    track=number + 1,
                )
                for number, (program, drums, notes, controls) in enumerate(
                    zip(self._programs, self._drums, self._notes, self._controls, strict=True)
                )
            ),
            tempos=tuple(self._tempos),
            meters=tuple(self._meters),
            keys=tuple(self._keys),
        )

    def _header(self) -> None:
        while self._kind() == "Part":
            if self._number("Part") != len(self._programs):
                self._refuse(self._at - 1, f"part {len(self._programs)} comes first")
            drums = self._kind() == "Drums"
            self._at += drums
            self._drums.append(drums)
            self._programs.append(self._number("Program"))
            self._notes.append([])
            self._controls.append([])

    def _music(self) -> None:
        bar, length, position = 0, 4 * self._per_quarter, 0
        begun = cut = False
        while (kind := self._kind()) not in ("", "End"):
            if kind == "Bar":
                self._at += 1
                bar += (position if cut else length) if begun else 0
                begun, cut, position = True, False, 0
                if self._kind() == "Beats":
                    length = self._meter(bar)
                continue
            if not begun:
                self._refuse(self._at, "no bar has begun")
            cut = kind in ("Position", "Long")
            if cut:
                position = self._long_number("Position")
            elif kind == "Tempo":
                self._tempo(bar + position)
            elif kind == "Key":
                self._key(bar + position)
            elif kind == "Part":
                self._part(bar + position)
            else:
                self._refuse(self._at, "nothing like it can follow here")

    def _meter(self, tick: int) -> int:
        meter = Meter(tick=tick, numerator=self._number("Beats"), denominator=self._number("Unit"))
        self._meters.append(meter)
        return max(self._per_quarter * 4 * meter.numerator // meter.denominator, 1)

    def _tempo(self, tick: int) -> None:
        microseconds = round(60e6 / self._number("Tempo"))
        if self._kind() == "Byte":
            microseconds = int.from_bytes([self._number("Byte") for _ in range(3)])
        if not microseconds:
            self._refuse(self._at - 1, "a tempo is never 0")
        self._tempos.append(Tempo(tick=tick, microseconds=microseconds))

    def _key(self, tick: int) -> None:
        _, sharps, name = self._tokens[self._at].split("_")
        self._at += 1
        mode: Literal["major", "minor"] = "minor" if name == "minor" else "major"
        self._keys.append(KeySignature(tick=tick, sharps=int(sharps), mode=mode))

    def _part(self, tick: int) -> None:
        number = self._number("Part")
        if number >= len(self._programs):
            self._refuse(self._at - 1, f"the piece has {len(self._programs)} parts")
        if self._kind() == "Program":
            control = Control(tick=tick, kind=_PROGRAM, data=(self._number("Program"),))
            self._controls[number].append(control)
            return
        pitch, velocity = self._number("Pitch"), self._number("Velocity")
        self._notes[number].append(
            ScoreNote(
                start=tick,
                duration=self._long_number("Duration"),
                pitch=pitch,
                velocity=velocity,
            )
        )

    def _kind(self) -> str:
        """Return what kind of token comes next; empty after the last one."""
        if self._at >= len(self._tokens):
            return ""
        return self._tokens[self._at].partition("_")[0]

    def _number(self, kind: str) -> int:
        """Read a token of one kind, and return its number."""
        if self._kind() != kind:
            self._refuse(self._at, f"a {kind} has to follow here")
        self._at += 1
        return int(self._tokens[self._at - 1].partition("_")[2])

    def _long_number(self, kind: str) -> int:
        more = 0
        while self._kind() == "Long":
            self._at += 1
            more += self._long
        return more + self._number(kind)

    def _refuse(self, at: int, why: str) -> NoReturn:
        token = repr(self._tokens[at]) if at < len(self._tokens) else "the end"
        raise ConfigError(f"token {at} is {token}: {why}")
