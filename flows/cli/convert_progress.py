"""Progress of many files on standard error: bars for a person, a line now and then for a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.cli.output import is_terminal, talk
from tasks.converting import Row, Unwatched, Watch

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 10.0


class FileLines:
    """One line in ten seconds at most."""

    def __init__(self, files: int) -> None:
        self._files, self._done, self._moving = files, 0, {}
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
                self._bars[index] = self._progress.add_task(self._names[index], total=1.0)
            self._progress.update(self._bars[index], completed=fraction)

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
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        ]
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield FileBars(progress, [escape(name) for name in names])
