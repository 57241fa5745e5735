"""Progress of a task inside a Prefect run: log lines now and then, and a progress artifact.

No call here may fail the work or hold it up: a server that has gone away would otherwise end a
level that nobody asked to end.
"""

from __future__ import annotations

import time
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from tasks.progress import Status

LINE_SECONDS = 60.0


class FlowReporter:
    """Writes to the log of the run once a minute at most, and where the time left moved back.

    Raises:
        MissingContextError: outside a run.
    """

    def __init__(self) -> None:
        self._log = get_run_logger()
        self._last = 0.0
        self._artifact: UUID | None = None
        self._busy: Thread | None = None
        self._reason = ""

    def say(self, text: str) -> None:
        """Write one line."""
        self._log.info(text)

    def level(self, status: Status, *, window_done: bool) -> None:
        """Write where the level stands, and show it as an artifact."""
        now = time.monotonic()
        finished = status.codes_done >= status.codes
        moved = bool(status.reason) and status.reason != self._reason
        self._reason = status.reason
        if not finished and not moved and now - self._last < LINE_SECONDS:
            return
        self._last = now
        speed = status.codes_per_second
        self._log.info(
            "level %d: window %d of %d, %.0f%%%s%s",
            status.level,
            status.window,
            status.windows,
            100 * status.fraction,
            "" if speed is None else f", {speed:.0f} codes/s{_left(status)}",
            f"; {status.reason}" if status.reason else "",
        )
        if self._busy is None or not self._busy.is_alive():
            here = copy_context()  # the artifact belongs to the run of this call
            self._busy = Thread(target=here.run, args=(self._show, status), daemon=True)
            self._busy.start()

    def _show(self, status: Status) -> None:
        with suppress(Exception, MissingContextError):
            percent = 100 * status.fraction
            if self._artifact is None:
                made = create_progress_artifact(progress=percent, key=f"level-{status.level}")
                self._artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(self._artifact, progress=percent)


def _left(status: Status) -> str:
    if status.seconds_low is None or status.seconds_high is None:
        return ""
    return f", {status.seconds_low / 60:.1f} to {status.seconds_high / 60:.1f} min left"
