"""Progress of a run at its page in Prefect: artifacts that move, and log lines now and then.

No call here may fail the work or hold it up: a server that has gone away would otherwise end a
level that nobody asked to end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Lock, Thread
from typing import Final
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from musiccore.timecode import span
from musiccore.work.progress import Status

LINE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 3.0
"""Between two looks of a person at an artifact."""
_PARTS: Final = 4  # of a level; a line for each


class FlowReporter:
    """Shows the levels of a run at the page of the Prefect run in which it was made.

    The log gets a line where a quarter of a level is done, once a minute at most, and where the
    time left moved back.

    Args:
        clock: monotonic seconds.

    Raises:
        MissingContextError: outside a run.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = get_run_logger()
        self._clock = clock
        self._context = copy_context()  # the artifacts belong to the run of this call
        self._lines: dict[int, tuple[float, int]] = {}  # level → when, and quarters done
        self._looks: dict[int, float] = {}
        self._reason = ""
        self._artifacts: dict[int, UUID] = {}
        self._news: dict[int, Status] = {}
        self._busy = False
        self._lock = Lock()

    def say(self, text: str) -> None:
        """Write what a person at a terminal is told; the story of a run is told elsewhere."""
        self._log.debug(text)

    def level(self, status: Status, *, window_done: bool) -> None:
        """Write where the level stands, and show it as an artifact."""
        now, finished = self._clock(), status.codes_done >= status.codes
        self._write(status, now, finished)
        if finished or now - self._looks.get(status.level, -LOOK_SECONDS) >= LOOK_SECONDS:
            self._looks[status.level] = now
            with self._lock:
                self._news[status.level] = status
                idle, self._busy = not self._busy, True
            if idle:
                Thread(target=self._context.copy().run, args=(self._drain,), daemon=True).start()

    def _write(self, status: Status, now: float, finished: bool) -> None:
        long = (status.seconds_high or 0.0) >= LINE_SECONDS
        moved = long and bool(status.reason) and status.reason != self._reason
        self._reason = status.reason
        quarters = int(status.fraction * _PARTS)
        if status.level not in self._lines:
            self._lines[status.level] = now, quarters
        last, before = self._lines[status.level]
        if quarters < before:  # another song has reached this level
            self._lines[status.level] = last, before = now, quarters
        due = quarters > before and now - last >= LINE_SECONDS
        if moved or (due and not finished):
            self._lines[status.level] = now, quarters
            self._log.info("%s", in_words(status))

    def _drain(self) -> None:
        """Show what there is to show, until nothing is left."""
        while True:
            with self._lock:
                if not self._news:
                    self._busy = False
                    return
                level, status = self._news.popitem()
            with suppress(Exception, MissingContextError):
                self._show(level, status)

    def _show(self, level: int, status: Status) -> None:
        percent, about = 100 * status.fraction, in_words(status)
        if level not in self._artifacts:
            made = create_progress_artifact(percent, key=f"level-{level}", description=about)
            if isinstance(made, UUID):
                self._artifacts[level] = made
        else:
            update_progress_artifact(self._artifacts[level], percent, description=about)


def in_words(status: Status) -> str:
    """Return where a level stands as a person would say it."""
    if status.codes_done >= status.codes:
        return f"level {status.level}: all of it is done"
    speed = "" if status.codes_per_second is None else f", {status.codes_per_second:.0f} codes/s"
    reason = f"; {status.reason}" if status.reason else ""
    return (
        f"level {status.level}: window {status.window} of {status.windows}, "
        f"{100 * status.fraction:.0f} %{speed}{_left(status)}{reason}"
    )


def _left(status: Status) -> str:
    low, high = status.seconds_low, status.seconds_high
    if low is None or high is None:
        return ""
    return f", {span(low, high)} left"
