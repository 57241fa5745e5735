"""The processes of `jukeflow serve`: started, watched, started again, ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from flows.serving import watchdog
from musiccore.errors import MusicCoreError

SOON_SECONDS = 30.0  # a child that ends sooner than this waits longer before the next start
LONGEST_PAUSE = 30.0


class ServeError(MusicCoreError):
    """A process of `jukeflow serve` did not start."""


class Watchdog:
    """A small process that ends our children if we are killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def tell(self, sign: str, group: int) -> None:
        """Add (`+`) or remove (`-`) a process group."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{sign}{group}\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Let it go; it ends whatever group was not removed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Child:
    """One process in a group of its own, started again when it dies.

    Args:
        name: for people.
        command: its words.
        environment: its variables.
        log: file for all it says.
        guard: told about its process group.
        say: told what a person should know.
        ready: asked whether it answers; None if it writes a line `ready` to standard output, among
            sentences for the person.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        guard: Watchdog,
        say: Callable[[str], None],
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._guard = guard
        self._say = say
        self._ready = ready
        self._said_ready = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 1.0
        self._start_at = 0.0
        self._clear_by: float | None = None
        log.write_bytes(b"")

    @property
    def pid(self) -> int | None:
        """Process id of the latest start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process."""
        self._said_ready.clear()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._ready is None else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for `serve`, which ends its children in order
            )
        self._guard.tell("+", self._process.pid)
        self._started = time.monotonic()
        if self._ready is None:
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as words:
            for line in words:
                sentence = line.decode(errors="replace").strip()
                if sentence == "ready":
                    self._said_ready.set()
                else:
                    self._say(sentence)

    def is_running(self) -> bool:
        """Return whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Return whether it does its work now."""
        if not self.is_running():
            return False
        return self._said_ready.is_set() if self._ready is None else self._ready()

    def watch(self) -> None:
        """Start it again if it died, once everything that it had started has ended."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at:
                self.start()
            return
        status = self._process.poll()
        if status is None:
            return
        if self._clear_by is None:
            how = f"exit code {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
            self._say(f"{self.name} ended ({how}) and will start again; its log is {self.log}")
            lived = now - self._started
            self._pause = 1.0 if lived > SOON_SECONDS else min(2 * self._pause, LONGEST_PAUSE)
            self._clear_by = now + watchdog.PATIENCE_SECONDS
            watchdog.signal_group(self._process.pid, signal.SIGTERM)
        elif not watchdog.alive(self._process.pid) or now > self._clear_by:
            self.kill()
            self._clear_by = None
            self._start_at = now + self._pause

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process alone: it ends what it started."""
        if self._process is not None and self.is_running():
            self._process.terminate()

    def has_ended(self) -> bool:
        """Return whether no process of its group is left."""
        if self._process is None:
            return True
        self._process.poll()
        return not watchdog.alive(self._process.pid)

    def kill(self) -> None:
        """End its whole group now."""
        if self._process is not None:
            watchdog.signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._guard.tell("-", self._process.pid)
            self._process = None

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
