"""From the records of a run to its takes, rounds, songs and auditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from musiccore.errors import Corrupt
from musiccore.journal.records import Event
from musiccore.takes.choice import DECISIONS, Changes, Choice, MadeChoice
from musiccore.takes.keeping import alike_songs, kept_of
from musiccore.takes.takes import (
    Audition,
    Facts,
    Kept,
    Rendition,
    Round,
    Span,
    Take,
    in_force,
    merged,
)


class Growth:
    """Takes the facts in, one after the other; what it found stands in its attributes.

    Args:
        facts: of the run.
        events: facts of its log, in order.
        choices: of people, in order.

    Raises:
        Corrupt: if a record does not fit the others.
    """

    def __init__(
        self, facts: Facts, events: Sequence[Event], choices: tuple[MadeChoice, ...]
    ) -> None:
        self.facts = facts
        self.events = events
        self.choices = choices
        self.rounds: dict[int, Round] = {}
        self.takes: dict[int, Take] = {}
        self.made_by: dict[int, int] = {}
        self.songs: dict[int, list[Rendition]] = {}
        self.changed: dict[int, list[MadeChoice]] = {}
        self._rounds()
        self._opinions()
        self.renditions = self._renditions()
        self.auditions = self._auditions()
        self.position = self._position()
        purges = (_numbers(event, "takes") for event in events if event.type == "purge")
        self.purged = frozenset(take for takes in purges for take in takes)

    def _rounds(self) -> None:
        published: dict[int, dict[int, Event]] = {}
        for event in self.events:
            if event.type == "candidate" and isinstance(event.fields.get("round"), int):
                number, take = _number(event, "round"), _number(event, "take")
                published.setdefault(number, {})[take] = event
        first = Round(
            number=1,
            kind="start",
            parent=0,
            takes=tuple(range(1, self.facts.request.takes + 1)),
            choice=0,
            known=self.facts.primer_codes,
            n_codes=self.facts.root_codes,
            published=published.get(1, {}),
        )
        self._add(first)
        for event in self.events:
            if event.type == "round":
                number = _number(event, "round")
                if number <= len(self.rounds) + 1:  # else one before it is lost: it comes again
                    self._add(_read_round(event, published.get(number, {})))

    def _add(self, one: Round) -> None:
        if one.number != len(self.rounds) + 1 or any(t in self.takes for t in one.takes):
            raise Corrupt(f"round {one.number} does not follow the rounds before it")
        self.rounds[one.number] = one
        if one.choice:
            self.made_by[one.choice] = one.number
        for number in one.takes:
            self.takes[number] = Take(
                number=number,
                round=one.number,
                parent=one.parent,
                n_codes=one.n_codes,
                new_from=one.known if one.sampled else 0,
            )

    def _opinions(self) -> None:
        for made in self.choices:
            choice = made.choice
            for number in choice.takes:
                if number not in self.takes:
                    continue
                take = self.takes[number]
                if choice.action in ("keep", "drop"):
                    kept = choice.action == "keep"
                    take = replace(take, kept=kept, dropped=not kept)
                elif choice.action == "rename":
                    take = replace(take, name=(choice.text or "").strip())
                elif choice.action == "note":
                    stars = take.stars if choice.stars is None else choice.stars
                    note = take.note if choice.text is None else choice.text
                    take = replace(take, stars=stars, note=note)
                elif choice.action == "change":
                    self.changed.setdefault(number, []).append(made)
                self.takes[number] = take

    def _position(self) -> int:
        position = 1
        for made in self.choices:
            if made.seq in self.made_by:
                position = self.made_by[made.seq]
            elif made.choice.action == "back":
                parent = self.rounds[made.round].parent if made.round in self.rounds else 0
                position = self.takes[parent].round if parent else position
            elif made.choice.action in DECISIONS and made.round in self.rounds:
                position = made.round
        return position

    def _renditions(self) -> tuple[Rendition, ...]:
        exported = {
            _number(event, "rendition"): event for event in self.events if event.type == "exported"
        }
        found: list[Rendition] = []

        def add(
            made: MadeChoice,
            take: int,
            changes: Changes,
            base: int = 0,
            start: int = 0,
            end: int = 0,
            kept: Kept | None = None,
        ) -> None:
            number, songs = len(found) + 1, self.songs.setdefault(take, [])
            song = Rendition(
                number=number,
                take=take,
                version=len(songs),
                choice=made.seq,
                changes=changes,
                base=base,
                start=start,
                end=end,
                kept=kept,
                exported=exported.get(number),
            )
            found.append(song)
            songs.append(song)

        for made in self.choices:
            choice = made.choice
            if choice.action == "upsample":
                for take, old in zip_longest(choice.takes, choice.keeps, fillvalue=0):
                    if take not in self.takes:  # the record of its round is lost: it comes again
                        continue
                    changes = self._changes(made, take)
                    keep = kept_of(self.rounds, self.takes, take, found, old)
                    alike = alike_songs(self.songs.get(take, ()), changes, keep)
                    for _ in range(len(alike), choice.copies):
                        add(made, take, changes, kept=keep)
            elif choice.action == "redo":
                base = self._redone(choice, found)
                if base is None:
                    continue  # the choice that asked for its song is lost
                start, end = self.facts.stretch(
                    choice.start or 0, choice.end or 0, self.takes[base.take].n_codes
                )
                changes = self._changes(made, base.take, base)
                add(made, base.take, changes, base.number, start, end)
        return tuple(found)

    def _changes(self, made: MadeChoice, take: int, base: Rendition | None = None) -> Changes:
        """Return what is in force for a choice about a take, or about a song of it."""
        first = self.rounds[self.takes[take].round].changes if base is None else base.changes
        changed, after = self.changed.get(take, ()), 0 if base is None else base.choice
        found = in_force(first, changed, after=after, before=made.seq)
        return merged(found, made.choice.changes)

    def _redone(self, choice: Choice, found: list[Rendition]) -> Rendition | None:
        songs = [
            r
            for r in found
            if (r.number == choice.rendition if choice.rendition else r.take in choice.takes)
        ]
        return songs[-1] if songs else None

    def _auditions(self) -> tuple[Audition, ...]:
        published = {
            _number(event, "choice"): event
            for event in self.events
            if event.type == "candidate" and "round" not in event.fields
        }
        found: list[Audition] = []
        for made in self.choices:
            choice = made.choice
            if choice.action != "audition" or choice.takes[0] not in self.takes:
                continue
            take = self.takes[choice.takes[0]]
            start, end = self.facts.stretch(choice.start or 0, choice.end or 0, take.n_codes)
            found.append(
                Audition(
                    choice=made.seq,
                    take=take.number,
                    start=start,
                    end=end,
                    changes=self._changes(made, take.number),
                    published=published.get(made.seq),
                )
            )
        return tuple(found)


def _read_round(event: Event, published: Mapping[int, Event]) -> Round:
    kind, parts = event.fields.get("kind"), event.fields.get("parts")
    if kind not in ("continue", "more", "again", "cut", "splice") or not isinstance(parts, list):
        raise Corrupt(f"log record {event.seq} holds no round")
    return Round(
        number=_number(event, "round"),
        kind=kind,  # type: ignore[arg-type]
        parent=_number(event, "parent"),
        takes=_numbers(event, "takes"),
        choice=_number(event, "choice"),
        known=_number(event, "known"),
        n_codes=_number(event, "n_codes"),
        parts=tuple(
            Span(take=int(str(a)), start=int(str(b)), end=int(str(c)))
            for a, b, c in (part for part in parts if isinstance(part, list))
        ),
        changes=Changes.model_validate(event.fields.get("changes") or {}),
        published=published,
    )


def _number(event: Event, name: str) -> int:
    value = event.fields.get(name)
    if type(value) is not int:
        raise Corrupt(f"log record {event.seq} has no number {name}")
    return value


def _numbers(event: Event, name: str) -> tuple[int, ...]:
    value = event.fields.get(name)
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise Corrupt(f"log record {event.seq} has no numbers {name}")
    return tuple(int(str(item)) for item in value)
