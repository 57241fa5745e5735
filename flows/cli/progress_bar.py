"""Progress on standard error: a bar for a person, plain lines for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO, cast

from flows.cli.output import is_terminal, range_text, talk
from musiccore.work.progress import Reporter, Status, reporting

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LINE_SECONDS = 10.0
BAR_CELLS = 12  # of a terminal, at least, for the bar itself
_PERCENT_CELLS = 4


def _facts(status: Status, cells: int | None = None) -> str:
    """Return the time that is left, and of speed and reason what there is room for."""
    left = f"{range_text(status.seconds_low, status.seconds_high)} left"
    speed = "" if status.codes_per_second is None else f"{status.codes_per_second:.0f} codes/s, "
    reason = f" ({status.reason})" if status.reason else ""
    whole = f"{speed}{left}{reason}"
    if cells is None or len(whole) <= cells:
        return whole
    shorter = (f"{left}{reason}", f"{speed}{left}", left)
    fitting = next((text for text in shorter if len(text) <= cells), "")
    return fitting or f"{left[: max(cells - 1, 0)]}…"


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
    """One bar per level; the words beside it are shortened before the bar is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[int, TaskID] = {}
        self._reason = ""

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def level(self, status: Status, *, window_done: bool) -> None:
        finished = status.codes_done >= status.codes
        name, window = f"level {status.level}", f"window {status.window} of {status.windows}"
        if status.level not in self._bars:
            self._bars[status.level] = self._progress.add_task(
                name, total=status.codes, window="", facts=""
            )
        taken = len(name) + BAR_CELLS + _PERCENT_CELLS + self._widest(window) + 4  # four gaps
        facts = "done" if finished else _facts(status, self._progress.console.width - taken)
        if status.reason and status.reason != self._reason and status.reason not in facts:
            self.say(f"{name}: {_facts(status)}")  # a time that moves back is always explained
        self._reason = status.reason
        self._progress.update(
            self._bars[status.level], completed=status.codes_done, window=window, facts=facts
        )

    def _widest(self, window: str) -> int:
        """Cells that the column of windows takes."""
        return max(len(window), *(len(task.fields["window"]) for task in self._progress.tasks))


class _Patient:
    """A terminal whose words are lost where it takes none, as one that was closed meanwhile.

    Args:
        stream: of the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


@contextmanager
def shown() -> Iterator[Reporter]:
    """Show the progress of everything inside."""
    if not is_terminal():
        lines = Lines()
        with reporting(lines):
            yield lines
        return
    from rich.console import Console

    with bars_on(Console(file=cast(TextIO, _Patient(sys.stderr)))) as bars, reporting(bars):
        yield bars


@contextmanager
def bars_on(console: Console) -> Iterator[Bars]:
    """Show bars on a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn

    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[window]}"),
        TextColumn("{task.fields[facts]}"),
    ]
    with Progress(*columns, console=console, expand=True) as progress:
        yield Bars(progress)
