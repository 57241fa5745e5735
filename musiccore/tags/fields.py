"""What tags say, whatever file holds them: fields by one name each, pictures and the like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from musiccore.tags.extras import Chapter, Raw, TimedLyrics
from musiccore.tags.names import WEAK, canonical
from musiccore.tags.pictures import EmbeddedPicture

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

LANGUAGE: Final = "_language"
"""What follows the name of a field in the name of another that says its language."""

_LISTED: Final = frozenset({"artist", "genre"})  # shown as a list; of others, the first value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The tags of one file.

    Attributes:
        fields: name → values; none empty. Comments and lyrics with a description are called
            `comment:…` and `lyrics:…`; `comment_language` and the like are three letters for each
            value of the field.
        provenance: our own JSON object as text, None in files of others.
        pictures: covers and others.
        chapters: of the sound, in order.
        timed: lyrics with times.
        raws: what only formats of one family can hold.
        extras: what there is besides and cannot be kept, in words.
    """

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provenance: str | None = None
    pictures: tuple[EmbeddedPicture, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    timed: tuple[TimedLyrics, ...] = ()
    raws: tuple[Raw, ...] = ()
    extras: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is there to be written."""
        return not (
            self.fields
            or self.provenance is not None
            or self.pictures
            or self.chapters
            or self.timed
            or self.raws
        )

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield shown fields in the order of `SHOWN`, one text each."""
        for name in SHOWN:
            if values := self._shown(name):
                yield name, "; ".join(values) if name in _LISTED else values[0]

    def _shown(self, name: str) -> tuple[str, ...]:
        values = self.fields.get(name, ())
        if not values and name == "licence":
            return self.fields.get("copyright", ())
        if not values and name == "lyrics":
            return next((text for key, text in self.fields.items() if _is_lyrics(key)), ())
        return values

    def others(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what `rows` does not say: other fields, and those of several values."""
        for name, values in self.fields.items():
            if name not in SHOWN or len(values) > 1:
                yield name, values


@dataclass(slots=True)
class FoundFields:
    """Collects what a file says, in the order of the file."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    provenance: str | None = None
    pictures: list[EmbeddedPicture] = field(default_factory=list)
    chapters: list[Chapter] = field(default_factory=list)
    timed: list[TimedLyrics] = field(default_factory=list)
    raws: list[Raw] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)  # without case → as first written
    _weak: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str | None, text: str) -> None:
        """Take in a value of a field of ours, or the provenance; None is no field at all."""
        text = text.rstrip("\0")
        if name == PROVENANCE:
            self.provenance = self.provenance or text or None
        elif name is not None and text.strip():
            values = self.fields.setdefault(self._name(name), [])
            if (text not in values or _is_language(name)) and len(values) < MOST_FIELDS:
                values.append(text)

    def add_free(self, name: str, text: str) -> None:
        """Take in a field by the name that the file gives it."""
        if name.strip().upper() == PROVENANCE:
            self.add(PROVENANCE, text)
        elif name.strip().upper() in WEAK:
            self._weak.append((name.strip(), text.rstrip("\0")))
        elif _is_language(name.casefold()):
            self.add(canonical(name[: -len(LANGUAGE)]) + LANGUAGE, text)
        else:
            self.add(canonical(name), text)

    def add_words(self, name: str, language: str, description: str, text: str) -> None:
        """Take in a comment or lyrics that may have a language and a description."""
        if not text.strip("\0").strip():
            return
        whole = self._name(f"{name}:{description}" if description else name)
        known = self.fields.get(whole, [])
        if text in known:
            return
        self.add(whole, text)
        tongues = self.fields.setdefault(self._name(whole + LANGUAGE), [])
        tongues += ["und"] * (len(known) - len(tongues))
        letters = language.casefold()
        tongues.append(letters if len(letters) == 3 and letters.isalpha() else "und")

    def _name(self, name: str) -> str:
        if len(self._names) >= MOST_FIELDS and name.casefold() not in self._names:
            self.extra(f"more than {MOST_FIELDS} fields")
            return next(iter(self._names.values()))
        return self._names.setdefault(name.casefold(), name)

    def extra(self, words: str) -> None:
        """Remember something that cannot be kept."""
        if words not in self.extras:
            self.extras.append(words)

    def fill(self, other: Tags) -> None:
        """Take in what another place of the same file says, where nothing is known yet."""
        known = {name: set(values) for name, values in self.fields.items()}
        same = known.get("licence", set()) | known.get("copyright", set())
        for name, values in other.fields.items():
            if name in ("licence", "copyright") and same & set(values):
                continue  # a format with one place for both
            if self._names.get(name.casefold(), name) not in known:
                self.fields[self._name(name)] = list(values)
        self.provenance = self.provenance or other.provenance
        self.pictures = self.pictures or list(other.pictures)
        self.chapters = self.chapters or list(other.chapters)
        self.timed = self.timed or list(other.timed)
        self.raws += other.raws
        for words in other.extras:
            self.extra(words)

    def tags(self) -> Tags:
        """Return what was found."""
        for name, text in self._weak:
            strong = WEAK[name.upper()]
            values = self.fields.get(strong, [])
            if not values:
                self.add(strong, text)
            elif not any(value.startswith(text) for value in values):
                self.add(name.casefold(), text)
        self._weak = []
        if self.fields.get("copyright") == self.fields.get("licence"):
            self.fields.pop("copyright", None)  # written twice for those who look for either
        fields = {
            name: tuple(values)
            for name, values in self.fields.items()
            if values and not (name.endswith(LANGUAGE) and set(values) == {"und"})
        }
        return Tags(
            fields=fields, provenance=self.provenance, pictures=tuple(self.pictures),
            chapters=tuple(self.chapters), timed=tuple(self.timed), raws=tuple(self.raws),
            extras=tuple(self.extras),
        )  # fmt: skip


def _is_language(name: str) -> bool:
    """Whether a field says the languages of another: one for each value, equal or not."""
    return name.endswith(LANGUAGE) and name.startswith(("comment", "lyrics"))


def _is_lyrics(name: str) -> bool:
    return name.startswith("lyrics:") and not name.endswith(LANGUAGE)


def numbered(fields: Mapping[str, tuple[str, ...]], name: str) -> str:
    """Return a number of a track or disc with its total, as `3/12`; empty if there is none."""
    number = next(iter(fields.get(name, ())), "")
    total = next(iter(fields.get(f"{name}_total", ())), "")
    if not total or "/" in number or not total.isdecimal():
        return number
    return f"{number or 0}/{total}"


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
