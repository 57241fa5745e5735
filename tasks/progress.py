"""What a person sees while a run is at work: events in, one reporter out.

The reporter is found in the context of the call, so that tasks keep small parameters: a command
line installs a bar or plain lines, a flow on a worker writes log lines.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStart:
    """A level begins or continues.

    Attributes:
        windows, windows_done: units of the level, over all groups of takes.
        codes, codes_done: new codes per row, times rows.
    """

    level: int
    windows: int
    windows_done: int
    codes: int
    codes_done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a level stands.

    Attributes:
        window: number of the window in progress, from 1.
        codes_per_second: measured in this process, None before the first measurement.
        seconds_low, seconds_high: honest range of the time that the level still needs.
    """

    level: int
    window: int
    windows: int
    codes: int
    codes_done: int
    codes_per_second: float | None
    seconds_low: float | None
    seconds_high: float | None

    @property
    def fraction(self) -> float:
        """Part done, 0 to 1."""
        return self.codes_done / self.codes if self.codes else 1.0


class Reporter(Protocol):
    """Shows progress; it must never raise."""

    def say(self, text: str) -> None:
        """Show one sentence."""
        ...

    def level(self, status: Status, *, window_done: bool) -> None:
        """Show where a level stands; called often."""
        ...


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def level(self, status: Status, *, window_done: bool) -> None:
        """Show nothing."""


_reporter: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


def reporter() -> Reporter | None:
    """Return the reporter of this call, None if nobody installed one."""
    return _reporter.get()


@contextmanager
def reporting(to: Reporter) -> Iterator[None]:
    """Send progress of everything inside to one reporter."""
    token = _reporter.set(to)
    try:
        yield
    finally:
        _reporter.reset(token)


@dataclass(slots=True)
class LevelMeter:
    """Counts codes and measures the speed of one level.

    The range of the time left comes from the slowest and the fastest recent stretch, widened while
    there are few of them.
    """

    start: LevelStart
    show: Reporter
    done: int = 0
    window: int = 0
    _last: tuple[float, int] = (0.0, 0)
    _rates: deque[float] = field(default_factory=lambda: deque(maxlen=24))

    STRETCH_SECONDS = 0.5

    def __post_init__(self) -> None:
        self.done = self.start.codes_done
        self.window = self.start.windows_done
        self._last = (time.monotonic(), self.done)

    def step(self, codes: int) -> None:
        """Count codes just sampled inside a window."""
        self.done += codes
        now = time.monotonic()
        since, before = self._last
        if now - since >= self.STRETCH_SECONDS:
            self._rates.append((self.done - before) / (now - since))
            self._last = (now, self.done)
            self.show.level(self.status(), window_done=False)

    def back(self, codes: int) -> None:
        """Take codes back that were counted in a window that is counted as a whole."""
        self.done -= codes
        self._last = (self._last[0], self._last[1] - codes)

    def window_done(self, codes: int) -> None:
        """Count a whole window as kept."""
        self.done += codes
        self.window += 1
        self.show.level(self.status(), window_done=True)

    def status(self) -> Status:
        """Return where the level stands now."""
        left = self.start.codes - self.done
        low = high = rate = None
        if self._rates:
            ordered = sorted(self._rates)
            rate = sum(ordered) / len(ordered)
            widen = 1 + 1 / len(ordered)
            low = left / (ordered[-1] * widen) if ordered[-1] > 0 else None
            high = left / ordered[0] * widen if ordered[0] > 0 else None
        return Status(
            level=self.start.level,
            window=min(self.window + 1, self.start.windows),
            windows=self.start.windows,
            codes=self.start.codes,
            codes_done=self.done,
            codes_per_second=rate,
            seconds_low=low,
            seconds_high=high,
        )
