"""music21 in a process of its own, which is killed when it takes too long."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from threading import Timer
from types import TracebackType
from typing import IO

from musiccore.errors import AudioError

TIME_LIMIT = 60.0
"""Seconds that music21 may take for one question."""


class Refusal(Exception):
    """music21 did not do what was asked.

    Args:
        kind: `time`, `crash`, `unknown` (no such piece) or `damaged`.
        message: what happened, on one line.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Music21:
    """music21 behind a pipe: started with the first question, again after one that killed it.

    Args:
        seconds: a question that takes longer ends the process.
    """

    def __init__(self, *, seconds: float = TIME_LIMIT) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Music21:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def ask(
        self, task: str, payload: bytes, options: Mapping[str, str | bool] | None = None
    ) -> bytes:
        """Ask one question.

        Args:
            task: a name of `answering.TASKS`.
            payload: what to work on.
            options: of the task.

        Returns:
            The answer.

        Raises:
            Refusal: if it cannot do it, dies, or takes too long.
            AudioError: if no process can be started.
        """
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        late = False

        def end() -> None:
            nonlocal late
            late = True
            process.kill()

        timer = Timer(self._seconds, end)
        timer.start()
        try:
            head = {"task": task, "options": dict(options or {}), "size": len(payload)}
            process.stdin.write(json.dumps(head).encode() + b"\n" + payload)
            process.stdin.flush()
            answer, content = _message(process.stdout)
        except (OSError, ValueError) as error:
            self._end()
            if late:
                raise Refusal("time", f"music21 took longer than {self._seconds:g} s") from error
            raise Refusal("crash", "music21 died of it") from error
        except BaseException:
            self._end()
            raise
        finally:
            timer.cancel()
        if answer["refusal"]:
            raise Refusal(answer["refusal"], answer["message"])
        return content

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "musiccore.scores.notation.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                raise AudioError(f"no process could be started for music21: {error}") from error
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _message(stream: IO[bytes]) -> tuple[dict[str, str], bytes]:
    """Read one answer.

    Raises:
        ValueError: if it is cut short.
    """
    head = json.loads(stream.readline())
    content = stream.read(int(head["size"]))
    if len(content) < int(head["size"]):
        raise ValueError("the answer is cut short")
    return head, content
