"""The one-file page of a round, kept in the store for when no server runs."""

from __future__ import annotations

from dataclasses import replace

from musiccore.pages.round import needed, round_page
from musiccore.runs.deliveries import round_page_key
from musiccore.runs.open_run import OpenRun
from musiccore.runs.snapshot import Picture, blob_sizes
from musiccore.runs.status import describe
from musiccore.storage.store import BlobRef


def write_round_page(run: OpenRun, number: int) -> str:
    """Write the page of a round; writing it again is harmless.

    Args:
        run: the claimed run.
        number: of the round.

    Returns:
        Its path below the folder of the run.
    """
    tree = run.tree()
    picture = Picture(
        store=run.root,
        journal=run.journal,
        tree=replace(tree, position=number),
        status=describe(run.root, run.journal, tree),
    )
    shown, sizes = picture.to_json(), blob_sizes(picture)
    sounds = {
        digest: run.journal.get_blob(BlobRef(sha256=digest, size=sizes[digest]))
        for digest in needed(shown, number)
        if digest in sizes
    }
    page = round_page(shown, sounds, number=number, store=run.root.location())
    path = round_page_key(number)
    run.journal.store.put(path, page.encode())
    return path
