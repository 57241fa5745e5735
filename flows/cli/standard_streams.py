"""Standard streams as they are found: closed ones, full ones, and terminals of few letters."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
import threading
from typing import Final

SHOWABLE: Final = "showable"
"""Handler of letters that a stream cannot show: `?`, or the bytes of a name that were no text."""


def open_streams() -> None:
    """Make standard streams usable: closed ones swallow what is written, letters never fail.

    A closed descriptor would be given to the next file that is opened, and messages of libraries
    would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            _fill(number, name)
    codecs.register_error(SHOWABLE, _showable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SHOWABLE)


def report_lost_signals() -> None:
    """Let a Ctrl-C count that came while Python could not raise it, as in a destructor.

    Python would print a traceback and go on. It is sent again a moment later.
    """
    ordinary = sys.unraisablehook

    def again(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, Exception):
            sender = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
            sender.daemon = True
            sender.start()
        else:
            ordinary(lost)

    sys.unraisablehook = again


def _fill(number: int, name: str) -> None:
    taken = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    if taken != number:
        os.dup2(taken, number)
        os.close(taken)
    mode = "r" if number == 0 else "w"
    setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _showable(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = b"".join(_bytes(letter) for letter in error.object[error.start : error.end])
    return shown, error.end


def _bytes(letter: str) -> bytes:
    """Return the byte that a letter of a file name stands for, or a question mark."""
    return bytes([ord(letter) - 0xDC00]) if "\udc80" <= letter <= "\udcff" else b"?"
