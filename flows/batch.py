"""Many songs from one file, rows of different songs sharing passes of the model."""

from __future__ import annotations

from functools import partial

from prefect.client.schemas.objects import State

from flows.resume import resume
from musiccore.errors import Fenced, Gone, MusicCoreError
from musiccore.runs.batch_report import Ending, write_batch
from musiccore.runs.packs import SharedPasses
from musiccore.runs.queue import Entry, Queue
from musiccore.work.joint_progress import Ensemble
from musiccore.work.progress import reporting
from musiccore.work.stop import Interrupted, OutOfTime, Stop, limited, until
from tasks.batch_steps import (
    begun,
    ending_of,
    find_queue,
    open_passes,
    report_batch,
    show_songs,
    unfinished_songs,
)
from tasks.context import safe_stop, shared_store, task_reporter
from tasks.outcome import rows_flow
from tasks.story import tell

_HOUR = 3600.0


@rows_flow(name="batch")
def batch(
    file: str = "", recipe: str = "", hours: float = 0.0, name: str = ""
) -> dict[str, object] | State[dict[str, object]]:
    """Make every song of a file, unattended; what is done already is not made again.

    Args:
        file: path of a .toml or .csv file of songs on the worker's machine.
        recipe: the same as text, pasted here instead of a file: `[[song]]` tables, or a CSV table.
        hours: stop at the last window border before this many hours; 0 for no limit.
        name: what the batch is called; by default the name of the file. The same songs under the
            same name continue where they stopped.

    Returns:
        The batch: its songs with state and master, and how many are done, failed and left.
    """
    queue = find_queue(file, recipe, name)
    endings: dict[int, Ending] = {}
    try:
        with until(hours * _HOUR if hours else None, f"{hours:g} h"), safe_stop() as stop:
            for pack in queue.packs:
                stop.between_units()
                endings |= make_pack(queue, pack, stop.for_threads())
    except OutOfTime as end:
        task_reporter().say(str(end))
        tell(f"Stopped, {end}.")
    except BaseException:
        # the process is about to end: no server is asked
        write_batch(shared_store(), queue, endings)
        raise
    state = report_batch(shared_store(), queue, endings)
    show_songs(state)
    return ending_of(state)


def make_pack(queue: Queue, rows: tuple[int, ...], stop: Stop) -> dict[int, Ending]:
    """Make the songs of a pack together.

    Args:
        queue: the batch.
        rows: of the pack.
        stop: asked by every song at its safe points.

    Returns:
        row → how it ended, for those that are not done.
    """
    entries = unfinished_songs(queue, rows)
    if not entries:
        return {}
    ensemble = Ensemble(task_reporter())
    try:
        opened = open_passes(entries)
    except MusicCoreError as error:
        return {entry.row: _ending(error) for entry in entries}
    with opened as passes, limited(stop, passes):
        songs = [partial(make_song, entry, passes, ensemble) for entry in entries]
        outcomes = passes.turns.run(songs)
    return {
        entry.row: _ending(outcome.error)
        for entry, outcome in zip(entries, outcomes, strict=True)
        if outcome.error is not None
    }


def make_song(entry: Entry, passes: SharedPasses, ensemble: Ensemble) -> None:
    """Bring one song to its end, or to the end of its own budget."""
    hours = entry.max_hours
    seconds = None if hours is None else hours * _HOUR
    name = f"song {entry.row}"
    with until(seconds, f"max_hours {hours}"), reporting(ensemble.song(name)):
        try:
            with begun(entry, passes):
                resume(entry.run)
        finally:
            ensemble.leave(name)


def _ending(error: BaseException) -> Ending:
    stopped = isinstance(error, Interrupted | Fenced | Gone)
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    return Ending(failed=not stopped, reason=message)
