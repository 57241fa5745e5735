"""Progress of many files on standard error: bars for a person, a line now and then for a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.cli.output import is_terminal, talk
from musiccore.conversion.batch_convert import Row, Unwatched, Watch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LINE_SECONDS = 10.0
BAR_CELLS = 12  # of a terminal, at least, for the bar itself
_BESIDE_CELLS = 17  # percentage, remaining time and the gaps


class FileLines:
    """One line in ten seconds at most."""

    def __init__(self, files: int) -> None:
        self._files, self._done = files, 0
        self._moving: dict[int, float] = {}
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        talk(text)

    def moved(self, index: int, fraction: float) -> None:
        with self._lock:
            self._moving[index] = fraction
            self._say()

    def ended(self, index: int, row: Row) -> None:
        with self._lock:
            self._moving.pop(index, None)
            self._done += 1
            self._say()

    def _say(self) -> None:
        if time.monotonic() - self._last < LINE_SECONDS:
            return
        self._last = time.monotonic()
        share = (self._done + sum(self._moving.values())) / self._files
        talk(f"{self._done} of {self._files} files, {100 * share:.0f}%")


class FileBars:
    """One bar for all files, and one for each that is at work."""

    def __init__(self, progress: Progress, names: Sequence[str]) -> None:
        self._progress, self._names = progress, names
        self._all = progress.add_task("files", total=len(names)) if len(names) > 1 else None
        self._bars: dict[int, TaskID] = {}
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def moved(self, index: int, fraction: float) -> None:
        with self._lock:
            if index not in self._bars:
                from rich.markup import escape

                name = escape(self._fitting(self._names[index]))
                self._bars[index] = self._progress.add_task(name, total=1.0)
            self._progress.update(self._bars[index], completed=fraction)

    def _fitting(self, name: str) -> str:
        """Return a name, or its end, so that the bar has room beside it."""
        from rich.cells import cell_len, set_cell_size

        room = max(self._progress.console.width - BAR_CELLS - _BESIDE_CELLS, 8)
        if cell_len(name) <= room:
            return name
        return "…" + set_cell_size(name[::-1], room - 1).rstrip()[::-1]

    def ended(self, index: int, row: Row) -> None:
        with self._lock:
            bar = self._bars.pop(index, None)
            if bar is not None:
                self._progress.remove_task(bar)
            if self._all is not None:
                self._progress.advance(self._all)


@contextmanager
def shown_files(names: Sequence[str]) -> Iterator[Watch]:
    """Show how files go on, inside.

    Args:
        names: of the files, for a person.
    """
    if not names:
        yield Unwatched()
    elif not is_terminal():
        yield FileLines(len(names))
    else:
        from rich.console import Console

        with file_bars_on(Console(stderr=True), names) as bars:
            yield bars


@contextmanager
def file_bars_on(console: Console, names: Sequence[str]) -> Iterator[FileBars]:
    """Show bars on a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield FileBars(progress, names)
