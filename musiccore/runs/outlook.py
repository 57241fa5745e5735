"""How far a run is and how long it still takes: from its log and its worker's signs of life.

The log knows the windows that are done; in between, the worker says with its heartbeat how far it
is and how fast. What the levels after the present one take is measured by how much slower or faster
than this one the plan of the run expects them to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from musiccore.errors import MusicCoreError
from musiccore.journal.heartbeat import told_progress
from musiccore.journal.journal import Journal
from musiccore.request.plan import Plan
from musiccore.storage.sealed import Json
from musiccore.takes.choice import MadeChoice
from musiccore.takes.takes import Rendition, Round
from musiccore.takes.tree import Tree
from musiccore.work.progress import Reporter, Status

_OTHER_LEVELS: Final = 1.3  # factor up and down for levels whose speed is only expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is known of the work in progress.

    Attributes:
        fraction: part done, 0 to 1.
        seconds_low, seconds_high: range of the time that the rest takes; None if unknown.
    """

    fraction: float
    seconds_low: float | None = None
    seconds_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShare:
    """One level of the work in progress.

    Attributes:
        level: 0 is the bottom.
        rows: numbers of the takes that are sampled together, as the log has them.
        codes: all of them, of all takes.
        done: those that are in the store.
    """

    level: int
    rows: frozenset[int]
    codes: int
    done: int

    def is_told_by(self, progress: Mapping[str, Json]) -> bool:
        """Return whether a sign of life is about this part."""
        rows = progress.get("rows")
        same = isinstance(rows, list) and self.rows == set(rows)
        return same and progress.get("level") == self.level


class Telling:
    """A reporter that also lets whoever looks at the run know how far it is.

    Args:
        show: where progress is shown here.
        journal: of the claimed run.
        rows: numbers of the takes that are sampled, as the log has them.
    """

    def __init__(self, show: Reporter, journal: Journal, rows: Sequence[int]) -> None:
        self._show = show
        self._journal = journal
        self._rows: list[Json] = list(rows)

    def say(self, text: str) -> None:
        """Show one sentence."""
        self._show.say(text)

    def level(self, status: Status, *, window_done: bool) -> None:
        """Show where a level stands, and tell it."""
        self._show.level(status, window_done=window_done)
        self._journal.tell(
            {
                "level": status.level,
                "rows": self._rows,
                "fraction": round(status.fraction, 4),
                "seconds_low": status.seconds_low,
                "seconds_high": status.seconds_high,
            }
        )


def outlook(tree: Tree, journal: Journal) -> Outlook | None:
    """Return how far the work of a run is; None where nothing can be said.

    Args:
        tree: of the run.
        journal: its log; a live worker holds it.
    """
    parts = list(_parts(tree, journal))
    costs = _costs(tree)
    whole = sum(part.codes * costs[part.level] for part in parts)
    if not whole:
        return None
    told = told_progress(journal.store, journal.epoch)
    now = told if isinstance(told, dict) else {}
    here = next((part for part in parts if part.is_told_by(now)), None)
    left = {part: (part.codes - part.done) * costs[part.level] for part in parts}
    if here is not None:
        told_left = here.codes * (1 - _real(now, "fraction")) * costs[here.level]
        left[here] = min(left[here], told_left)
    fraction = 1 - sum(left.values()) / whole
    if here is None or now.get("seconds_low") is None or left[here] <= 0:
        return Outlook(fraction=fraction)
    low, high = _real(now, "seconds_low"), _real(now, "seconds_high")
    others = sum(left.values()) - left[here]
    rest = others * sqrt(max(low, 1e-3) * max(high, 1e-3)) / left[here]
    return Outlook(
        fraction=fraction,
        seconds_low=low + rest / _OTHER_LEVELS,
        seconds_high=high + rest * _OTHER_LEVELS,
    )


def _parts(tree: Tree, journal: Journal) -> Iterator[LevelShare]:
    """Yield the levels of the choice that is carried out, or of a run's beginning."""
    first, request = tree.rounds[1], tree.facts.request
    top = tree.facts.config.levels - 1
    if tree.pending:
        yield from _parts_of(tree, journal, tree.pending[0])
        return
    yield _round_part(journal, first, top)
    if request.choose != "wait" and not request.choose_after_hours:
        songs = first.takes if request.choose == "all" else first.takes[:1]
        for take in songs:  # which one a policy takes does not matter here
            for level in reversed(range(top)):
                codes = _below(tree, first.n_codes - first.known, level)
                yield LevelShare(level=level, rows=frozenset({take - 1}), codes=codes, done=0)


def _parts_of(tree: Tree, journal: Journal, made: MadeChoice) -> Iterator[LevelShare]:
    top, action = tree.facts.config.levels - 1, made.choice.action
    if action in ("upsample", "redo"):
        for song in tree.renditions_of(made):
            if song.exported is None:
                for level in reversed(range(top)):
                    yield song_part(tree, journal, song, level)
    elif made.seq in tree.made_by:
        one = tree.rounds[tree.made_by[made.seq]]
        if one.sampled:
            yield _round_part(journal, one, top)


def song_part(tree: Tree, journal: Journal, song: Rendition, level: int) -> LevelShare:
    """Return how much of a level of a song is in the store."""
    rows = frozenset({song.row})
    top_codes = song.end - song.start if song.base else tree.takes[song.take].n_codes
    known = 0 if song.base else tree.known_codes(song)
    codes = _below(tree, top_codes - known, level)
    whole = any(
        event.fields.get("level") == level
        and event.fields.get("takes") == [song.row]
        and "label" not in event.fields
        for event in journal.events_of("level_done")
    )
    done = codes if whole else min(codes, _sampled(journal, level, rows))
    return LevelShare(level=level, rows=rows, codes=codes, done=done)


def _round_part(journal: Journal, one: Round, top: int) -> LevelShare:
    rows = frozenset(take - 1 for take in one.takes)
    codes = len(rows) * (one.n_codes - one.known)
    done = min(codes, _sampled(journal, top, rows))
    return LevelShare(level=top, rows=rows, codes=codes, done=done)


def _sampled(journal: Journal, level: int, rows: frozenset[int]) -> int:
    """Return the new codes of windows that are about these rows only."""
    found = 0
    for event in journal.events_of("window"):
        takes = event.fields.get("takes")
        if event.fields.get("level") == level and isinstance(takes, list) and set(takes) <= rows:
            found += int(str(event.fields["n_new"])) * len(takes)
    return found


def _below(tree: Tree, top_codes: int, level: int) -> int:
    config = tree.facts.config
    return top_codes * (config.top.hop_length // config.priors[level].hop_length)


def _costs(tree: Tree) -> list[float]:
    """Return what a code of each level is expected to cost, in seconds that only compare levels."""
    facts = tree.facts
    primer = facts.primer_codes * facts.config.top.hop_length
    try:
        plan = Plan.of(facts.config, facts.request, primer_samples=primer)
    except MusicCoreError:  # too short to be upsampled: its levels cannot be compared
        return [1.0] * facts.config.levels
    return [sqrt(cost.seconds_low * cost.seconds_high) / max(1, cost.steps) for cost in plan.levels]


def _real(told: Mapping[str, Json], name: str) -> float:
    value = told.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0
