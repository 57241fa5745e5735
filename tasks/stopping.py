"""SIGINT and SIGTERM wait for the next safe point, then act as they always do."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Protocol, Self

PATIENCE_SECONDS = 5.0
"""A window that ends sooner than this is finished and kept; a longer one is dropped."""

_Handler = Callable[[int, FrameType | None], object] | int | None


class Interrupted(BaseException):
    """The process was asked to stop, and everything finished is in the store."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


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

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                previous = signal.getsignal(signum)
                if previous is not signal.SIG_IGN and previous is not None:
                    self._previous[signum] = previous
                    signal.signal(signum, self._hear)
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
        """Stop here if a signal came."""
        self._unit_began = time.monotonic()
        if self._signum is not None:
            self._deliver(self._signum)

    def inside_unit(self, fraction: float) -> None:
        """Drop the unit if a signal came and the rest of it would take long."""
        if self._signum is None:
            return
        spent = time.monotonic() - self._unit_began
        left = spent * (1 - fraction) / fraction if fraction > 0 else float("inf")
        if self._count > 1 or left > self._patience:
            self._deliver(self._signum)
        elif not self._said:
            self._said = True
            self._say("stopping after this window; once more to stop at once")

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        self._signum = signum
        self._count += 1

    def _restore(self) -> None:
        while self._previous:
            signum, handler = self._previous.popitem()
            if signal.getsignal(signum) == self._hear:
                signal.signal(signum, handler)

    def _deliver(self, signum: int) -> None:
        handler = self._previous.get(signum)
        self._restore()
        self._signum = None
        if callable(handler):
            handler(signum, None)
        raise Interrupted(signum)


def interrupt(signum: int, frame: FrameType | None) -> None:
    """A signal handler that raises `Interrupted`: what the command line installs."""
    raise Interrupted(signum)
