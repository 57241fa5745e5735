"""Are the files of finished songs still as they were delivered?"""

from __future__ import annotations

from contextlib import suppress

from musiccore.errors import MusicCoreError, StorageError
from musiccore.journal import Journal, list_runs
from musiccore.records import Event
from musiccore.storage import BlobRef, Store
from musiccore.tree import Tree
from tasks.trees import tree_of


def lost_files(store: Store, export: Event) -> tuple[str, ...]:
    """Return the delivered files that are gone or hold other bytes than were written.

    Args:
        store: the run's folder.
        export: record of a delivery.
    """
    files = export.fields.get("files")
    if not isinstance(files, list):
        return ()
    return tuple(
        str(file["path"])
        for file in files
        if isinstance(file, dict)
        and not _is_whole(store, str(file["path"]), BlobRef.from_json(file))
    )


def hurt_songs(journal: Journal, tree: Tree) -> dict[int, tuple[str, ...]]:
    """Return number of a delivered song → its files that are gone or damaged, if there are any.

    Args:
        journal: of the run.
        tree: of the run.
    """
    exports = {song.number: song.exported for song in tree.renditions if song.exported is not None}
    found = {number: lost_files(journal.store, export) for number, export in exports.items()}
    return {number: files for number, files in found.items() if files}


def hurt_runs(store: Store) -> dict[str, tuple[str, ...]]:
    """Return run → addresses of delivered files that are gone; looks at names only.

    Args:
        store: the store's root.
    """
    found = {}
    for run_id in list_runs(store):
        with suppress(MusicCoreError):
            journal = Journal.open(store, run_id)
            there = journal.store.list("export")
            exports = [song.exported for song in tree_of(store, journal).renditions]
            paths = [path for export in exports if export is not None for path in _paths(export)]
            if gone := tuple(journal.store.location(p) for p in paths if p not in there):
                found[run_id] = gone
    return found


def _paths(export: Event) -> list[str]:
    files = export.fields.get("files")
    return (
        [str(file["path"]) for file in files if isinstance(file, dict)]
        if isinstance(files, list)
        else []
    )


def _is_whole(store: Store, path: str, ref: BlobRef) -> bool:
    try:
        return BlobRef.of(store.get(path, limit=ref.size)) == ref
    except StorageError:
        return False
