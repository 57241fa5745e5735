"""Faults of a disk, injected where Python meets the operating system."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest


class Faults:
    """Fail the `at`-th call of the system calls that change a disk; fsync is only counted.

    `number` is the error to raise, or `KILL` to end the process there and then.
    """

    KILL = -1

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, number: int, forever: bool) -> None:
        self.at, self.number, self.forever = 0, number, forever
        self.calls = 0
        for name in ("link", "replace", "fsync", "write", "mkdir"):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if self.at:
                self.calls += 1
                if self.calls == self.at or (self.forever and self.calls > self.at):
                    if self.number == self.KILL:
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise OSError(self.number, os.strerror(self.number))
            return None if name == "fsync" else real(*args, **kwargs)

        return call

    def arm(self, at: int) -> None:
        self.at, self.calls = at, 0

    @property
    def fired(self) -> bool:
        return 0 < self.at <= self.calls
