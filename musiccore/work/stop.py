"""Where work may stop: at safe points, for a signal or for the end of a budget of time.

SIGINT and SIGTERM wait for the next safe point, then act as they always do. `until` and `limited`
add budgets; every `SafeStop` made inside them asks these too.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Protocol, Self

PATIENCE_SECONDS = 5.0
"""A window that ends sooner than this is finished and kept; a longer one is dropped."""

_PREFECT_HANDLER = "_prefect_sigterm_handler"

_Handler = Callable[[int, FrameType | None], object] | int | None


class Interrupted(BaseException):
    """The process was asked to stop, and everything finished is in the store."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class OutOfTime(Interrupted):
    """A budget of time is spent, and everything finished is in the store.

    Args:
        budget: which one, in words that follow "the budget of".
    """

    def __init__(self, budget: str) -> None:
        BaseException.__init__(self, f"the budget of {budget} is spent")
        self.signum = 0


class Stop(Protocol):
    """Asked at safe points whether to go on."""

    def between_units(self) -> None:
        """Called where nothing is in progress; raises to stop."""
        ...

    def inside_unit(self, fraction: float) -> None:
        """Called while a unit is in progress, with the fraction done; raises to drop the unit."""
        ...


class NeverStop:
    """Never stops: for tests and for work in other threads."""

    def between_units(self) -> None:
        """Go on."""

    def inside_unit(self, fraction: float) -> None:
        """Go on."""


class Deadline:
    """Ends work at the last border of units before a moment.

    The next unit is taken to last as long as the one before it; a first unit is always begun. So a
    budget is overrun by one unit at most.

    Args:
        seconds: from now on.
        budget: what it is called in the message.
        clock: monotonic seconds.
    """

    def __init__(
        self, seconds: float, budget: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._budget = budget or f"{seconds:.0f} s"
        self._unit_began = clock()
        self._unit_seconds = 0.0
        self._in_unit = False

    @property
    def seconds_left(self) -> float:
        """Time left, negative when it is over."""
        return self._end - self._clock()

    def between_units(self) -> None:
        """Stop here if the next unit would not be done in time.

        Raises:
            OutOfTime: if so.
        """
        now = self._clock()
        if self._in_unit:
            self._unit_seconds = now - self._unit_began
        self._in_unit, self._unit_began = False, now
        if now >= self._end or (self._unit_seconds and now + self._unit_seconds > self._end):
            raise OutOfTime(self._budget)

    def inside_unit(self, fraction: float) -> None:
        """Go on: a unit that was begun is finished."""
        self._in_unit = True


_limits: ContextVar[tuple[Stop, ...]] = ContextVar("limits", default=())


@contextmanager
def limited(*stops: Stop) -> Iterator[None]:
    """Let every `SafeStop` that is made inside ask these too."""
    token = _limits.set((*_limits.get(), *stops))
    try:
        yield
    finally:
        _limits.reset(token)


@contextmanager
def until(seconds: float | None, budget: str = "") -> Iterator[None]:
    """Give everything inside a budget of time; None for none.

    Args:
        seconds: from now on.
        budget: what it is called in the message.
    """
    if seconds is None:
        yield
        return
    with limited(Deadline(seconds, budget)):
        yield


class SafeStop:
    """Holds back SIGINT and SIGTERM while inside the `with` block (in the main thread only).

    The first signal lets a unit that is nearly done finish, the second drops it. At the safe point
    the signal reaches the handler that was there before: Prefect's, which raises
    `TerminationSignal`, or that of the command line.

    Args:
        say: told once, in plain words, that the signal was heard.
        patience: seconds that a unit in progress may still take.
    """

    def __init__(
        self,
        say: Callable[[str], None] = lambda _: None,
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._say = say
        self._patience = patience
        self._previous: dict[int, _Handler] = {}
        self._signum: int | None = None
        self._count = 0
        self._said = False
        self._unit_began = time.monotonic()
        self._limits = _limits.get()
        self._handler = self._hear  # one object: handlers are told apart by identity

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                previous = signal.getsignal(signum)
                if previous is not signal.SIG_IGN and previous is not None:
                    self._previous[signum] = previous
                    _replace(signum, previous, self._handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
        if kind is None and self._signum is not None:
            self._deliver(self._signum)

    def between_units(self) -> None:
        """Stop here if a signal came or a budget is spent."""
        self._unit_began = time.monotonic()
        if self._signum is not None:
            self._deliver(self._signum)
        for limit in self._limits:
            limit.between_units()

    def inside_unit(self, fraction: float) -> None:
        """Drop the unit if a signal came and the rest of it would take long."""
        for limit in self._limits:
            limit.inside_unit(fraction)
        if self._signum is not None and self._drops(fraction):
            self._deliver(self._signum)

    def for_threads(self) -> Stop:
        """Return what other threads ask, since signals reach the main thread only.

        It raises `Interrupted` there; the signal itself is delivered at the end of the `with`
        block.
        """
        return _Relay(self)

    def _drops(self, fraction: float) -> bool:
        """Return whether a unit in progress is dropped for the signal that came."""
        spent = time.monotonic() - self._unit_began
        left = spent * (1 - fraction) / fraction if fraction > 0 else float("inf")
        if self._count > 1 or left > self._patience:
            return True
        if not self._said:
            self._said = True
            self._say("stopping after this window; once more to stop at once")
        return False

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        self._signum = signum
        self._count += 1

    def _restore(self) -> None:
        while self._previous:
            signum, handler = self._previous.popitem()
            if signal.getsignal(signum) is self._handler:
                _replace(signum, self._handler, handler)

    def _deliver(self, signum: int) -> None:
        handler = self._previous.get(signum)
        self._restore()
        self._signum = None
        if callable(handler):
            handler(signum, None)
        raise Interrupted(signum)


def _replace(signum: int, old: _Handler, new: _Handler) -> None:
    """Replace a handler, so that Prefect takes the new one for its own if the old one was.

    Prefect's runner says that it cancels a run before it sends SIGTERM, and the run believes it
    only while the handler is Prefect's. Else the run takes the signal for a crash, and shows red
    lines for what a person wanted.
    """
    prefect = sys.modules.get("prefect.utilities.engine")
    if signum != signal.SIGTERM or getattr(prefect, _PREFECT_HANDLER, None) is not old:
        signal.signal(signum, new)
        return
    with getattr(prefect, "_prefect_sigterm_bridge_lock", nullcontext()):
        setattr(prefect, _PREFECT_HANDLER, new)
        signal.signal(signum, new)


class _Relay:
    """Asks a `SafeStop` of the main thread from another thread."""

    def __init__(self, owner: SafeStop) -> None:
        self._owner = owner

    def between_units(self) -> None:
        """Stop here if a signal came."""
        owner = self._owner
        owner._unit_began = time.monotonic()
        if owner._signum is not None:
            raise Interrupted(owner._signum)

    def inside_unit(self, fraction: float) -> None:
        """Drop the unit if a signal came and the rest of it would take long."""
        owner = self._owner
        if owner._signum is not None and owner._drops(fraction):
            raise Interrupted(owner._signum)


def interrupt(signum: int, frame: FrameType | None) -> None:
    """A signal handler that raises `Interrupted`: what the command line installs."""
    raise Interrupted(signum)
