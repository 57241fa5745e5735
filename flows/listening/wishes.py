"""From the words of a page to a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from musiccore.errors import ConfigError
from musiccore.takes.choice import Choice
from musiccore.timecode import parse_parts, parse_range, parse_seconds

_CHANGES = ("artist", "genre", "lyrics")
_WHOLE = ("count", "copies", "rendition", "stars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A choice as a page sends it.

    Attributes:
        choice: what is wanted.
        round: number of the round that the page shows.
        seen: number of the last choice that the page shows.
        who: name of the person; may be empty.
        branch: choose although somebody chose otherwise meanwhile.
    """

    choice: Choice
    round: int
    seen: int
    who: str
    branch: bool

    @classmethod
    def parse(cls, body: object) -> Wish:
        """Read what a page sent.

        Raises:
            ConfigError: if it is no choice; the message names the field.
        """
        if not isinstance(body, dict) or not isinstance(body.get("choice"), dict):
            raise ConfigError("choice: nothing was chosen")
        return cls(
            choice=choice_of(body["choice"]),
            round=_whole(body.get("round"), "round"),
            seen=_whole(body.get("seen"), "seen"),
            who=str(body.get("who") or "").strip()[:80],
            branch=body.get("branch") is True,
        )


def choice_of(words: Mapping[str, object]) -> Choice:
    """Return the choice that the words of a page stand for.

    Args:
        words: action, takes, and what was filled in, as it was typed.

    Raises:
        ConfigError: naming the field that is wrong.
    """
    found: dict[str, object] = {"action": words.get("action"), "takes": words.get("takes", ())}
    for name in _WHOLE:
        if name in words:
            found[name] = _whole(words[name], name)
    if "anew" in words:
        found["anew"] = words["anew"] is True
    if "seconds" in words:
        found["seconds"] = parse_seconds(_text(words, "seconds"), "seconds")
    if "range" in words:
        found["start"], found["end"] = parse_range(_text(words, "range"), "range")
    if "splice" in words:
        found["parts"] = parse_parts(_text(words, "splice"), "join")
    for name in ("note", "name"):
        if name in words:
            found["text"] = _text(words, name)
    changes: dict[str, object] = {name: _text(words, name) for name in _CHANGES if name in words}
    if "temperature" in words:
        changes["temperature"] = _temperature(_text(words, "temperature"))
    if changes:
        found["changes"] = changes
    return Choice.parse(found)


def _text(words: Mapping[str, object], name: str) -> str:
    value = words[name]
    if not isinstance(value, str):
        raise ConfigError(f"{name}: it must be a text")
    return value


def _whole(value: object, name: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ConfigError(f"{name} is {text[:40]!r}; it must be a whole number")
    return int(text)


def _temperature(text: str) -> float | tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"temperature is {text[:40]!r}; give one number, or one per level with commas"
        ) from error
    return values[0] if len(values) == 1 else values
