"""The tree of takes: what the log of a run and the choices of people amount to.

Every take is immutable and has a parent; changing one's mind grows another branch. Nothing here
reads a store or a model: facts in, tree out.

    tree = Tree.of(run, journal.events, choices)
    tree.position          # the round that waits for a choice
    tree.pending           # choices that a worker has yet to carry out
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from musiccore.choices import DECISIONS, WORK, Changes, Choice, MadeChoice
from musiccore.config import ModelConfig
from musiccore.errors import ConfigError, Corrupt
from musiccore.records import Event
from musiccore.request import GenerationRequest
from musiccore.sampling.windows import Window, partial_window, plan_windows
from musiccore.units import codes_to_seconds, continuation_codes

_VERSION: Final = 1 << 32  # rows of several upsamplings of one take draw from separate numbers

RoundKind = Literal["start", "continue", "more", "again", "cut", "splice"]
State = Literal["working", "waiting", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run says about itself.

    Attributes:
        request: what was asked for at the beginning.
        config: of the model.
        primer_codes: top-level codes of the primer, 0 without one.
    """

    request: GenerationRequest
    config: ModelConfig
    primer_codes: int = 0

    @property
    def root_codes(self) -> int:
        """Top-level codes of the first takes, primer included."""
        return self.request.n_codes(self.config, self.config.levels - 1)

    def seconds(self, n_codes: int) -> float:
        """Return the length of top-level codes."""
        top = self.config.top
        return codes_to_seconds(n_codes, top.sample_rate, top.hop_length)

    def codes_at(self, seconds: float) -> int:
        """Return the top-level code nearest to a time."""
        return round(seconds * self.config.top.sample_rate / self.config.top.hop_length)

    def stretch(self, start: float, end: float, n_codes: int) -> tuple[int, int]:
        """Return a stretch of a take of `n_codes` in top-level codes: at least one of them."""
        first = min(self.codes_at(start), n_codes - 1)
        return first, max(first + 1, min(self.codes_at(end), n_codes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Top-level codes [start, end) of a take."""

    take: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Takes that were made together and compete with each other.

    Attributes:
        number: from 1.
        kind: how they came about.
        parent: take that they go on from, 0 for none.
        takes: their numbers.
        choice: number of the choice that asked for them, 0 for the first round.
        known: top-level codes that they share with their parent or primer.
        n_codes: top-level codes when they are done.
        parts: stretches that a cut or splice is made of.
        changes: conditioning and sampling that differ from the run's request.
        published: candidate records by take, as far as they are there.
    """

    number: int
    kind: RoundKind
    parent: int
    takes: tuple[int, ...]
    choice: int
    known: int
    n_codes: int
    parts: tuple[Span, ...] = ()
    changes: Changes = field(default_factory=Changes)
    published: Mapping[int, Event] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether every take was published."""
        return all(take in self.published for take in self.takes)

    @property
    def sampled(self) -> bool:
        """Whether its takes come from the prior; cuts and splices are copies."""
        return self.kind not in ("cut", "splice")

    def windows(self, facts: Facts) -> tuple[Window, ...]:
        """Return the windows that sample it, in order.

        Paper: windowed sampling for the first round; the published notebook's rule of partial
        windows for continuations, which keeps as much context as fits.
        """
        if not self.sampled:
            return ()
        prior = facts.config.top
        hop = facts.request.window_hops(facts.config)[facts.config.levels - 1]
        new = self.n_codes - self.known
        if self.parent and new <= prior.n_ctx:
            return (partial_window(self.known, new, prior.n_ctx),)
        return tuple(plan_windows(self.n_codes, prior.n_ctx, hop, n_known=self.known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One take, immutable but for what people say about it.

    Attributes:
        number: from 1, unique in the run.
        round: number of its round.
        parent: take that it goes on from, 0 for none.
        n_codes: top-level codes.
        new_from: first top-level code that its parent does not have.
        name, note, stars: given by people.
        kept, dropped: what people said last.
    """

    number: int
    round: int
    parent: int
    n_codes: int
    new_from: int
    name: str = ""
    note: str = ""
    stars: int = 0
    kept: bool = False
    dropped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One upsampling of a take: a song, finished or in the making.

    Attributes:
        number: from 1, unique in the run.
        take: what is upsampled.
        version: 0 for the first upsampling of the take.
        choice: number of the choice that asked for it.
        changes: conditioning and sampling that differ from the run's request.
        base: rendition of which this one redoes a stretch, 0 for none.
        start, end: the stretch in top-level codes, both 0 without a base.
        exported: record of its delivery, None until then.
    """

    number: int
    take: int
    version: int
    choice: int
    changes: Changes = field(default_factory=Changes)
    base: int = 0
    start: int = 0
    end: int = 0
    exported: Event | None = None

    @property
    def row(self) -> int:
        """The number that its draws depend on: the take, and which upsampling of it."""
        return self.take - 1 + self.version * _VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Audition:
    """A stretch of a take at full quality, before the whole of it is paid for.

    Attributes:
        choice: number of the choice that asked for it.
        take: which take.
        start, end: the stretch in top-level codes.
        changes: conditioning and sampling that differ from the run's request.
        published: its record, None until it can be heard.
    """

    choice: int
    take: int
    start: int
    end: int
    changes: Changes = field(default_factory=Changes)
    published: Event | None = None


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
        return _Grower(facts, events, tuple(choices)).tree()

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
            return all(r.exported is not None for r in self.renditions_of(made))
        number = self.made_by.get(seq)
        return number is not None and self.rounds[number].done

    def renditions_of(self, made: MadeChoice) -> tuple[Rendition, ...]:
        """Return the renditions that a choice asks for, those that were there included."""
        choice = made.choice
        if choice.action == "redo":
            return tuple(r for r in self.renditions if r.choice == made.seq)
        wanted: list[Rendition] = []
        for take in choice.takes:
            changes = self.changes_for(made, take)
            songs = self.songs.get(take, ())
            wanted += [r for r in songs if not r.base and r.changes == changes][: choice.copies]
        return tuple(wanted)

    @property
    def current_song(self) -> Rendition | None:
        """The song that was asked for last, None before the first."""
        for made in reversed(self.choices):
            if made.choice.action in ("upsample", "redo"):
                return self.renditions_of(made)[-1]
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

    def changes(self, take: int, *, before: int | None = None) -> Changes:
        """Return what differs from the run's request for all that follows a take.

        Args:
            take: its number.
            before: number of the choice that is carried out; later ones do not count.
        """
        made_with = self.rounds[self.takes[take].round].changes
        return _in_force(made_with, self.changed.get(take, ()), before=before)

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


def _in_force(
    first: Changes, changed: Sequence[MadeChoice], *, after: int = 0, before: int | None = None
) -> Changes:
    """Return changes, and those of the choices between two numbers on top of them."""
    for made in changed:
        if after < made.seq and (before is None or made.seq < before):
            first = merged(first, made.choice.changes)
    return first


def merged(first: Changes, then: Changes) -> Changes:
    """Return changes in which the later ones win; of two filters only one is ever active."""
    later = then.given()
    if not later:
        return first
    found = {**first.given(), **later}
    if found.get("top_k") and float(str(found.get("top_p", 1.0))) < 1.0:
        off = {"top_k": 0, "top_p": 1.0}
        found |= {name: value for name, value in off.items() if name not in later}
    return Changes.model_validate(found)


def changed_request(request: GenerationRequest, changes: Changes) -> GenerationRequest:
    """Return a request with other conditioning and sampling."""
    whole: dict[str, object] = request.model_dump()
    words: dict[str, object] = request.conditioning.model_dump()
    sampling: dict[str, object] = request.sampling.model_dump()
    for name, value in changes.given().items():
        table = words if name in words else sampling if name in sampling else whole
        table[name] = tuple(value) if isinstance(value, list) else value
    return GenerationRequest.parse({**whole, "conditioning": words, "sampling": sampling})


def continuation(facts: Facts, known: int, seconds: float) -> int:
    """Return the top-level codes after a continuation by some seconds.

    Paper: the published notebook; a continuation is rounded up to whole chunks, by at least one
    code.
    """
    top, chunk = facts.config.top, facts.config.continuation_chunk
    return known + continuation_codes(seconds, top.sample_rate, top.hop_length, chunk)


class _Grower:
    """Takes the facts in, one after the other."""

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

    def tree(self) -> Tree:
        self._rounds()
        self._opinions()
        purged: set[int] = set()
        for event in self.events:
            if event.type == "purge":
                purged.update(_numbers(event, "takes"))
        return Tree(
            facts=self.facts,
            rounds=self.rounds,
            takes=self.takes,
            renditions=self._renditions(),
            made_by=self.made_by,
            songs=self.songs,
            changed=self.changed,
            auditions=self._auditions(),
            choices=self.choices,
            position=self._position(),
            purged=frozenset(purged),
        )

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
                exported=exported.get(number),
            )
            found.append(song)
            songs.append(song)

        for made in self.choices:
            choice = made.choice
            if choice.action == "upsample":
                for take in choice.takes:
                    if take not in self.takes:
                        raise Corrupt(f"choice {made.seq} names take {take}, which is not there")
                    changes = self._changes(made, take)
                    alike = [r for r in self.songs.get(take, ()) if r.changes == changes]
                    for _ in range(sum(not r.base for r in alike), choice.copies):
                        add(made, take, changes)
            elif choice.action == "redo":
                base = self._redone(choice, found)
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
        found = _in_force(first, changed, after=after, before=made.seq)
        return merged(found, made.choice.changes)

    def _redone(self, choice: Choice, found: list[Rendition]) -> Rendition:
        songs = [
            r
            for r in found
            if (r.number == choice.rendition if choice.rendition else r.take in choice.takes)
        ]
        if not songs:
            raise Corrupt(f"a choice redoes a stretch of a song that is not there: {choice!r}")
        return songs[-1]

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
