"""Where a batch stands: read from its runs, told as JSON and as a page.

batches/<batch>/report.json    written anew after each session
                report.html
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from musiccore.errors import MusicCoreError, NotFound
from musiccore.runs.queue import Entry, Queue, batch_folder
from musiccore.runs.status import describe_run
from musiccore.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How this session left a song that it did not finish.

    Attributes:
        failed: False for a song that was only stopped.
        reason: one sentence.
    """

    failed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SongState:
    """Where one song of a batch stands.

    Attributes:
        run: name of its run, None for a wrong row.
        state: `done`, `left` or `failed`.
        master: address of the finished file.
        error: why it failed, or why it is left; empty if it is done.
    """

    row: int
    run: str | None
    title: str
    state: str
    master: str | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """Where a batch stands; `to_json` is what programs read.

    Attributes:
        batch: its name.
        songs: in the order of the file.
        report: address of the page.
    """

    batch: str
    songs: tuple[SongState, ...]
    report: str

    def count(self, state: str) -> int:
        """Return how many songs are in a state."""
        return sum(song.state == state for song in self.songs)

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "batch": self.batch,
            "songs": [asdict(song) for song in self.songs],
            **{state: self.count(state) for state in ("done", "failed", "left")},
            "report": self.report,
        }


def batch_state(store: Store, queue: Queue, endings: Mapping[int, Ending]) -> BatchState:
    """Return where every song of a batch stands.

    Args:
        store: the root of the store.
        queue: the batch.
        endings: row → how this session left it.
    """
    return BatchState(
        batch=queue.batch,
        songs=tuple(_song(store, entry, endings.get(entry.row)) for entry in queue.entries),
        report=batch_folder(store, queue.batch).location("report.html"),
    )


def is_finished(store: Store, run_id: str) -> bool:
    """Return whether a song is delivered already, and still where it was delivered.

    Raises:
        Corrupt: if its log is damaged.
    """
    try:
        status = describe_run(store, run_id)
        return status.state == "done" and not status.missing
    except NotFound:
        return False


def write_batch(store: Store, queue: Queue, endings: Mapping[int, Ending]) -> BatchState:
    """Write how a batch stands into the store, as JSON and as a page.

    Args:
        store: the root of the store.
        queue: the batch.
        endings: row → how this session left it.
    """
    state = batch_state(store, queue, endings)
    folder = batch_folder(store, state.batch)
    value = {**state.to_json(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
    folder.put("report.json", json.dumps(value, ensure_ascii=False, indent=1).encode())
    folder.put("report.html", _page(state).encode())
    return state


def _song(store: Store, entry: Entry, ending: Ending | None) -> SongState:
    def state(word: str, error: str, master: str | None = None) -> SongState:
        return SongState(
            row=entry.row,
            run=entry.run or None,
            title=entry.title,
            state=word,
            master=master,
            error=error,
        )

    if not entry.run:
        return state("failed", entry.error)
    try:
        status = describe_run(store, entry.run)
    except NotFound:
        ending = ending or Ending(failed=False, reason="not begun yet")
        return state("failed" if ending.failed else "left", ending.reason)
    except MusicCoreError as error:
        return state("failed", error.message)
    if status.state == "done" and status.master is not None:
        return state("done", "", status.master.path)
    if ending is None:
        return state("left", status.words or "not reached in this session")
    return state("failed" if ending.failed else "left", ending.reason)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: auto; max-width: 60rem; padding: 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #8886; padding: .4rem .6rem; text-align: left }}
.failed {{ color: #b00020 }}
</style>
<h1>{title}</h1>
<p>{done} done, {failed} failed, {left} left.</p>
<table>
<thead><tr><th>row</th><th>title</th><th>run</th><th>state</th><th>song or reason</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""


def _page(state: BatchState) -> str:
    rows = []
    for song in state.songs:
        last = html.escape(song.error)
        if song.master is not None and song.run is not None:
            place = html.escape(f"../../{song.run}/export/index.html", quote=True)
            last = f'<a href="{place}">{html.escape(PurePosixPath(song.master).name)}</a>'
        cells = (str(song.row), song.title, song.run or "", song.state)
        inner = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr class="{song.state}">{inner}<td>{last}</td></tr>')
    return _PAGE.format(
        title=html.escape(f"Batch {state.batch}"),
        done=state.count("done"),
        failed=state.count("failed"),
        left=state.count("left"),
        rows="\n".join(rows),
    )
