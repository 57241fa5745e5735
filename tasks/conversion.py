"""Conversion of files as tasks, and what Prefect shows of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from threading import Lock, Thread
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from musiccore.conversion import batch_convert
from musiccore.conversion.batch_convert import News, Row
from musiccore.conversion.listing import Conversion, Listing, plan_conversions
from musiccore.conversion.options import ConversionOptions
from musiccore.storage.places import Place
from tasks.artifacts import PATIENCE_SECONDS, show_table
from tasks.policies import io_task
from tasks.settings import machine

SHOW_SECONDS = 10.0
_LONGEST_TABLE = 500


@io_task(task_run_name="list-files")
def list_files(
    sources: Sequence[str], kind: str, destination: str, may_be_empty: bool = False
) -> Listing:
    """List the files to convert; anything wrong with the request is said here.

    Args:
        sources: files, folders, addresses of stores, patterns.
        kind: format wanted.
        destination: a file or a folder; empty is beside each source.
        may_be_empty: a folder without audio is no mistake.
    """
    return plan_conversions(sources, kind, destination, may_be_empty=may_be_empty)


@io_task(task_run_name="find-new-files")
def find_news(
    listing: Listing, memory: Place, options: ConversionOptions, quiet_seconds: float
) -> News:
    """Choose what is new or has changed since it was converted.

    Args:
        listing: everything that is there.
        memory: folder that remembers.
        options: how it will be converted.
        quiet_seconds: a file that changed so lately is left for the next time.
    """
    return batch_convert.find_news(listing, memory, options, quiet_seconds)


@io_task(task_run_name="convert-files")
def convert_files(
    conversions: Sequence[Conversion],
    options: ConversionOptions,
    force: bool = False,
    jobs: int = 0,
    remember: Place | None = None,
) -> list[Row]:
    """Convert files, several at a time; one that fails is a row that says so.

    Args:
        conversions: from where to where.
        options: how.
        force: write over files that exist.
        jobs: files at the same time; 0 for one per processor.
        remember: folder that remembers; what was written from there may be written over.

    Returns:
        One row per file, in the order given.
    """
    options = replace(options, ffmpeg=options.ffmpeg or machine().ffmpeg)
    watch = FileReporter(len(conversions))
    rows = batch_convert.convert_files(
        conversions, options, force=force, jobs=jobs, remember=remember, watch=watch
    )
    watch.close()  # not where a signal ends the process: it has no time to lose
    return rows


def show_files(rows: Sequence[Row], key: str, notes: Sequence[str] = ()) -> None:
    """Show how files ended as a table of the flow run, those that failed first.

    Args:
        rows: one per file.
        key: of the artifact.
        notes: sentences above the table.
    """
    first = sorted(rows, key=lambda row: row["result"] != "failed")[:_LONGEST_TABLE]
    cells = [
        {
            "source": row["source"],
            "result": row["result"],
            "destination": row["destination"],
            "format": row["format"],
            "seconds": row["seconds"],
            "notes": "; ".join(filter(None, [row["error"], *row["changes"], *row["warnings"]])),
        }
        for row in first
    ]
    left_out = f" {len(rows) - len(first)} more went well." if len(first) < len(rows) else ""
    about = f"{len(rows)} files, and how each ended.{left_out}"
    show_table(cells, key, " ".join([about, *notes]))


class FileReporter:
    """Progress of many files inside a Prefect run: a log line per file, and a progress artifact.

    No call here may fail the work or hold it up. Two artifacts that are made at once can lock a
    server on SQLite for a minute, so `close` waits for the last of ours before anything else is
    shown.

    Args:
        files: how many there are.

    Raises:
        MissingContextError: outside a run.
    """

    def __init__(self, files: int) -> None:
        self._log = get_run_logger()
        self._context = copy_context()  # the artifact belongs to the run of this call
        self._files, self._done = files, 0
        self._moving: dict[int, float] = {}
        self._lock = Lock()
        self._last = time.monotonic()
        self._artifact: UUID | None = None
        self._busy: Thread | None = None

    def say(self, text: str) -> None:
        """Write one line."""
        self._log.info(text)

    def moved(self, index: int, fraction: float) -> None:
        """Show the share of all files that is done, now and then."""
        with self._lock:
            self._moving[index] = fraction
            self._show()

    def ended(self, index: int, row: Row) -> None:
        """Write how a file ended."""
        if row["error"] is not None:
            self._log.warning("%s: %s", row["source"], row["error"])
        else:
            notes = "; ".join([row["format"], *row["changes"], *row["warnings"]])
            self._log.info("%s: %s %s", row["source"], row["result"], notes)
        with self._lock:
            self._moving.pop(index, None)
            self._done += 1
            self._show()

    def close(self) -> None:
        """Show the end, and wait until it is shown, though not for ever."""
        self._wait()
        with self._lock:
            self._begin()
        self._wait()

    def _show(self) -> None:
        busy = self._busy is not None and self._busy.is_alive()
        if not busy and time.monotonic() - self._last >= SHOW_SECONDS:
            self._begin()

    def _begin(self) -> None:
        self._last = time.monotonic()
        percent = 100 * (self._done + sum(self._moving.values())) / max(1, self._files)
        context = self._context.copy()
        self._busy = Thread(target=context.run, args=(self._tell, percent), daemon=True)
        self._busy.start()

    def _wait(self) -> None:
        if self._busy is not None:
            self._busy.join(PATIENCE_SECONDS)

    def _tell(self, percent: float) -> None:
        with suppress(Exception):  # a server that has gone away
            if self._artifact is None:
                made = create_progress_artifact(
                    progress=percent, key="converting", description="Files that are converted."
                )
                self._artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(self._artifact, progress=percent)
