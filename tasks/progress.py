"""What a person sees while a run is at work: events in, one reporter out.

The reporter is found in the context of the call, so that tasks keep small parameters: a command
line installs a bar or plain lines, a flow on a worker writes log lines.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
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


class LevelMeter:
    """Counts codes and measures the speed of one level.

    The time left is a range around the mean speed of the last stretches: two and a half standard
    errors, at least 15 %, and wide while there are few of them.

    Args:
        start: the level as it begins or continues.
        show: told how it goes.
        clock: monotonic seconds.
    """

    STRETCH_SECONDS = 0.5
    STRETCHES = 60

    def __init__(
        self,
        start: LevelStart,
        show: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._show = show
        self._clock = clock
        self._done = start.codes_done
        self._windows_done = start.windows_done
        self._since, self._before = clock(), start.codes_done
        self._stretches: deque[tuple[int, float]] = deque(maxlen=self.STRETCHES)

    def step(self, codes: int) -> None:
        """Count codes just sampled inside a window."""
        self._done += codes
        now = self._clock()
        if now - self._since >= self.STRETCH_SECONDS:
            self._stretches.append((self._done - self._before, now - self._since))
            self._since, self._before = now, self._done
            self._show.level(self.status(), window_done=False)

    def back(self, codes: int) -> None:
        """Take codes back that are about to be counted as a whole window."""
        self._done -= codes
        self._before -= codes

    def window_done(self, codes: int) -> None:
        """Count a whole window as kept."""
        self._done += codes
        self._before += codes
        self._windows_done += 1
        self._show.level(self.status(), window_done=True)

    def status(self) -> Status:
        """Return where the level stands now."""
        rate, doubt = self._speed()
        left = self._start.codes - self._done
        return Status(
            level=self._start.level,
            window=min(self._windows_done + 1, self._start.windows),
            windows=self._start.windows,
            codes=self._start.codes,
            codes_done=self._done,
            codes_per_second=rate,
            seconds_low=None if rate is None else left / (rate * (1 + doubt)),
            seconds_high=None if rate is None else left / (rate * (1 - doubt)),
        )

    def _speed(self) -> tuple[float | None, float]:
        """Return codes per second, and its relative doubt."""
        n = len(self._stretches)
        seconds = sum(part for _, part in self._stretches)
        codes = sum(part for part, _ in self._stretches)
        if codes <= 0:
            return None, 1.0
        mean = codes / seconds
        if n < 4:
            return mean, 0.6
        spread = sum(part * (made / part - mean) ** 2 for made, part in self._stretches) / seconds
        return mean, min(0.6, max(0.15, 2.5 * (spread / n) ** 0.5 / mean))
