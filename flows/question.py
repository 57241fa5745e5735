"""The short form of a suspended run: what happens next, with which take.

It has few fields on purpose: the older Prefect UI shows the description, with its players, only as
tall as the fields below leave room for. What else there is to say goes into one line of details.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, create_model

from flows.forms import Act
from musiccore.errors import ConfigError
from musiccore.request.request import MAX_LYRICS
from musiccore.takes.choice import Choice
from musiccore.timecode import parse_parts, parse_range, parse_seconds

if TYPE_CHECKING:
    from prefect.input import RunInput

RECORDED: Final = "recorded"
"""Details of an answer that only wakes the run: the choice is in the store already."""

_NUMBERS: Final = {"count": int, "copies": int, "stars": int, "temperature": float}
_CHANGES: Final = ("artist", "genre", "temperature")
_DETAILS = (
    "continue: 4s. audition, cut, redo: 0:04-0:09. splice: 3@0:00-0:04+5@0:04-0:09. rename, note: "
    "the text. keep, drop, upsample: further takes, anew. Also count=3, copies=2, stars=4, "
    "artist=…, genre=…, temperature=0.95."
)


def selection_form(takes: tuple[int, ...]) -> type[RunInput]:
    """Return the form that a suspended run asks a person to fill in.

    Args:
        takes: numbers of the takes to choose from.

    Returns:
        A form whose `action` and `take` have no default: nobody resumes into a choice by accident.
    """
    from prefect.input import RunInput

    names = tuple(f"take {number}" for number in takes)
    form: type[RunInput] = create_model(
        "Selection",
        __base__=RunInput,
        action=(Act, Field(title="Action", description="What happens next.")),
        take=(  # type: ignore[arg-type]  # its words are known at run time only
            Literal[names],
            Field(title="Take", description="The one it is about.", json_schema_extra=_list(names)),
        ),
        details=(str, Field("", title="Details", description=_DETAILS, max_length=2000)),
        lyrics=(
            str,
            Field(
                "",
                title="Lyrics",
                description="For what follows. Empty: as before.",
                max_length=MAX_LYRICS,
            ),
        ),
    )
    return form


def answered(answer: RunInput) -> Choice | None:
    """Return the choice of a filled-in form; None if it only wakes the run.

    Raises:
        ConfigError: for a value that does not fit; the message names the field.
    """
    filled = answer.model_dump()
    action, details = str(filled["action"]), str(filled["details"]).strip()
    if details == RECORDED:
        return None
    take = int(str(filled["take"]).removeprefix("take "))
    plain, named = _parts(details)
    data: dict[str, object] = {"action": action}
    if action not in ("again", "back", "splice"):
        data["takes"] = [take]
    data.update(_meant(action, plain, take))
    changes: dict[str, object] = {name: named.pop(name) for name in _CHANGES if name in named}
    if filled["lyrics"]:
        changes["lyrics"] = filled["lyrics"]
    if changes:
        data["changes"] = changes
    return Choice.parse({**data, **named})


def _parts(details: str) -> tuple[str, dict[str, object]]:
    """Return the plain words of details, and those of the form name=value."""
    try:
        words = shlex.split(details)
    except ValueError as error:
        raise ConfigError(f"details is {details[:60]!r}: {error}", hint=_DETAILS) from error
    plain, named = [], dict[str, object]()
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in {*_NUMBERS, *_CHANGES}:
            try:
                named[name] = _NUMBERS.get(name, str)(value)
            except ValueError as error:
                raise ConfigError(f"details: {name} is {value[:60]!r}, not a number") from error
        else:
            plain.append(word)
    return " ".join(plain), named


def _meant(action: str, plain: str, take: int) -> dict[str, object]:
    """Return what the plain words mean for an action."""
    if action == "continue":
        return {"seconds": parse_seconds(plain or "4s", "details")}
    if action in ("audition", "cut", "redo"):
        start, end = parse_range(plain or ("0:00-0:06" if action == "audition" else ""), "details")
        return {"start": start, "end": end}
    if action == "splice":
        return {"parts": parse_parts(plain, "details")}
    if action in ("rename", "note"):
        return {"text": plain} if plain else {}
    if action in ("keep", "drop", "upsample"):
        words = plain.replace(",", " ").split()
        anew = action == "upsample" and "anew" in words
        numbers = [word for word in words if not (anew and word == "anew")]
        if not all(number.isdecimal() for number in numbers):
            raise ConfigError(f"details is {plain[:60]!r}", hint="write further takes as 2, 3")
        takes = list(dict.fromkeys([take, *map(int, numbers)]))
        return {"takes": takes, "anew": True} if anew else {"takes": takes}
    if plain:
        raise ConfigError(f"details is {plain[:60]!r}; {action} needs none")
    return {}


def _list(names: tuple[str, ...]) -> Callable[[dict[str, Any]], None]:
    """Return what shows names as a list to choose from, even a single one."""

    def show(schema: dict[str, Any]) -> None:
        schema.pop("const", None)
        schema["enum"] = list(names)

    return show
