"""What can be asked of the composer. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from musiccore.errors import ConfigError
from musiccore.scores.key import Mode, parse_key
from musiccore.scores.score import Score

Instruments = Literal["choir", "strings", "organ", "piano"]

PROGRAMS: dict[str, tuple[int, ...]] = {
    "choir": (52, 52, 52, 52),
    "strings": (40, 40, 41, 42),
    "organ": (19, 19, 19, 19),
    "piano": (0, 0, 0, 0),
}
"""General MIDI instruments of the voices, highest first."""

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
BEATS = 4
DEFAULT_TEMPO = 84.0

MAX_SECONDS = 600.0
MAX_BARS = 256
MAX_SEED = (1 << 32) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeOptions:
    """One piece.

    Attributes:
        seed: same seed, same piece.
        seconds: wanted length; it ends with a cadence within two bars of it, or within a quarter of
            the length if that is less.
        bars: wanted length in bars instead, as near.
        key: such as `A` or `Bb major`; empty lets the seed choose.
        mode: `major` or `minor`; None lets the seed or the key choose.
        tempo: quarter notes a minute; None is near 84, so that `seconds` are met.
        temperature: 1 draws as the chorales are; less is safer, more is bolder.
        top_p: only the likeliest notes up to this share are drawn.
        parallels: allow parallel fifths and octaves.
        instruments: who plays.
        continued: a score that the piece begins with.
        harmonised: a score whose highest voice is kept, and given three others.
        model: folder of a trained model; None for the chorale model of the package.
        title: of the piece.
    """

    seed: int = 0
    seconds: float | None = None
    bars: int | None = None
    key: str = ""
    mode: Mode | None = None
    tempo: float | None = None
    temperature: float = 0.95
    top_p: float = 0.98
    parallels: bool = False
    instruments: Instruments = "choir"
    continued: Score | None = None
    harmonised: Score | None = None
    model: Path | None = None
    title: str = ""

    def __post_init__(self) -> None:
        _within("seed", self.seed, 0, MAX_SEED)
        _within("seconds", self.seconds, 3, MAX_SECONDS)
        _within("bars", self.bars, 1, MAX_BARS)
        _within("tempo", self.tempo, 30, 240)
        _within("temperature", self.temperature, 0.1, 2)
        _within("top_p", self.top_p, 0.1, 1)
        if self.seconds is not None and self.bars is not None:
            raise ConfigError("seconds: bars are given as well", hint="leave out one of them")
        n_bars = (self.seconds or 0) * (self.tempo or DEFAULT_TEMPO) / 60 / BEATS
        if n_bars > MAX_BARS:
            raise ConfigError(
                f"seconds: {self.seconds:g} s at tempo {self.tempo:g} are {n_bars:.0f} bars",
                hint=f"ask for at most {MAX_BARS} bars",
            )
        if self.instruments not in PROGRAMS:
            raise ConfigError(
                f"instruments: {self.instruments!r} is unknown",
                hint=f"use one of {', '.join(PROGRAMS)}",
            )
        if self.mode not in (None, "major", "minor"):
            raise ConfigError(f"mode: {self.mode!r} is unknown", hint="use major or minor")
        if self.continued is not None and self.harmonised is not None:
            raise ConfigError(
                "harmonise: a score to continue is given as well", hint="leave out one of them"
            )
        if self.harmonised is not None and (self.seconds is not None or self.bars is not None):
            raise ConfigError(
                "harmonise: the melody says how long the piece is",
                hint="leave out seconds and bars",
            )
        parse_key(self.key, self.mode)


def _within(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:  # a NaN is outside, too
        raise ConfigError(f"{name}: it is {value}, want {low} to {high}")
