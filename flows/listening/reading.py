"""What the room knows of the store: each run read once, then only what is new in it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from musiccore.choices import ChoiceLog
from musiccore.errors import MusicCoreError
from musiccore.journal import Journal, list_runs
from musiccore.records import canonical_json
from musiccore.storage import Store
from musiccore.takes import Facts
from musiccore.tree import Tree
from tasks.describing import describe
from tasks.showing import Picture
from tasks.trees import choices_of, facts_of

_MOST_RUNS = 500

Json = Mapping[str, object]


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
    """

    def __init__(self, store: Store) -> None:
        self.store = store
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
            status = describe(self.store, known.journal, tree)
            if number is not None and number in tree.rounds:
                tree = replace(tree, position=number)
            return Picture(store=self.store, journal=known.journal, tree=tree, status=status)

    def songs(self) -> list[Json]:
        """Return every run in a line; those that wait for a person first, then the newest."""
        found: list[Json] = []
        for run_id in list_runs(self.store):
            try:
                status = self.picture(run_id).status
            except MusicCoreError as error:
                found.append(
                    {
                        "run": run_id,
                        "title": run_id,
                        "state": "damaged",
                        "words": error.message,
                        "created": "",
                        "model": "",
                    }
                )
                continue
            found.append(
                {
                    "run": run_id,
                    "title": status.title or run_id,
                    "state": status.state,
                    "words": sentence({"words": status.words}),
                    "created": status.created,
                    "model": status.model,
                    "song": bool(status.masters),
                }
            )
        found.sort(key=lambda one: str(one["created"]), reverse=True)
        return sorted(found, key=lambda one: _rank(str(one["state"])))

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


def _rank(state: str) -> int:
    return 0 if state == "waiting" else 1


def stamp(picture: Json) -> str:
    """Return a word that changes when there is something new to hear or to see."""
    takes, songs = _list(picture["takes"]), _list(picture["songs"])
    facts = [
        [
            [take["take"], take["preview"], [a["preview"] for a in _list(take["auditions"])]]
            for take in takes
        ],
        [[song["song"], song["done"]] for song in songs],
        picture["round"],
    ]
    return hashlib.sha256(canonical_json(facts)).hexdigest()[:16]


def progress(picture: Json) -> Json:
    """Return what a page that is open asks for again and again."""
    return {
        "state": picture["state"],
        "words": sentence(picture),
        "round": picture["round"],
        "seen": picture["seen"],
        "stamp": stamp(picture),
        "songs": [
            {
                "song": song["song"],
                "done": song["done"],
                "levels": song["levels"],
                "version": version(picture, song),
            }
            for song in _list(picture["songs"])
        ],
        "choices": _list(picture["choices"])[-5:],
    }


def sentence(picture: Json) -> str:
    """Return the state in words, without the word that stands before it on a page."""
    return str(picture["words"]).removeprefix("interrupted: ").removeprefix("working: ")


def version(picture: Json, song: Json) -> str:
    """Return a word that changes when more of a song can be heard at a better quality."""
    facts = [song["take"], song["done"], [one["audio"] for one in _list(song["stretches"])]]
    return hashlib.sha256(canonical_json([picture["run"], facts])).hexdigest()[:16]


def _previews(auditions: object) -> list[object]:
    return [one["preview"] for one in _list(auditions)]


def _list(value: object) -> Sequence[Json]:
    return cast(Sequence[Json], value)
