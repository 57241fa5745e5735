"""Removing dropped takes for good: what it would free, and doing it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from musiccore.errors import NotFound
from musiccore.journal.journal import Journal
from musiccore.journal.records import Event
from musiccore.runs.choices import tree_of
from musiccore.storage.sealed import Json, canonical_json
from musiccore.storage.store import BlobRef, Store
from musiccore.takes.tree import Tree

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What can be removed.

    Attributes:
        takes: dropped takes that nothing else goes on from.
        blobs: keys of the objects that belong to them alone.
        n_bytes: their size.
    """

    takes: tuple[int, ...]
    blobs: tuple[str, ...]
    n_bytes: int


def purgeable(store: Store, run_id: str) -> Purge:
    """Return what can be removed of a run; removes nothing.

    Raises:
        NotFound: if there is no such run.
    """
    journal = Journal.open(store, run_id)
    return _plan(journal, tree_of(store, journal))


def purge_takes(store: Store, run_id: str, say: Callable[[str], None] = log.info) -> Purge:
    """Remove the objects of dropped takes for good; return what that was.

    What is removed is written down first, so that a check of the run does not miss it.

    Args:
        store: the store's root.
        run_id: the run.
        say: told in one sentence if its last worker has to be waited for.

    Raises:
        NotFound: if there is no such run.
        Fenced: if a worker is busy with the run.
    """
    with Journal.open(store, run_id) as journal, journal.claimed(say=say):
        plan = _plan(journal, tree_of(store, journal))
        if not plan.takes and not plan.blobs:
            return plan
        ref = journal.put_blob(canonical_json(list(plan.blobs)))
        journal.append("purge", takes=list(plan.takes), removed=ref.to_json())
        for key in plan.blobs:
            with contextlib.suppress(NotFound):
                journal.store.delete(key)
        return plan


def _plan(journal: Journal, tree: Tree) -> Purge:
    takes = tree.removable()
    gone = {*takes, *tree.purged}  # what a purge that was killed left behind goes too
    rows = {take - 1 for take in gone}
    going: dict[str, int] = {}
    staying: set[str] = set()
    for event in journal.events:
        keys = dict(_objects(dict(event.fields)))
        if _belongs(event, gone, rows):
            going.update(keys)
        else:
            staying.update(keys)
    there = journal.store.list()
    blobs = {key: size for key, size in going.items() if key not in staying and key in there}
    return Purge(takes=takes, blobs=tuple(sorted(blobs)), n_bytes=sum(blobs.values()))


def _belongs(event: Event, takes: set[int], rows: set[int]) -> bool:
    """Return whether a record is about removable takes only."""
    fields = event.fields
    if event.type in ("window", "level_done"):
        made = fields.get("takes")
        return isinstance(made, list) and bool(made) and all(row in rows for row in made)
    if event.type == "decoded":
        return fields.get("take") in rows
    return event.type == "candidate" and fields.get("take") in takes


def _objects(value: Json) -> list[tuple[str, int]]:
    """Return key and size of every object that a record names."""
    found: list[tuple[str, int]] = []
    if isinstance(value, list):
        for item in value:
            found += _objects(item)
    elif isinstance(value, dict):
        if {"sha256", "size"} <= value.keys():
            ref = BlobRef.from_json(value)
            path = value.get("path")
            found.append((path if isinstance(path, str) else ref.key, ref.size))
        for item in value.values():
            found += _objects(item)
    return found
