"""Ctrl-C and SIGTERM: they end the work, not the process, and never what is said at its end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.stopping import Interrupted, interrupt

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work instead of the process."""
    before = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    for signum, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, interrupt)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def conclude() -> None:
    """Heed no signal from here to the end of `stoppable`: the work is done or safe.

    Servers are ended and results are printed in this time, a second in all. A signal would only
    take the result away.
    """
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def is_interruption(error: BaseException) -> bool:
    """Return whether work ended because somebody, or a budget, asked it to."""
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return True
    from prefect.exceptions import TerminationSignal

    return isinstance(error, TerminationSignal)
