"""How fast one machine is with one model, as it was measured; JSON in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Self

from musiccore.errors import Corrupt

_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSpeed:
    """The speed of one level.

    Attributes:
        level: 0 is the bottom.
        step_seconds: one step of one row.
        row_seconds: what one more row adds to a step.
        start_seconds: start of a window without known codes, per row.
        prime_seconds: one known code at the start of a window, per row.
        decode_seconds: one code to audio.
        spread: what the time of a level may differ by, as a part of it.
    """

    level: int
    step_seconds: float
    row_seconds: float
    start_seconds: float
    prime_seconds: float
    decode_seconds: float
    spread: float

    def __post_init__(self) -> None:
        if not (self.step_seconds > 0 and self.spread >= 0):
            raise Corrupt(f"the measured speed of level {self.level} is no speed")

    def step(self, rows: int) -> float:
        """Return the seconds of one step."""
        return self.step_seconds + self.row_seconds * (rows - 1)

    def start(self, rows: int, known: int) -> float:
        """Return the seconds until the first step of a window."""
        return rows * (self.start_seconds + known * self.prime_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """The speed of a machine with a model.

    Attributes:
        model: name of the model.
        machine: device, number type and program, in words.
        measured: wall clock, ISO 8601.
        levels: those that were measured, in any order.
    """

    model: str
    machine: str
    measured: str
    levels: tuple[LevelSpeed, ...]

    def level(self, level: int) -> LevelSpeed | None:
        """Return the speed of a level, None if it was not measured."""
        return next((speed for speed in self.levels if speed.level == level), None)

    def to_bytes(self) -> bytes:
        """Return the JSON bytes."""
        return json.dumps({"schema": _SCHEMA, **asdict(self)}, indent=1).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the JSON bytes.

        Raises:
            Corrupt: if they are not what `to_bytes` wrote.
        """
        try:
            body = json.loads(data)
            if body.pop("schema") != _SCHEMA:
                raise ValueError("another version wrote them")
            levels = tuple(LevelSpeed(**item) for item in body.pop("levels"))
            return cls(levels=levels, **body)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Corrupt(f"the measured speeds cannot be read: {error}") from error


def spread_of(parts: Sequence[float]) -> float:
    """Return what a time may differ by, from how parts of a measurement differ; at least 15 %."""
    mean = sum(parts) / len(parts)
    variance = sum((part - mean) ** 2 for part in parts) / len(parts)
    return min(1.0, max(0.15, 2 * sqrt(variance) / mean))
