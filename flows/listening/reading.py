"""What the room knows of the store: each run read once, then only what is new in it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from flows.listening.ear import Ear
from flows.listening.standing import RANKS, Beats, standing
from flows.listening.tended import RunTender
from musiccore.delivery.impression import is_sampled
from musiccore.errors import MusicCoreError
from musiccore.journal.journal import Journal
from musiccore.journal.runs import list_runs
from musiccore.pages.panel import View
from musiccore.runs.choices import choices_of, facts_of
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import describe
from musiccore.storage.sealed import canonical_json
from musiccore.storage.store import Store
from musiccore.takes.choice_log import ChoiceLog
from musiccore.takes.takes import Facts
from musiccore.takes.tree import Tree

_MOST_RUNS = 500


@dataclass
class _Known:
    journal: Journal
    choices: ChoiceLog
    facts: Facts
    lock: threading.Lock = field(default_factory=threading.Lock)


class Library:
    """The runs of a store.

    Args:
        store: its root.
        ear: makes takes audible that nobody published.
        tending: knows who is about to take a run up.
    """

    def __init__(self, store: Store, ear: Ear, tending: RunTender) -> None:
        self.store = store
        self.ear = ear
        self._tending = tending
        self._beats = Beats()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, run_id: str, number: int | None = None) -> Picture:
        """Return a run as it stands now.

        Args:
            run_id: the run.
            number: of the round that is looked at; where the run stands by default.

        Raises:
            ConfigError: if the run id is not one.
            NotFound: if there is no such run.
            StorageError: if it is damaged or cannot be read.
        """
        with self._open(run_id) as known:
            known.journal.refresh()
            tree = Tree.of(known.facts, known.journal.events, known.choices.read())
            lost = known.choices.losses(known.journal.given_up["choices"])
            losses = (*known.journal.losses(), *lost)
            status = describe(self.store, known.journal, tree, losses)
            if number is not None and number in tree.rounds:
                tree = replace(tree, position=number)
            return Picture(store=self.store, journal=known.journal, tree=tree, status=status)

    def view(self, run_id: str, number: int | None = None, *, listen: bool = False) -> View:
        """Return the JSON form of a run as the room shows it.

        Args:
            run_id: the run.
            number: of the round that is looked at; where the run stands by default.
            listen: make the takes of that round audible that nobody published.

        Raises:
            ConfigError, NotFound, StorageError: as for `picture`.
        """
        picture = self.picture(run_id, number)
        shown = picture.to_json()
        shown |= standing(picture, self._tending, self._beats)
        if picture.status.message:  # something of it is lost
            shown["words"] = f"{shown['words']}; {picture.status.message}"
        if missing := picture.status.missing:
            n = len(missing)
            lost = f"{n} file{'s' * (n != 1)} {'is' if n == 1 else 'are'} missing"
            shown["words"] = f"{shown['words']}; {lost}, which Resume makes again"
        shown["resumable"] = shown["state"] in ("unfinished", "failed") or (
            bool(missing) and shown["state"] in ("done", "waiting")
        )
        for take in cast(list[dict[str, object]], shown["takes"]):
            if take["preview"] is not None:
                take["silence"] = ""
            elif not take["purged"]:
                self._hear(picture, take, listen=listen)
        shown["candidates"] = [
            take
            for take in _list(shown["takes"])
            if take["round"] == shown["round"] and not take["dropped"] and "silence" in take
        ]
        return shown

    def _hear(self, picture: Picture, take: dict[str, object], *, listen: bool) -> None:
        """Add what is known of the sound of a take that was not published."""
        run_id, number = picture.status.run, cast(int, take["take"])
        one = picture.tree.rounds[cast(int, take["round"])]
        ready = is_sampled(picture.journal, one, picture.tree.facts.config.levels - 1)
        if not ready:
            return
        known = self.ear.known(run_id, number)
        if listen and one.number == picture.tree.position:
            self.ear.ask(run_id, number)
        take["silence"] = "Its sound is being made."
        if known is not None and known.facts:
            take.update(known.facts)
            take["silence"] = ""
        elif known is not None:
            take["silence"] = f"It cannot be heard here: {known.problem}."

    def songs(self) -> list[View]:
        """Return every run in a line; those that wait for a person first, then the newest.

        Raises:
            NotFound: if the store is not there.
        """
        self.store.require()
        found: list[View] = []
        for run_id in list_runs(self.store):
            try:
                picture = self.picture(run_id)
            except MusicCoreError as error:
                found.append(_damaged(run_id, error.message))
                continue
            status = picture.status
            found.append(
                {
                    "run": run_id,
                    "title": status.title or run_id,
                    "created": status.created,
                    "model": status.model,
                    "song": bool(status.masters),
                    **standing(picture, self._tending, self._beats),
                }
            )
        found.sort(key=lambda one: str(one["created"]), reverse=True)
        return sorted(found, key=lambda one: RANKS.get(str(one["state"]), 9))

    @contextmanager
    def _open(self, run_id: str) -> Iterator[_Known]:
        with self._lock:
            known = self._known.get(run_id)
        if known is None:
            journal = Journal.open(self.store, run_id)
            known = _Known(
                journal, choices_of(self.store, journal.record), facts_of(journal.record)
            )
        with known.lock:
            try:
                yield known
            except MusicCoreError:
                with self._lock:
                    self._known.pop(run_id, None)  # read it afresh next time
                raise
        with self._lock:
            self._known[run_id] = known
            self._known.move_to_end(run_id)
            while len(self._known) > _MOST_RUNS:
                self._known.popitem(last=False)


def _damaged(run_id: str, message: str) -> View:
    return {
        "run": run_id,
        "title": run_id,
        "state": "damaged",
        "words": message,
        "created": "",
        "model": "",
    }


def stamp(picture: View) -> str:
    """Return a word that changes when there is something new to hear or to see."""
    takes, songs = _list(picture["takes"]), _list(picture["songs"])
    facts = [
        [
            [
                *(take[name] for name in ("take", "preview", "dropped", "name", "songs")),
                take.get("silence"),
                [one["preview"] for one in _list(take["auditions"])],
            ]
            for take in takes
        ],
        [[song["song"], song["done"]] for song in songs],
        picture["resumable"],
        picture["round"],
    ]
    return hashlib.sha256(canonical_json(facts)).hexdigest()[:16]


def progress(picture: View) -> View:
    """Return what a page that is open asks for again and again."""
    return {
        "state": picture["state"],
        "words": picture["words"],
        "resumable": picture["resumable"],
        "round": picture["round"],
        "seen": picture["seen"],
        "stamp": stamp(picture),
        "songs": songs_now(picture),
        "choices": _list(picture["choices"])[-5:],
    }


def songs_now(picture: View) -> list[View]:
    """Return how far the songs of a run are."""
    return [
        {
            "song": song["song"],
            "done": song["done"],
            "levels": song["levels"],
            "version": version(picture, song),
        }
        for song in _list(picture["songs"])
    ]


def version(picture: View, song: View) -> str:
    """Return a word that changes when more of a song can be heard at a better quality."""
    facts = [song["take"], song["done"], [one["audio"] for one in _list(song["stretches"])]]
    return hashlib.sha256(canonical_json([picture["run"], facts])).hexdigest()[:16]


def _list(value: object) -> Sequence[View]:
    return cast(Sequence[View], value)
