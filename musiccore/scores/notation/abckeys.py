"""Keys of ABC: which letters are sharp or flat.

Specification: "The ABC music standard 2.1", section 3.1.14.
"""

from __future__ import annotations

import re
from typing import Final

SIGNS: Final = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
"""Accidental → semitones."""

_ORDER: Final = "FCGDAEB"
_MAJOR: Final = {letter: n - 1 for n, letter in enumerate(_ORDER)}  # sharps of its major key
_MODES: Final = {
    "maj": 0, "ion": 0, "m": -3, "min": -3, "aeo": -3, "mix": -1, "dor": -2, "phr": -4, "lyd": 1,
    "loc": -5,
}  # fmt: skip
_KEY: Final = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_OWN: Final = re.compile(r"(?<![A-Za-z=])(\^\^|\^|__|_|=)([a-gA-G])(?![A-Za-z=])")


def accidentals_of(key: str, *, only_name: bool = False) -> dict[str, int]:
    """Return what a key does to the letters of notes, by letter; those it leaves alone are absent.

    Args:
        key: the content of a K: field, such as `Bb`, `D mix`, `Am`, `HP` or `D exp ^f _b`.
        only_name: pass over accidentals that the field lists beside the name.
    """
    word = key.strip()
    if word[:2].upper() == "HP":
        return {"F": 1, "C": 1}
    found = _KEY.match(word)
    marks = {} if found is None or ("exp" in word.split() and not only_name) else _named(found)
    if not only_name:
        marks |= {letter.upper(): SIGNS[sign] for sign, letter in _OWN.findall(word)}
    return marks


def _named(found: re.Match[str]) -> dict[str, int]:
    mode = found[3].lower()
    step = _MODES.get(mode[:3], _MODES.get(mode, 0) if mode == "m" else 0)
    sharps = _MAJOR[found[1]] + {"#": 7, "b": -7, "": 0}[found[2]] + step
    if sharps >= 0:
        return dict.fromkeys(_ORDER[: min(sharps, 7)], 1)
    return dict.fromkeys(_ORDER[::-1][: min(-sharps, 7)], -1)
