"""The tree of takes: what the log of a run and the choices of people amount to.

Every take is immutable and has a parent; changing one's mind grows another branch. Nothing here
reads a store or a model: facts in, tree out.

    tree = Tree.of(run, journal.events, choices)
    tree.position          # the round that waits for a choice
    tree.pending           # choices that a worker has yet to carry out
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Literal

from musiccore.errors import ConfigError
from musiccore.journal.records import Event
from musiccore.request.request import GenerationRequest
from musiccore.takes.choice import DECISIONS, WORK, Changes, Choice, MadeChoice
from musiccore.takes.keeping import alike_songs, kept_of
from musiccore.takes.replay import Growth
from musiccore.takes.takes import (
    Audition,
    Facts,
    Rendition,
    Round,
    Take,
    changed_request,
    in_force,
    merged,
)

State = Literal["working", "waiting", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A run as it stands; made by `Tree.of`.

    Attributes:
        facts: of the run.
        rounds: number → round.
        takes: number → take.
        renditions: in the order they were asked for.
        auditions: in the order they were asked for.
        choices: oldest first.
        position: number of the round that is looked at.
        purged: takes whose codes were removed for good.
        made_by: number of a choice → number of the round that carries it out.
        songs: take → its renditions.
        changed: take → choices that change what follows it.
    """

    facts: Facts
    rounds: Mapping[int, Round]
    takes: Mapping[int, Take]
    renditions: tuple[Rendition, ...]
    auditions: tuple[Audition, ...]
    choices: tuple[MadeChoice, ...]
    position: int
    purged: frozenset[int] = frozenset()
    made_by: Mapping[int, int] = field(default_factory=dict)
    songs: Mapping[int, Sequence[Rendition]] = field(default_factory=dict)
    changed: Mapping[int, Sequence[MadeChoice]] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Facts, events: Sequence[Event], choices: Sequence[MadeChoice]) -> Tree:
        """Return the tree.

        Args:
            facts: of the run.
            events: facts of its log, in order.
            choices: of people, in order.

        Raises:
            Corrupt: if a record does not fit the others.
        """
        grown = Growth(facts, events, tuple(choices))
        return cls(
            facts=facts,
            rounds=grown.rounds,
            takes=grown.takes,
            renditions=grown.renditions,
            made_by=grown.made_by,
            songs=grown.songs,
            changed=grown.changed,
            auditions=grown.auditions,
            choices=grown.choices,
            position=grown.position,
            purged=grown.purged,
        )

    # ------------------------------------------------------------------------------ what is next

    @property
    def pending(self) -> tuple[MadeChoice, ...]:
        """Choices that a worker has yet to carry out, oldest first."""
        return tuple(made for made in self.choices if not self.fulfilled(made))

    def fulfilled(self, made: MadeChoice) -> bool:
        """Return whether nothing is left to do for a choice."""
        action, seq = made.choice.action, made.seq
        if action not in WORK:
            return True
        if action == "audition":
            return all(a.published is not None for a in self.auditions if a.choice == seq)
        if action in ("upsample", "redo"):
            if any(take not in self.takes for take in made.choice.takes):
                return False  # the record of their round is lost; it is made again before this
            return all(r.exported is not None for r in self.renditions_of(made))
        number = self.made_by.get(seq)
        return number is not None and self.rounds[number].done

    def renditions_of(self, made: MadeChoice) -> tuple[Rendition, ...]:
        """Return the renditions that a choice asks for, those that were there included."""
        choice = made.choice
        if choice.action == "redo":
            return tuple(r for r in self.renditions if r.choice == made.seq)
        wanted: list[Rendition] = []
        for take, old in zip_longest(choice.takes, choice.keeps, fillvalue=0):
            if take not in self.takes:
                continue
            keep = kept_of(self.rounds, self.takes, take, self.renditions, old)
            songs = alike_songs(self.songs.get(take, ()), self.changes_for(made, take), keep)
            wanted += songs[: choice.copies]
        return tuple(wanted)

    @property
    def current_song(self) -> Rendition | None:
        """The song that was asked for last, None before the first."""
        for made in reversed(self.choices):
            if made.choice.action in ("upsample", "redo") and (songs := self.renditions_of(made)):
                return songs[-1]
        return None

    @property
    def last_decision(self) -> MadeChoice | None:
        """The last choice that says how it goes on."""
        return next((c for c in reversed(self.choices) if c.choice.action in DECISIONS), None)

    @property
    def state(self) -> State:
        """`working` if a worker has something to do, `waiting` for a person, or `done`."""
        last = self.last_decision
        if self.pending or (last is None and not self.rounds[1].done and self._asks_a_person):
            return "working"
        if last is not None and last.choice.action == "upsample":
            return "done"
        if last is None and not self._asks_a_person and self.open_takes:
            return "working"  # the policy has not chosen yet
        return "waiting"

    @property
    def _asks_a_person(self) -> bool:
        request = self.facts.request
        return request.choose == "wait" or request.choose_after_hours > 0

    @property
    def open_takes(self) -> tuple[int, ...]:
        """Takes of the round that is looked at, without those that were dropped."""
        here = self.rounds[self.position]
        return tuple(take for take in here.takes if not self.takes[take].dropped)

    def policy_due(self, now: datetime | None = None) -> bool:
        """Return whether the run's policy has to choose, since nobody did in time."""
        request, last = self.facts.request, self.last_decision
        if request.choose == "wait" or self.pending or not self.open_takes:
            return False  # where everything was dropped, a person is needed
        if last is not None and last.choice.action == "upsample":
            return False
        if not request.choose_after_hours:
            return last is None
        here = self.rounds[self.position]
        if not here.done or not here.published:
            return False
        since = max(datetime.fromisoformat(event.at) for event in here.published.values())
        return (now or datetime.now(UTC)) >= since + timedelta(hours=request.choose_after_hours)

    @property
    def seen(self) -> int:
        """Number of the last choice."""
        return len(self.choices)

    # ------------------------------------------------------------------------------ single things

    def take(self, number: int) -> Take:
        """Return a take.

        Raises:
            ConfigError: if there is none of this number.
        """
        if number not in self.takes:
            last = max(self.takes)
            raise ConfigError(f"take is {number}; the run has takes 1 to {last}")
        return self.takes[number]

    def rendition(self, number: int) -> Rendition:
        """Return a rendition.

        Raises:
            ConfigError: if there is none of this number.
        """
        found = next((r for r in self.renditions if r.number == number), None)
        if found is None:
            raise ConfigError(f"rendition is {number}; the run has {len(self.renditions)}")
        return found

    def seconds(self, take: int) -> float:
        """Return the length of a take."""
        return self.facts.seconds(self.takes[take].n_codes)

    def ancestors(self, take: int) -> Iterator[int]:
        """Yield the parents of a take, nearest first; cuts and splices have several."""
        waiting, found = [take], {take}
        while waiting:
            here = self.rounds[self.takes[waiting.pop(0)].round]
            for number in (here.parent, *(part.take for part in here.parts)):
                if number and number not in found:
                    found.add(number)
                    waiting.append(number)
                    yield number

    def primer_codes(self, take: int) -> int:
        """Return the top-level codes at the beginning of a take that are the primer's."""
        left = self.facts.primer_codes
        while left:
            one = self.rounds[self.takes[take].round]
            if one.parts:
                first = one.parts[0]
                left, take = (0 if first.start else min(left, first.end)), first.take
            elif one.parent:
                left, take = min(left, one.known), one.parent
            else:
                break
        return left

    def known_codes(self, song: Rendition) -> int:
        """Return the top-level codes at the beginning of a song that nobody has to sample.

        They are the primer's, or those of a song that it goes on from.
        """
        return max(self.primer_codes(song.take), 0 if song.kept is None else song.kept.n_codes)

    def changes(self, take: int, *, before: int | None = None) -> Changes:
        """Return what differs from the run's request for all that follows a take.

        Args:
            take: its number.
            before: number of the choice that is carried out; later ones do not count.
        """
        made_with = self.rounds[self.takes[take].round].changes
        return in_force(made_with, self.changed.get(take, ()), before=before)

    def changes_for(self, made: MadeChoice, take: int) -> Changes:
        """Return what is in force for a choice about a take, its own changes included."""
        return merged(self.changes(take, before=made.seq), made.choice.changes)

    def work_request(self, work: Rendition | Audition) -> GenerationRequest:
        """Return the run's request with what was in force when a song or audition was chosen."""
        return self.request(work.changes)

    def request(self, changes: Changes) -> GenerationRequest:
        """Return the run's request with other conditioning and sampling."""
        return changed_request(self.facts.request, changes)

    def round_of(self, choice: Choice) -> int:
        """Return the round that a choice answers."""
        if choice.action in ("again", "back"):
            return self.take(choice.takes[0]).round if choice.takes else self.position
        if choice.action == "splice":
            return self.take(choice.parts[0].take).round
        if choice.rendition is not None:
            return self.take(self.rendition(choice.rendition).take).round
        return self.take(choice.takes[0]).round

    def best_rendition(self, take: int) -> Rendition | None:
        """Return the newest finished song of a take."""
        songs = [r for r in self.songs.get(take, ()) if r.exported is not None]
        return songs[-1] if songs else None

    def removable(self) -> tuple[int, ...]:
        """Return takes that can be purged: dropped, and nothing else needs them."""
        needed: set[int] = {r.take for r in self.renditions}
        needed |= {number for number, take in self.takes.items() if not take.dropped}
        for made in self.pending:
            needed.update(made.choice.takes)
            needed.update(part.take for part in made.choice.parts)
            if made.choice.action == "again":
                needed.update(self.rounds[made.round].takes)
        waiting = list(needed)
        while waiting:
            here = self.rounds[self.takes[waiting.pop()].round]
            for number in (here.parent, *(part.take for part in here.parts)):
                if number and number not in needed:
                    needed.add(number)
                    waiting.append(number)
        return tuple(n for n in sorted(self.takes) if n not in needed and n not in self.purged)
