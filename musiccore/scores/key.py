"""Keys: a tonic and a mode, as people write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from musiccore.errors import ConfigError

Mode = Literal["major", "minor"]

_TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS = {"major": 0, "minor": -3}
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A tonic and a mode.

    Attributes:
        tonic: pitch class, 0 (C) to 11 (B).
        mode: `major` or `minor`.
        name: of the tonic, as asked or as usual.
    """

    tonic: int
    mode: Mode
    name: str

    @property
    def sharps(self) -> int:
        """Sharps (positive) or flats of its signature: -6 to 6, -7 and 7 if the name says so."""
        fifths = (self.tonic * 7 + 5) % 12 - 5 + _SHARPS[self.mode]
        while fifths < -6 or (self.name[1:] == "#" and fifths < -5):
            fifths += 12
        while fifths > 6 or (self.name[1:] == "b" and fifths > 5):
            fifths -= 12
        return fifths

    def __str__(self) -> str:
        return f"{self.name} {self.mode}"


def key_named(tonic: int, mode: Mode) -> Key:
    """Return a key by its tonic's pitch class."""
    return Key(tonic=tonic, mode=mode, name=_NAMES[tonic])


def parse_key(text: str, mode: Mode | None = None) -> tuple[int | None, Mode | None, str]:
    """Read a key such as `A`, `Bb major`, `f# minor`; empty is no wish.

    Returns:
        Tonic or None, mode or None, and the name of the tonic.

    Raises:
        ConfigError: if it is no key, or says another mode than `mode`.
    """
    words = text.replace("♯", "#").replace("♭", "b").replace("-", "b").split()
    if not words:
        return None, mode, ""
    name = words[0][0].upper() + words[0][1:]
    said = words[1].lower() if len(words) == 2 else None
    tonic = _TONICS.get(name[0])
    if tonic is None or name[1:] not in ("", "#", "b") or said not in (None, "major", "minor"):
        raise ConfigError(f"key: {text!r} is no key", hint="say such as `A minor` or `Bb major`")
    if said and mode and said != mode:
        raise ConfigError(f"key: {text!r} is not {mode}", hint="leave out one of key and mode")
    found: Mode | None = "major" if said == "major" else "minor" if said == "minor" else mode
    return (tonic + {"": 0, "#": 1, "b": -1}[name[1:]]) % 12, found, name
