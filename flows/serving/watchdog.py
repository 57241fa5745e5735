"""Ends what `jukeflow serve` started when `serve` itself was killed: `python -P watchdog.py`.

Standard input names process groups, one a line: `+123` is under way, `-123` has ended. When it
closes, whoever held its other end is gone, in whatever way: the groups that are left are asked to
end, and killed if they do not.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

PATIENCE_SECONDS = 35.0
"""Prefect gives a flow 30 seconds to reach a safe point."""


def alive(group: int) -> bool:
    """Return whether a process group still has members."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def signal_group(group: int, signum: int) -> None:
    """Send a signal to a process group, if it is still there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signum)


def _end(groups: set[int]) -> None:
    for group in groups:
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(alive(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.1)
    for group in groups:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Read the names of groups until the other end is gone, then end what is left."""
    groups: set[int] = set()
    for line in sys.stdin:
        word = line.strip()
        if word.startswith("+"):
            groups.add(int(word[1:]))
        elif word.startswith("-"):
            groups.discard(int(word[1:]))
    _end(groups)


if __name__ == "__main__":
    main()
