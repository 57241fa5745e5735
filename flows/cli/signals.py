"""Ctrl-C and SIGTERM: they end the work, not the process, and never what is said at its end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from musiccore.work.stop import Interrupted, interrupt

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work instead of the process.

    What was concluded stays so: between here and the end of the process no signal is heeded.
    """
    before = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    for signum, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, interrupt)
    try:
        yield
    finally:
        for signum, handler in before.items():
            if signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, handler)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Restore the handlers at the end, whatever was concluded: the process goes on."""
    before = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def conclude() -> None:
    """Heed no signal from here to the end of the command: the work is done or safe.

    Servers are ended and results are printed in this time, a second in all. A signal would only
    take the result away.
    """
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def is_interruption(error: BaseException) -> bool:
    """Return whether work ended because somebody, or a budget, asked it to.

    A signal in the middle of an import, or in a group of tasks, comes out as another exception.
    """
    prefect = sys.modules.get("prefect.exceptions")
    wanted = (KeyboardInterrupt, Interrupted, *filter(None, (getattr(prefect, _TERMINATED, None),)))
    return any(isinstance(one, wanted) for one in _origins(error))


_TERMINATED = "TerminationSignal"


def _origins(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what it came from, the parts of a group too."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, None if one.__suppress_context__ else one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
