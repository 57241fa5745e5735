"""Are the files of songs and takes still as they were written?

`lost_*` reads every byte, for whoever is about to make again what is lost. `missing_files` and
`hurt_runs` look at names and sizes alone, for whoever looks at many runs or looks often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from musiccore.errors import MusicCoreError, StorageError
from musiccore.journal.journal import Journal
from musiccore.journal.records import Event
from musiccore.journal.runs import list_runs
from musiccore.runs.choices import tree_of
from musiccore.runs.verify import references
from musiccore.storage.sealed import Json
from musiccore.storage.store import BlobRef, Store
from musiccore.takes.tree import Tree


def lost_files(store: Store, export: Event) -> tuple[str, ...]:
    """Return the delivered files that are gone or hold other bytes than were written.

    Args:
        store: the run's folder.
        export: record of a delivery.
    """
    return tuple(key for key, ref in _named(export) if not _is_whole(store, key, ref))


def hurt_songs(journal: Journal, tree: Tree) -> dict[int, tuple[str, ...]]:
    """Return number of a delivered song → its files that are gone or damaged, if there are any.

    Args:
        journal: of the run.
        tree: of the run.
    """
    exports = {song.number: song.exported for song in tree.renditions if song.exported is not None}
    found = {number: lost_files(journal.store, export) for number, export in exports.items()}
    return {number: files for number, files in found.items() if files}


def hurt_takes(journal: Journal) -> tuple[Event, ...]:
    """Return the records of published takes and auditions whose sound or pictures are lost.

    Those that a later record took the place of are among them: nothing makes their bytes again.

    Args:
        journal: of the run.
    """
    purged = _purged(journal)
    return tuple(
        event
        for event in journal.events_of("candidate")
        if event.fields.get("take") not in purged and lost_files(journal.store, event)
    )


def missing_pages(journal: Journal, tree: Tree) -> tuple[int, ...]:
    """Return the rounds that were published whole and whose page is gone or empty.

    Args:
        journal: of the run.
        tree: of the run.
    """
    there = journal.store.list("rounds")
    return tuple(
        number
        for number, one in tree.rounds.items()
        if one.done and tree.purged.isdisjoint(one.takes) and not there.get(round_page_key(number))
    )


def is_hurt(journal: Journal, tree: Tree) -> bool:
    """Return whether something that a run gave to people is gone or damaged.

    Args:
        journal: of the run.
        tree: of the run.
    """
    lost = hurt_songs(journal, tree) or hurt_takes(journal) or missing_pages(journal, tree)
    return bool(lost)


def missing_files(journal: Journal, tree: Tree) -> tuple[str, ...]:
    """Return addresses of songs' and takes' files that are gone or not as long as they were.

    Args:
        journal: of the run.
        tree: of the run.
    """
    there = {**journal.store.list("export"), **journal.store.list("rounds")}
    return _absent(journal, tree, there, blobs=False)


def hurt_runs(store: Store) -> dict[str, tuple[str, ...]]:
    """Return run → addresses of what it gave to people and is gone, or is not as long as it was.

    Args:
        store: the store's root.
    """
    found = {}
    for run_id in list_runs(store):
        with suppress(MusicCoreError):
            journal = Journal.open(store, run_id)
            tree = tree_of(store, journal)
            if gone := _absent(journal, tree, journal.store.list(), blobs=True):
                found[run_id] = gone
    return found


def round_page_key(number: int) -> str:
    """Return where the page of a round lies, below the folder of the run."""
    return f"rounds/{number:03d}/index.html"


def _absent(
    journal: Journal, tree: Tree, there: Mapping[str, int], *, blobs: bool
) -> tuple[str, ...]:
    exports = [song.exported for song in tree.renditions if song.exported is not None]
    found = [
        key
        for event in (*exports, *_published(tree))
        for key, ref in _named(event)
        if (blobs or key != ref.key) and there.get(key) != ref.size
    ]
    found += [round_page_key(number) for number in missing_pages(journal, tree)]
    return tuple(journal.store.location(key) for key in dict.fromkeys(found))


def _published(tree: Tree) -> Iterator[Event]:
    """Yield the records of takes and auditions that somebody can hear, but for removed ones."""
    for one in tree.rounds.values():
        yield from (event for take, event in one.published.items() if take not in tree.purged)
    for audition in tree.auditions:
        if audition.published is not None and audition.take not in tree.purged:
            yield audition.published


def _purged(journal: Journal) -> set[Json]:
    listed = (event.fields.get("takes") for event in journal.events_of("purge"))
    return {take for takes in listed if isinstance(takes, list) for take in takes}


def _named(event: Event) -> Iterator[tuple[str, BlobRef]]:
    """Yield key and name of everything that a record holds."""
    for ref, path in references(event):
        yield path or ref.key, ref


def _is_whole(store: Store, key: str, ref: BlobRef) -> bool:
    try:
        return BlobRef.of(store.get(key, limit=ref.size)) == ref
    except StorageError:
        return False
