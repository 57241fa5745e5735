"""Work, counted: the same on every machine, however busy it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Calls:
    """How many functions were called, those of C included."""

    n: int = 0


@contextmanager
def counted() -> Iterator[Calls]:
    """Count the calls of this thread inside."""
    calls, before = Calls(), sys.getprofile()

    def note(frame: object, event: str, argument: object) -> None:
        calls.n += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)
