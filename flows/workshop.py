"""Runs that go on on this machine: each in a process of its own, one after the other.

This is how the listening room continues a run where no Prefect server is: it starts the program
that a person would start. The processes outlive the room; what they finish is in the store.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from musiccore.runs.snapshot import Picture
from musiccore.storage.store import Store

log = logging.getLogger(__name__)

_INTERRUPTED = 4  # exit code of work that was stopped from outside


@dataclass
class _Bench:
    waiting: deque[str] = field(default_factory=deque)
    at_work: str = ""
    failed: dict[str, str] = field(default_factory=dict)


class Workshop:
    """Continues runs of one store.

    Args:
        store: the root of the runs.
        logs: folder for what the processes say.
        command: words that continue a run; the run and the store follow.
    """

    def __init__(self, store: Store, logs: Path, command: tuple[str, ...] = ()) -> None:
        self._store = store
        self._logs = logs
        self._command = command or (sys.executable, "-P", "-m", "flows", "resume")
        self._bench = _Bench()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, run_id: str) -> None:
        """Let a run go on as soon as the runs before it are through; twice is once."""
        with self._lock:
            self._bench.failed.pop(run_id, None)
            if run_id not in self._bench.waiting and run_id != self._bench.at_work:
                self._bench.waiting.append(run_id)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def has(self, run_id: str) -> bool:
        """Return whether a run is waited for or worked on here."""
        with self._lock:
            return run_id in self._bench.waiting or run_id == self._bench.at_work

    def failure(self, run_id: str) -> str:
        """Return why the last attempt with a run failed, in a sentence; empty if none did."""
        with self._lock:
            return self._bench.failed.get(run_id, "")

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._bench.waiting:
                    self._thread = None
                    return
                run_id = self._bench.at_work = self._bench.waiting.popleft()
            try:
                problem = self._continue(run_id)
            except Exception as error:  # the next run has its turn all the same
                log.exception("run %s could not be continued", run_id)
                problem = str(error) or type(error).__name__
            with self._lock:
                self._bench.at_work = ""
                if problem:
                    self._bench.failed[run_id] = problem

    def _continue(self, run_id: str) -> str:
        """Start the process until nothing is left to do; return what went wrong."""
        while True:
            seen = self._seen(run_id)
            code, said = self._run(run_id)
            if code == _INTERRUPTED:
                return ""
            if code not in (0, 3):
                return said if self._is_left(run_id) else ""
            if not self._is_left(run_id) or self._seen(run_id) == seen:
                return ""  # a choice that came while the process was ending is carried out next

    def _run(self, run_id: str) -> tuple[int, str]:
        words = [*self._command, run_id, "--store", self._store.location()]
        with self._log(run_id) as said:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**os.environ, "PYTHONSAFEPATH": "1"},
                start_new_session=True,  # closing the room does not stop the music
            )
            code = process.wait()
            said.seek(0)
            return code, _problem(said.read().decode(errors="replace"))

    def _log(self, run_id: str) -> BinaryIO:
        """Open what takes a process's words; a file without a name where the folder takes none."""
        try:
            self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
            return (self._logs / f"{run_id}.log").open("w+b")
        except OSError as error:
            log.warning("%s cannot be written: %s", self._logs, error.strerror)
            return cast(BinaryIO, tempfile.TemporaryFile())

    def _picture(self, run_id: str) -> Picture:
        return Picture.of(self._store, run_id)

    def _seen(self, run_id: str) -> int:
        return self._picture(run_id).tree.seen

    def _is_left(self, run_id: str) -> bool:
        status = self._picture(run_id).status
        return status.state == "unfinished" or bool(status.missing)


def _problem(said: str) -> str:
    """Return the sentence that a command ended with."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    last = errors[-1] if errors else (lines or ["it ended without a word"])[-1]
    return last.removeprefix("error: ")
