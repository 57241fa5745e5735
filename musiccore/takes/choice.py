"""What people decide: a log of choices that needs no worker, no server and no claim.

A choice is one create-only, numbered, hash-chained record under `choices/`, beside the log of the
workers. So a person can choose while a worker is busy, from a page, a form or a command line, and a
choice that was acknowledged can be read back by anyone, days later.

Everyone who chooses says which was the last choice they had seen. Two choices that contradict each
other, made by people who did not know of each other, are never merged: the second is refused and
says who was first. Somebody who knows the first may still choose otherwise; that is a branch.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from musiccore.errors import ConfigError, Corrupt, MusicCoreError
from musiccore.journal.chain import Chain, in_words
from musiccore.journal.records import Event
from musiccore.request.request import MAX_SECONDS, MAX_TAKES, Temperatures
from musiccore.storage.sealed import Json, canonical_json, sha256
from musiccore.storage.store import Store
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

_MARKS: Final = frozenset({"keep", "drop"})
_ONE_TAKE: Final = frozenset({"continue", "more", "cut", "audition", "redo", "rename"})
_TAKES: Final = frozenset({"keep", "drop", "upsample", "change", "note"}) | _ONE_TAKE
_RANGES: Final = frozenset({"cut", "audition", "redo"})
_FOLDER: Final = "choices"
_TRIES: Final = 20
_MAX_LYRICS_BYTES: Final = 40 * 1024  # with all the rest they fit one record
_MAX_CHOSEN: Final = 1000
_MAX_PARTS: Final = 200
_MAX_WHO: Final = 80
_SHOWN: Final = 5  # wrong fields that one message names

Number = Annotated[int, Field(ge=1, le=1_000_000)]
NumberOrNone = Annotated[int, Field(ge=0, le=1_000_000)]
Position = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class Conflict(MusicCoreError):
    """A choice contradicts another one that its maker had not seen.

    Attributes:
        other: the choice that was there first.
    """

    def __init__(self, message: str, other: MadeChoice, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.other = other


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_printable(value: str | None, allowed: str = "") -> str | None:
    if value is not None and any(
        unicodedata.category(c).startswith("C") and c not in allowed for c in value
    ):
        raise ValueError("it must not hold control or invisible characters")
    return value


class Part(_Frozen):
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
        return _check_printable(value)

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
    parts: Annotated[tuple[Part, ...], Field(max_length=_MAX_PARTS)] = ()
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
        return _check_printable(value, allowed="\n")

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


def _name(who: str) -> str:
    try:
        return _check_printable(who[:_MAX_WHO].strip()) or ""
    except ValueError as error:
        raise ConfigError(f"who: {error}", hint="give a plain name, or none") from error


def contradiction(first: MadeChoice, choice: Choice, round_number: int) -> bool:
    """Return whether two choices cannot both be meant by people who agree."""
    if first.choice.action in DECISIONS and choice.action in DECISIONS:
        return first.round == round_number and first.choice.as_said() != choice.as_said()
    if first.choice.action in _MARKS and choice.action in _MARKS:
        return first.choice.action != choice.action and bool(
            set(first.choice.takes) & set(choice.takes)
        )
    return False


class ChoiceLog:
    """The choices of one run.

    Args:
        store: the store's root.
        run_id: name of the run.
        run_record: bytes of `run.json`, which the first choice names.
        retry_pause: seconds before a store that did not answer is asked again; doubles.
    """

    def __init__(
        self, store: Store, run_id: str, *, run_record: bytes, retry_pause: float = 1.0
    ) -> None:
        self._run_id = run_id
        self._chain = Chain(
            store.at(run_id),
            run_id,
            head=sha256(run_record),
            retry_pause=retry_pause,
            folder=_FOLDER,
            tip_key=f"{_FOLDER}/tip.json",
            claims=False,
        )

    def read(self) -> tuple[MadeChoice, ...]:
        """Read every choice, oldest first.

        One that is damaged or missing between sound ones keeps its number and asks for nothing; of
        a lost end nothing is left. `losses` says so.

        Raises:
            Corrupt: if one that was read is gone, or is no choice although its bytes are sound.
        """
        self._chain.refresh()
        made = {one.seq: MadeChoice.lost(one.seq) for one in self._chain.holes}
        made |= {event.seq: MadeChoice.of(event) for event in self._chain.replay.events}
        return tuple(made[seq] for seq in sorted(made))

    def losses(self, given_up: Set[int] = frozenset()) -> tuple[str, ...]:
        """Return in sentences which choices are lost.

        Args:
            given_up: numbers of those that a repair gave up.
        """
        chain = self._chain
        found = [
            f"choice {one.seq} {one.why}: make it again, if it still matters"
            for one in chain.holes
            if one.seq not in given_up
        ]
        if chain.tail:
            which = in_words(chain.tail).replace("record", "choice", 1)
            found.append(f"the end of what was chosen is lost, {which}: please choose again")
        if chain.exchanged and not chain.tail and chain.exchanged not in given_up:
            found.append(f"choice {chain.exchanged} is not the one that was made: check it")
        return tuple(found)

    def give_up(self) -> tuple[int, ...]:
        """Keep what is damaged in `quarantine/`, and mark the end of what was chosen.

        Numbers of lost choices are not used again: the work that followed them still names them.

        Returns:
            The numbers of the lost choices.

        Raises:
            StorageError: if the store refused.
        """
        self.read()
        lost_end = bool(self._chain.tail)
        self._chain.pass_over()
        if lost_end:
            self._write(Choice(action="lost"), round_number=0, by="command", who="", known=0)
        exchanged = [self._chain.exchanged] if self._chain.exchanged else []
        return (*(one.seq for one in self._chain.holes), *exchanged)

    def append(
        self,
        choice: Choice,
        *,
        round_number: int,
        by: Maker,
        who: str = "",
        seen: int | None = None,
        branch: bool = False,
    ) -> MadeChoice:
        """Make a choice; when this returns anyone can read it back.

        The same choice made twice by people unaware of each other is one choice.

        Args:
            choice: what is chosen.
            round_number: the round it answers.
            by: where it was made.
            who: name of the person; 80 characters of it are kept.
            seen: number of the last choice that its maker knew of; all of them by default.
            branch: choose although somebody chose otherwise meanwhile; both remain.

        Raises:
            ConfigError: if the name is none, or a number cannot be.
            Conflict: if it contradicts one that its maker had not seen; nothing is written.
            Unavailable: if the store did not answer; it may be made again.
            StorageError: if the store refused.
        """
        who = _name(who)
        if seen is not None and seen < 0:
            raise ConfigError(f"seen is {seen}; it is the number of a choice, or 0")
        made = self.read()
        if self._chain.tail:  # its numbers are taken by what cannot be read
            self._chain.pass_over()
            made = self.read()
        known = len(made) if seen is None else min(seen, len(made))
        for _ in range(_TRIES):
            for other in made[known:]:
                if (other.round, other.choice.as_said()) == (round_number, choice.as_said()):
                    return other
                if not branch and contradiction(other, choice, round_number):
                    raise Conflict(
                        f"choice: {choice.in_words()} contradicts what was chosen meanwhile: "
                        f"{other.in_words()}",
                        other,
                        hint="listen again, then choose {branch} to keep both",
                    )
            written = self._write(choice, round_number=round_number, by=by, who=who, known=known)
            if written is not None:
                return written
            made = self.read()
        raise Conflict(  # pragma: no cover - twenty people at the same instant
            f"choice: run {self._run_id} is being changed all the time",
            made[-1],
            hint="try again in a moment",
        )

    def _write(
        self, choice: Choice, *, round_number: int, by: Maker, who: str, known: int
    ) -> MadeChoice | None:
        """Write the next choice; None if somebody was faster."""
        fields: dict[str, Json] = {
            "by": by,
            "who": who,
            "round": round_number,
            "seen": known,
            "choice": choice.model_dump(mode="json", exclude_defaults=True),
        }
        data = self._chain.encode("choice", fields, epoch=0, owner=by)
        if not self._chain.write(data):
            return None
        written = MadeChoice.of(self._chain.replay.events[-1])
        self.mark_end()
        return written

    def mark_end(self) -> None:
        """Write the hint about the end, also when others write at the same time.

        Raises:
            StorageError: if the store refused.
        """
        self._chain.refresh()
        while self._chain.seq:
            end = self._chain.seq
            self._chain.write_tip()
            self._chain.refresh()
            if self._chain.seq == end:
                return
