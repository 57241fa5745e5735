"""What a model is given of lyrics that it cannot sing as they are written."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from musiccore.models.config import LabelRules
from musiccore.models.lyrics import clean_lyrics, describe

_LISTED: Final = 12  # characters in a sentence
_LINES: Final = 6
_WIDTH: Final = 72  # characters of a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Sung:
    """How the words that a model is given differ from those that were written.

    Attributes:
        replaced: character as written → what stands for it.
        dropped: characters for which nothing stands.
        lines: number from 1, and how the model is given it, of each line that differs.
    """

    replaced: dict[str, str]
    dropped: tuple[str, ...]
    lines: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, lyrics: str, rules: LabelRules) -> Sung | None:
        """Return what becomes of lyrics; None if they are sung as they are.

        An accent belongs to its letter. Characters without a shape of their own (joiners, variation
        selectors, the carriage return of a line end) are not worth a word where they vanish.
        """
        replaced: dict[str, str] = {}
        dropped: dict[str, None] = {}
        changed: list[tuple[int, str]] = []
        for number, line in enumerate(lyrics.replace("\r\n", "\n").split("\n"), start=1):
            before = len(changed)
            for character in unicodedata.normalize("NFC", line):
                given = clean_lyrics(character, rules)
                if given == character or (not given and _unheard(character)):
                    continue
                if given:
                    replaced[character] = given
                else:
                    dropped[character] = None
                if len(changed) == before:
                    changed.append((number, clean_lyrics(line, rules)))
        if not changed:
            return None
        return cls(replaced=replaced, dropped=tuple(dropped), lines=tuple(changed))

    def sentences(self) -> list[str]:
        """Return it in lines for a person; the words are as the model is given them."""
        parts = []
        if self.replaced:
            pairs = [f"{_written(a)} by {_shown(b)}" for a, b in self.replaced.items()]
            parts.append(f"replaced {_listed(pairs)}")
        if self.dropped:
            parts.append(f"dropped {_listed([_written(each) for each in self.dropped])}")
        found = [f"lyrics: some letters are none that the model sings: {'; '.join(parts)}"]
        for number, given in self.lines[:_LINES]:
            words = " / ".join(given.split("\n")).strip()
            words = words if len(words) <= _WIDTH else f"{words[:_WIDTH]}..."
            found.append(f"lyrics: line {number} is sung as: {words or '(nothing)'}")
        if len(self.lines) > _LINES:
            found.append(f"lyrics: {len(self.lines) - _LINES} more lines differ")
        return found

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "replaced": dict(self.replaced),
            "dropped": list(self.dropped),
            "lines": [{"line": number, "given": given} for number, given in self.lines],
        }

    @classmethod
    def from_json(cls, value: object) -> Sung | None:
        """Read the JSON form; None if it is none."""
        try:
            assert isinstance(value, dict)
            return cls(
                replaced={str(a): str(b) for a, b in value["replaced"].items()},
                dropped=tuple(str(each) for each in value["dropped"]),
                lines=tuple((int(one["line"]), str(one["given"])) for one in value["lines"]),
            )
        except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
            return None


def _unheard(character: str) -> bool:
    selector = 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
    return selector or unicodedata.category(character) == "Cf"


def _written(character: str) -> str:
    alone = unicodedata.category(character).startswith("M")  # a mark without its letter
    return f"U+{ord(character):04X}" if alone else describe(character)


def _shown(given: str) -> str:
    names = {" ": "a space", "\n": "a new line", "\t": "a tab"}
    return names.get(given, f"{given!r}")


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(words[:_LISTED]) + more
