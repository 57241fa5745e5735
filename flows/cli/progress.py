"""Progress on standard error: a bar for a person, plain lines for a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.cli.output import is_terminal, range_text, talk
from tasks.progress import Reporter, Status, reporting

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 10.0


def _facts(status: Status) -> str:
    speed = "" if status.codes_per_second is None else f"{status.codes_per_second:.0f} codes/s, "
    reason = f" ({status.reason})" if status.reason else ""
    return f"{speed}{range_text(status.seconds_low, status.seconds_high)} left{reason}"


class Lines:
    """One line in ten seconds at most, and one where the time left moved back."""

    def __init__(self) -> None:
        self._last = 0.0
        self._reason = ""

    def say(self, text: str) -> None:
        talk(text)

    def level(self, status: Status, *, window_done: bool) -> None:
        now = time.monotonic()
        finished = status.codes_done >= status.codes
        moved = bool(status.reason) and status.reason != self._reason
        self._reason = status.reason
        if finished or moved or now - self._last >= LINE_SECONDS:
            self._last = now
            left = "done" if finished else _facts(status)
            talk(
                f"level {status.level}: window {status.window} of {status.windows}, "
                f"{100 * status.fraction:.0f}%, {left}"
            )


class Bars:
    """One bar per level."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[int, TaskID] = {}

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def level(self, status: Status, *, window_done: bool) -> None:
        finished = status.codes_done >= status.codes
        facts = "done" if finished else _facts(status)
        if status.level not in self._bars:
            self._bars[status.level] = self._progress.add_task(
                f"level {status.level}", total=status.codes, window="", facts=""
            )
        self._progress.update(
            self._bars[status.level],
            completed=status.codes_done,
            window=f"window {status.window} of {status.windows}",
            facts=facts,
        )


@contextmanager
def shown() -> Iterator[Reporter]:
    """Show the progress of everything inside."""
    if not is_terminal():
        lines = Lines()
        with reporting(lines):
            yield lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[window]}"),
        TextColumn("{task.fields[facts]}"),
    ]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = Bars(progress)
        with reporting(bars):
            yield bars
