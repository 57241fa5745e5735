"""What tags say, whatever file holds them: shown fields by one name each, and the provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

SHOWN: Final = (
    "title",
    "artist",
    "album",
    "date",
    "genre",
    "track",
    "comment",
    "licence",
    "software",
    "lyrics",
)
"""Fields that other players show; text."""

PROVENANCE: Final = "JUKEFLOW_PROVENANCE"
"""What our own field is called in every format that names its fields freely."""

LIMIT: Final = 1 << 24
"""Bytes of tags that are read or written: the size of a FLAC block."""

MOST_FIELDS: Final = 5000
"""Fields that are looked at: a tag of nothing but empty ones must not take seconds."""

_LISTED: Final = frozenset({"artist", "genre"})  # several values are one list; of others, the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The tags of one file.

    Attributes:
        shown: text by a name of `SHOWN`; nothing empty.
        provenance: our own JSON object as text, None in files of others.
        extras: what there is besides and cannot be kept, in words.
    """

    shown: Mapping[str, str]
    provenance: str | None = None
    extras: tuple[str, ...] = ()

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield shown fields in the order of `SHOWN`."""
        for name in SHOWN:
            if text := self.shown.get(name):
                yield name, text


@dataclass(slots=True)
class Found:
    """Collects what a file says, in the order of the file."""

    shown: dict[str, str] = field(default_factory=dict)
    provenance: str | None = None
    extras: list[str] = field(default_factory=list)

    def add(self, name: str | None, text: str) -> None:
        """Take in a shown field, or the provenance; None is no field of ours."""
        text = text.rstrip("\0")
        if name == PROVENANCE:
            self.provenance = self.provenance or text or None
        elif name is None or not text.strip():
            return
        elif name not in self.shown:
            self.shown[name] = text
        elif name in _LISTED and text not in self.shown[name].split("; "):
            self.shown[name] = f"{self.shown[name]}; {text}"

    def extra(self, words: str) -> None:
        """Remember something that cannot be kept."""
        if words not in self.extras:
            self.extras.append(words)

    def fill(self, other: Tags) -> None:
        """Take in what another place of the same file says, where nothing is known yet."""
        for name, text in other.shown.items():
            self.shown.setdefault(name, text)
        self.provenance = self.provenance or other.provenance
        for words in other.extras:
            self.extra(words)

    def tags(self) -> Tags:
        """Return what was found."""
        return Tags(shown=self.shown, provenance=self.provenance, extras=tuple(self.extras))


def to_json(value: Mapping[str, object]) -> str:
    """Return canonical JSON: no reader's guess about encodings and no odd character can harm it.

    Raises:
        TypeError, ValueError: if it is none.
    """
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_json(text: str) -> dict[str, object]:
    """Return the provenance in its text.

    Raises:
        ValueError: if it is no JSON object.
    """
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("provenance is no object")
    return value


def plain(text: str) -> str:
    """Return text that every format can hold: no NUL, no lone surrogate."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def cut(text: str, limit: int) -> bytes:
    """Return text in UTF-8, at most `limit` bytes, ending with a whole character."""
    return text.encode()[:limit].decode(errors="ignore").encode()


def repaired(raw: bytes) -> str:
    """Return text that claims to be Latin-1 and often is UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
