"""The steps of a batch: read the file, open the queue, load one model for a pack, report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from prefect import State

from musiccore.errors import StorageError
from musiccore.models.loading import Models
from musiccore.models.presets import preset
from musiccore.runs.batch_report import (
    BatchState,
    is_finished,
    write_batch,
)
from musiccore.runs.open_run import OpenRun
from musiccore.runs.packs import SharedPasses
from musiccore.runs.queue import Entry, Queue, batch_notes, create_song, queue_of
from tasks.artifacts import show_table
from tasks.context import new_store, shared_store, working
from tasks.links import room_link
from tasks.outcome import outcome
from tasks.policies import io_task
from tasks.settings import machine
from tasks.story import tell


@io_task(task_run_name="find-queue")
def find_queue(file: str, recipe: str, name: str) -> Queue:
    """Read the songs, check all of them, and open their queue in the store.

    Args:
        file: path of a file of songs; empty if they are pasted.
        recipe: the songs as text; empty if they are in a file.
        name: what the batch is called; by default the name of the file.
    """
    queue = queue_of(new_store(), machine(), file, recipe, name)
    n = len(queue.entries)
    tell(f"Batch {queue.batch}: {n} song{'s' * (n != 1)}.")
    for words in batch_notes(queue, machine().labels):
        tell(words)
    return queue


def unfinished_songs(queue: Queue, rows: Sequence[int]) -> list[Entry]:
    """Return the songs of some rows that still have something to do, or cannot tell."""
    store, found = shared_store(), []
    for row in rows:
        with suppress(StorageError):
            if is_finished(store, queue.entry(row).run):
                continue
        found.append(queue.entry(row))
    return found


def open_passes(entries: Sequence[Entry]) -> SharedPasses:
    """Open passes of the model that the songs of a pack have in common.

    Raises:
        DeviceError: if it cannot be used here.
    """
    request = entries[0].request
    assert request is not None
    config = preset(request.model)
    return SharedPasses(Models(config, machine()))


@contextmanager
def begun(entry: Entry, passes: SharedPasses) -> Iterator[OpenRun]:
    """Create the run of a song of a pack, unless it is there, and claim it for the `with` block.

    Args:
        entry: the song.
        passes: of the model, shared with the others of the pack.

    Raises:
        AudioError: if its primer is gone.
        StorageError: if the store cannot be written.
        Fenced: if another worker is at work on it.
    """
    create_song(shared_store(), entry, passes.models)
    with working(entry.run, passes=passes) as run:
        yield run


report_batch = io_task(task_run_name="report-batch")(write_batch)
"""Writes how a batch stands into the store."""


def show_songs(state: BatchState) -> None:
    """Show the songs of a batch as a table of the flow run, those that failed first."""
    order = ("failed", "left", "done")
    rows = [
        {
            "row": song.row,
            "title": song.title,
            "state": song.state,
            "reason": song.error,
            "link": "" if song.run is None else room_link(song.run),
        }
        for song in sorted(state.songs, key=lambda song: order.index(song.state))
    ]
    counts = ", ".join(f"{state.count(word)} {word}" for word in ("done", "failed", "left"))
    tell(f"Batch {state.batch}: {counts}.")
    show_table(rows, key="batch", description=f"Batch {state.batch}: {counts}.")


def ending_of(state: BatchState) -> dict[str, object] | State[dict[str, object]]:
    """Return the batch as programs read it; where songs failed, in a state that says so."""
    bad = [song for song in state.songs if song.state == "failed"]
    return outcome(
        state.to_json(),
        failed=len(bad),
        total=len(state.songs),
        what="songs",
        first=f"row {bad[0].row}: {bad[0].error}" if bad else "",
    )
