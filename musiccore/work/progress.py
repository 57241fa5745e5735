"""What a person sees while a run is at work: events in, one reporter out.

The reporter is found in the context of the call, so that tasks keep small parameters: a command
line installs a bar or plain lines, a flow on a worker writes log lines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Protocol

from musiccore.work.forecast import Forecast, Pace

log = logging.getLogger(__name__)


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
        seconds_low, seconds_high: honest range of the time that the level still needs. Its end
            never moves back unless `reason` says why.
        reason: why the range moved back lately; empty if it did not.
    """

    level: int
    window: int
    windows: int
    codes: int
    codes_done: int
    codes_per_second: float | None
    seconds_low: float | None
    seconds_high: float | None
    reason: str = ""

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


class Careful:
    """Shows where another one does; what cannot be shown costs itself and never the work.

    Args:
        show: where progress is shown.
    """

    def __init__(self, show: Reporter) -> None:
        self._show = show

    def say(self, text: str) -> None:
        """Show one sentence, if possible."""
        try:
            self._show.say(text)
        except Exception as error:
            log.debug("not shown: %s (%s)", text, error)

    def level(self, status: Status, *, window_done: bool) -> None:
        """Show where a level stands, if possible."""
        try:
            self._show.level(status, window_done=window_done)
        except Exception as error:
            log.debug("level %d is not shown: %s", status.level, error)


_reporter: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


def reporter() -> Reporter | None:
    """Return the reporter of this call, None if nobody installed one."""
    return _reporter.get()


@contextmanager
def reporting(to: Reporter | None) -> Iterator[None]:
    """Send progress of everything inside to one reporter; None is where it would go anyway."""
    token = _reporter.set(to)
    try:
        yield
    finally:
        _reporter.reset(token)


class LevelMeter:
    """Counts codes, measures the speed of one level, and says how long the rest will take.

    The range is that of `Pace`. What was shown once is kept: the time left stands still where the
    new range would be a little later, and moves back, with a reason, only where what was shown has
    become improbable.

    Args:
        start: the level as it begins or continues.
        show: told how it goes.
        clock: monotonic seconds.
    """

    STRETCH_SECONDS = 0.5
    REASON_SECONDS = 90.0

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
        self._began = False
        self._pace = Pace()
        self._shown: Forecast | None = None
        self._promised_rate = 0.0  # when the end of what is shown was last computed
        self._reason, self._reason_at = "", clock()

    def step(self, codes: int) -> None:
        """Count codes just sampled inside a window."""
        self._done += codes
        if not self._began:  # what came before the first code was loading
            self._began = True
            self._since, self._before = self._clock(), self._done
        if self._clock() - self._since >= self.STRETCH_SECONDS and self._measure():
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
        self._measure()
        self._pace.border()
        self._show.level(self.status(), window_done=True)

    def status(self) -> Status:
        """Return where the level stands now."""
        self._look_ahead()
        shown = self._shown
        return Status(
            level=self._start.level,
            window=min(self._windows_done + 1, self._start.windows),
            windows=self._start.windows,
            codes=self._start.codes,
            codes_done=self._done,
            codes_per_second=None if shown is None else shown.rate,
            seconds_low=None if shown is None else shown.seconds_low,
            seconds_high=None if shown is None else shown.seconds_high,
            reason=self._reason,
        )

    def _measure(self) -> bool:
        """Take the codes since the last measurement into account, if there are any."""
        now = self._clock()
        codes, seconds = self._done - self._before, now - self._since
        if codes <= 0 or seconds <= 0:
            return False
        self._pace.add(codes, seconds)
        self._since, self._before = now, self._done
        return True

    def _look_ahead(self) -> None:
        fresh, shown = self._pace.forecast(self._start.codes - self._done), self._shown
        if self._clock() - self._reason_at > self.REASON_SECONDS:
            self._reason = ""
        if fresh is None:
            return
        if shown is not None and fresh.seconds_high > shown.seconds_high:
            if fresh.seconds <= shown.seconds_high:
                self._shown = replace(fresh, seconds_high=shown.seconds_high)
                return
            self._reason = _why(self._promised_rate, fresh.rate)
            self._reason_at = self._clock()
        self._shown, self._promised_rate = fresh, fresh.rate


def _why(before: float, now: float) -> str:
    """Return why the time left has grown."""
    if now < before:
        return f"slower than before: {now:.3g} codes/s instead of {before:.3g}"
    return f"slower than expected so far: {now:.3g} codes/s"
