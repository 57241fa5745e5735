"""Progress of many files inside a Prefect run: a log line per file, and a progress artifact.

No call here may fail the work or hold it up. Two artifacts that are made at once can lock a server
on SQLite for a minute, so `close` waits for the last of ours before anything else is shown.
"""

from __future__ import annotations

import time
from contextlib import suppress
from contextvars import copy_context
from threading import Lock, Thread
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from musiccore.conversion.batch import Row
from tasks.artifacts import PATIENCE_SECONDS

SHOW_SECONDS = 10.0


class FileReporter:
    """Watches files for the log of the run and for an artifact.

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
