"""Exit codes, error lines and JSON: what every sub-command says and how it ends."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum

from musiccore.errors import ConfigError, MissingProgram, MusicCoreError
from musiccore.errors.doors import COMMAND


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    BAD_REQUEST = 2
    WAITING = 3
    INTERRUPTED = 4
    MISSING_CODEC = 5
    PARTIAL = 6
    UNBEGUN = 130


class OutputError(MusicCoreError):
    """Standard output takes nothing."""


class BadRequest(Exception):
    """A request that was refused before anything was created.

    Args:
        error: what is wrong.
    """

    def __init__(self, error: MusicCoreError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def checking() -> Iterator[None]:
    """Inside, every error is a bad request: nothing has been created yet."""
    try:
        yield
    except MissingProgram:  # the request is good, this machine is not
        raise
    except MusicCoreError as error:
        raise BadRequest(error) from error


def talk(text: str = "") -> None:
    """Say something to the person; data alone goes to standard output.

    A standard error that is closed or full costs the words and never the music.
    """
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            print(text, file=sys.stderr, flush=True)


def data(text: str) -> None:
    """Write data for the person or the next program.

    Raises:
        OutputError: if standard output takes nothing.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):  # what is left in the buffer would fail again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(
            f"standard output cannot be written: {error.strerror}; it was to say: {text}"
        ) from error


def data_json(value: object) -> None:
    """Write one JSON value on one line, last on standard output."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    plain = not encoding.lower().replace("-", "").startswith("utf")
    data(json.dumps(value, ensure_ascii=plain, allow_nan=False))


def complain(error: MusicCoreError | str, hint: str | None = None) -> None:
    """Write one error line and, where there is one, a hint line."""
    message = error.message if isinstance(error, MusicCoreError) else error
    hint = error.hint_at(COMMAND) if isinstance(error, MusicCoreError) else hint
    talk(f"error: {' '.join(message.split())}")
    if hint:
        talk(f"hint: {in_option_words(' '.join(hint.split()))}")


def in_option_words(hint: str) -> str:
    """Return a hint that names options as this door does: `top_k` is `--top-k` here.

    Only words that are an option of some command are changed; the library's hints name fields.
    """
    from flows.cli.parser import option_names

    names = option_names()

    def option(found: re.Match[str]) -> str:
        name = "--" + found[0].replace("_", "-")
        return name if name in names else found[0]

    return re.sub(r"(?<![\w-])[a-z]+(?:_[a-z]+)+(?![\w-])", option, hint)


def say_odd(name: str, warnings: Iterable[str]) -> None:
    """Say what was odd about a file that was read all the same."""
    for warning in warnings:
        talk(f"{name}: {warning}")


def is_terminal() -> bool:
    """Return whether a person watches standard error."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it was closed
        return False


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> str:
    """Return rows as aligned plain text."""
    widths = tuple(max(len(row[i]) for row in [header, *rows]) for i in range(len(header)))
    return "\n".join(line(row, widths) for row in [header, *rows])


def line(cells: tuple[str, ...], widths: tuple[int, ...]) -> str:
    """Return one line of a table whose columns have these widths."""
    return "  ".join(cell.ljust(n) for cell, n in zip(cells, widths, strict=True)).rstrip()


def numbers(text: str, name: str) -> tuple[float, ...]:
    """Read comma-separated numbers of an option.

    Raises:
        ConfigError: if one of them is no number; the message names the option.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"{name} is {text!r}; give one number, or one per level with commas"
        ) from error


def whole_numbers(text: str, name: str) -> tuple[int, ...]:
    """Read comma-separated whole numbers of an option.

    Raises:
        ConfigError: if one of them is no whole number; the message names the option.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"{name} is {text!r}; give whole numbers, one per level, bottom level first"
        ) from error


def seconds_text(seconds: float) -> str:
    """Return a time in words that fit a progress line."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def range_text(low: float | None, high: float | None) -> str:
    """Return an honest range of time."""
    if low is None or high is None:
        return "measuring"
    first, last = seconds_text(low), seconds_text(high)
    if first == last:
        return f"about {first}"
    if first.split()[1] == last.split()[1]:
        return f"{first.split()[0]}-{last}"
    return f"{first} to {last}"
