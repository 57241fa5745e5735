"""`-`: standard input and output of `convert`, for pipes between programs."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from flows.cli.convert_options import with_program
from flows.cli.convert_report import report
from flows.cli.output import OutputError, checking
from musiccore.conversion.batch_convert import convert_files
from musiccore.conversion.formats import KINDS, TARGETS
from musiccore.conversion.listing import plan_conversions
from musiccore.conversion.options import ConversionOptions
from musiccore.errors import ConfigError
from musiccore.storage.files import STANDARD_INPUT
from musiccore.storage.scratch import scratch

STREAM = "-"


def check_streams(sources: Sequence[str], out: str, options: Namespace) -> None:
    """Refuse what standard input and output cannot be.

    Raises:
        ConfigError: naming the field.
    """
    if STANDARD_INPUT in sources:
        if os.isatty(0):
            raise ConfigError("source: standard input is a terminal", hint="cat a.wav | ... -")
        if not out:
            raise ConfigError(
                "out: standard input has no name that the target could get",
                hint="--out song.flac, or --out - for standard output",
            )
    if out != STREAM:
        return
    for word, given in (("json", options.json), ("new", options.new), ("dry_run", options.dry_run)):
        if given:
            raise ConfigError(
                f"{word.replace('_', '-')}: standard output is taken by the sound",
                hint="give a file as OUT",
            )
    if options.to not in KINDS:
        raise ConfigError(
            "to: standard output has no name that says the format", hint="--to flac, for example"
        )
    if os.isatty(1):
        raise ConfigError("out: standard output is a terminal", hint="... > song.flac")


def to_standard_output(
    sources: Sequence[str],
    options: Namespace,
    asked: Callable[[Namespace, str | None], ConversionOptions],
) -> int:
    """Convert one file, and write all of it at once when it is whole.

    Returns:
        The exit code.

    Raises:
        OutputError: if it cannot be written there.
    """
    with scratch() as folder:
        target = folder / f"stdout.{TARGETS[options.to].suffixes[0]}"
        with checking():
            listing = plan_conversions(sources, options.to, str(target))
            how = with_program(asked(options, options.to))
        rows = convert_files(listing.conversions, how)
        if rows[0]["result"] == "written":
            _write(target)
    return report(rows, single=True, json=False, named=False)


def _write(path: Path) -> None:
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # whoever reads has enough
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error
