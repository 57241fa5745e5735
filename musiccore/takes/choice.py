"""What people decide, as data: a choice, its words, and the choice as the store holds it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from musiccore.errors import ConfigError, Corrupt
from musiccore.journal.records import Event
from musiccore.request.request import MAX_SECONDS, MAX_TAKES, Temperatures
from musiccore.storage.sealed import canonical_json
from musiccore.timecode import clock

Action = Literal[
    "keep",
    "drop",
    "continue",
    "more",
    "again",
    "back",
    "cut",
    "splice",
    "audition",
    "upsample",
    "redo",
    "change",
    "rename",
    "note",
    "lost",
]
Maker = Literal["command", "form", "room", "policy"]

DECISIONS: Final = frozenset({"continue", "more", "again", "back", "upsample"})
"""Actions that answer a round: what happens next."""

WORK: Final = frozenset(
    {"continue", "more", "again", "cut", "splice", "audition", "upsample", "redo"}
)
"""Actions that a worker has to carry out."""

LOST: Final = "lost"
"""Stands for a choice that was made and cannot be read any more; nobody can choose it."""

_ONE_TAKE: Final = frozenset({"continue", "more", "cut", "audition", "redo", "rename"})
_TAKES: Final = frozenset({"keep", "drop", "upsample", "change", "note"}) | _ONE_TAKE
_RANGES: Final = frozenset({"cut", "audition", "redo"})
_MAX_LYRICS_BYTES: Final = 40 * 1024  # with all the rest they fit one record
_MAX_CHOSEN: Final = 1000
_MAX_PARTS: Final = 200
_SHOWN: Final = 5  # wrong fields that one message names

Number = Annotated[int, Field(ge=1, le=1_000_000)]
NumberOrNone = Annotated[int, Field(ge=0, le=1_000_000)]
Position = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def check_printable(value: str | None, allowed: str = "") -> str | None:
    """Return a text that people may see.

    Args:
        value: the text; None is returned as it is.
        allowed: control characters that it may hold.

    Raises:
        ValueError: if it holds control or invisible characters.
    """
    if value is not None and any(
        unicodedata.category(c).startswith("C") and c not in allowed for c in value
    ):
        raise ValueError("it must not hold control or invisible characters")
    return value


class SplicePart(_Frozen):
    """A stretch of a take, in seconds of its audio."""

    take: Number
    start: Position
    end: Position


class Changes(_Frozen):
    """Conditioning and sampling for what follows; None keeps what the take has."""

    artist: str | None = Field(default=None, max_length=200)
    genre: str | None = Field(default=None, max_length=200)
    lyrics: str | None = Field(default=None, max_length=50_000)
    temperature: Temperatures | None = None
    top_k: int | None = Field(default=None, ge=0, le=1_000_000)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    total_seconds: float | None = Field(default=None, gt=0, le=MAX_SECONDS, allow_inf_nan=False)

    @field_validator("artist", "genre")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        return check_printable(value)

    @field_validator("lyrics")
    @classmethod
    def _storable(cls, value: str | None) -> str | None:
        text = value or ""
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\r\t" for c in text):
            raise ValueError("it must not hold control characters")
        size = len(canonical_json(text))
        if size > _MAX_LYRICS_BYTES:
            raise ValueError(f"it has {size} bytes in a record, the limit is {_MAX_LYRICS_BYTES}")
        return value

    def given(self) -> dict[str, object]:
        """Return the fields that change something."""
        return self.model_dump(mode="json", exclude_none=True)


class Choice(_Frozen):
    """One thing that a person (or a policy) wants.

    Attributes:
        action: what to do.
        takes: numbers of the takes it is about.
        seconds: `continue`: how much to add.
        count: `continue`, `more`, `again`: how many new takes.
        start, end: `cut`, `audition`, `redo`: a stretch in seconds.
        parts: `splice`: stretches in order.
        copies: `upsample`: how many different upsamplings of each take there should be.
        keeps: `upsample`: for each take the number of the song whose codes it keeps as far as both
            begin alike, 0 for none; empty keeps nothing.
        anew: `upsample`: sample all of it, although a song that it goes on from is there.
        rendition: `redo`: number of the finished song.
        changes: conditioning and sampling for what follows.
        text: `rename`: the name; `note`: the note.
        stars: `note`: 0 to 5.
    """

    action: Action
    takes: Annotated[tuple[Number, ...], Field(max_length=_MAX_CHOSEN)] = ()
    seconds: Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)] | None = None
    count: Annotated[int, Field(ge=1, le=MAX_TAKES)] | None = None
    start: Position | None = None
    end: Position | None = None
    parts: Annotated[tuple[SplicePart, ...], Field(max_length=_MAX_PARTS)] = ()
    copies: Annotated[int, Field(ge=1, le=MAX_TAKES)] = 1
    keeps: Annotated[tuple[NumberOrNone, ...], Field(max_length=_MAX_CHOSEN)] = ()
    anew: bool = False
    rendition: Number | None = None
    changes: Changes = Field(default_factory=Changes)
    text: str | None = Field(default=None, max_length=2000)
    stars: Annotated[int, Field(ge=0, le=5)] | None = None

    @field_validator("text")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        return check_printable(value, allowed="\n")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        action = self.action
        if action in _TAKES and not self.takes and not (action == "redo" and self.rendition):
            raise ValueError(f"{action} needs a take")
        if action in _ONE_TAKE and len(self.takes) > 1:
            raise ValueError(f"{action} takes one take at a time, not {len(self.takes)}")
        if len(set(self.takes)) < len(self.takes):
            raise ValueError("a take is given twice")
        if action == "continue" and self.seconds is None:
            raise ValueError("continue needs seconds")
        if action in _RANGES and (self.start is None or self.end is None):
            raise ValueError(f"{action} needs a start and an end")
        spans = [(self.start, self.end), *((part.start, part.end) for part in self.parts)]
        for start, end in spans:
            if start is not None and end is not None and start >= end:
                raise ValueError(f"a range starts at {start} s and ends at {end} s")
        if (action == "splice") != bool(self.parts):
            raise ValueError("splice needs parts, and nothing else has them")
        if (self.keeps or self.anew) and action != "upsample":
            raise ValueError(f"{action} keeps no song; only upsample does")
        if self.keeps and (self.anew or len(self.keeps) != len(self.takes)):
            raise ValueError("keeps needs one song for each take, and does not go with anew")
        if action == "change" and not self.changes.given():
            raise ValueError("change needs something to change")
        if action == "rename" and not (self.text or "").strip():
            raise ValueError("rename needs a name")
        if action == "note" and self.text is None and self.stars is None:
            raise ValueError("note needs a text or stars")
        return self

    @classmethod
    def parse(cls, data: Mapping[str, object]) -> Choice:
        """Return the choice in a mapping.

        Raises:
            ConfigError: naming every field that is wrong, in one line.
        """
        if data.get("action") == LOST:
            raise ConfigError(
                "action: 'lost' is none", hint="`jukeflow choose --help` lists what can be chosen"
            )
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            wrong = [_sentence(item["loc"], item["msg"]) for item in error.errors()[:_SHOWN]]
            raise ConfigError(
                "; ".join(dict.fromkeys(wrong)),
                hint="{options choose} lists what can be chosen",
            ) from error

    def as_said(self) -> Choice:
        """Return the choice without what follows from the time at which it was made."""
        return self.model_copy(update={"keeps": ()})

    def about(self, takes: Collection[int]) -> Choice:
        """Return the choice about some of its takes alone."""
        there = [index for index, take in enumerate(self.takes) if take in takes]
        update = {
            "takes": tuple(self.takes[index] for index in there),
            "keeps": tuple(self.keeps[index] for index in there) if self.keeps else (),
        }
        return self.model_copy(update=update)

    def in_words(self) -> str:
        """Return the choice as a person would say it."""
        takes = ", ".join(map(str, self.takes))
        which = f"take{'s' * (len(self.takes) > 1)} {takes}" if takes else ""
        span = f" from {_clock(self.start)} to {_clock(self.end)}"
        words = {
            "continue": f"continue {which} by {self.seconds:g} s" if self.seconds else "",
            "more": f"more like {which}",
            "again": "try again",
            "back": "step back",
            "cut": f"cut {which}{span}",
            "splice": "join "
            + " + ".join(f"take {p.take} {_clock(p.start)}-{_clock(p.end)}" for p in self.parts),
            "audition": f"audition {which}{span}",
            "upsample": f"send {which} to upsampling"
            + (f", {self.copies} versions" if self.copies > 1 else "")
            + (", all of it anew" if self.anew else ""),
            "redo": f"redo {which or f'song {self.rendition}'}{span}",
            "change": f"change what follows {which}",
            "rename": f"call {which} {self.text!r}",
            "note": f"note on {which}",
            LOST: "a choice that is lost",
        }
        return words.get(self.action, f"{self.action} {which}")


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in place if part not in ("number", "levels"))
    name = ascii(name)[1:-1][:80]  # it may be anything that somebody sent
    text = message.removeprefix("Value error, ")
    return f"{name}: {text}" if name else text


def _clock(seconds: float | None) -> str:
    return "?" if seconds is None else clock(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeChoice:
    """A choice as the store holds it.

    Attributes:
        seq: its number, from 1.
        at: wall clock of its maker, ISO 8601; information only.
        by: where it was made.
        who: name that a person gave; may be empty.
        round: number of the round it answers.
        seen: number of the last choice that its maker knew of.
        choice: what was chosen.
    """

    seq: int
    at: str
    by: str
    who: str
    round: int
    seen: int
    choice: Choice

    @classmethod
    def of(cls, event: Event) -> MadeChoice:
        """Read a record.

        Raises:
            Corrupt: if a field is missing or wrong.
        """
        fields = event.fields
        by, who, number, seen = (fields.get(name) for name in ("by", "who", "round", "seen"))
        if (
            event.type != "choice"
            or not isinstance(by, str)
            or not isinstance(who, str)
            or type(number) is not int
            or type(seen) is not int
        ):
            raise Corrupt(f"choice {event.seq} is damaged: a field is missing")
        try:
            choice = Choice.model_validate(fields.get("choice"))
        except ValidationError as error:
            raise Corrupt(f"choice {event.seq} is damaged: {error.error_count()} fields") from error
        return cls(
            seq=event.seq, at=event.at, by=by, who=who, round=number, seen=seen, choice=choice
        )

    @classmethod
    def lost(cls, seq: int) -> MadeChoice:
        """Return what stands in the place of a choice that cannot be read."""
        nothing = Choice(action="lost")
        return cls(seq=seq, at="", by="", who="", round=0, seen=0, choice=nothing)

    def in_words(self) -> str:
        """Return who chose what, and where."""
        if self.choice.action == LOST:
            return self.choice.in_words()
        maker = self.who or {"room": "the listening room", "form": "a Prefect form"}.get(
            self.by, self.by
        )
        return f"{self.choice.in_words()} (by {maker}, {self.at})"
