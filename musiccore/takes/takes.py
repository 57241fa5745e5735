"""Takes, the rounds they are made in, and the songs and auditions made of them: plain facts.

`musiccore.takes.replay` reads them from a log; `musiccore.takes.tree` says what they amount to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from musiccore.journal.records import Event
from musiccore.models.config import ModelConfig
from musiccore.request.request import GenerationRequest
from musiccore.sampling.windows import Window, partial_window, plan_windows
from musiccore.takes.choice import Changes, MadeChoice
from musiccore.units import codes_to_seconds, continuation_codes

_VERSION: Final = 1 << 32  # rows of several upsamplings of one take draw from separate numbers

RoundKind = Literal["start", "continue", "more", "again", "cut", "splice"]


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
class Kept:
    """The beginning of a song that is that of an older one, at all levels.

    Attributes:
        song: number of the older song (rendition).
        start: top-level code of the older song's take where this one begins; 0 but for cuts.
        n_codes: top-level codes.
    """

    song: int
    start: int
    n_codes: int


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
        kept: its beginning, where that is the one of a song that it goes on from.
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
    kept: Kept | None = None
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


def in_force(
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


def takes_in_words(takes: Sequence[int]) -> str:
    """Return numbers of takes as a person says them: `take 2`, `takes 1 to 3`, `takes 1, 4`."""
    numbers = list(takes)
    if len(numbers) == 1:
        return f"take {numbers[0]}"
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"takes {numbers[0]} to {numbers[-1]}"
    return f"takes {', '.join(map(str, numbers))}"
