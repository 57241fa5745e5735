"""`convert`: any audio to any audio, without Prefect, so that it takes a second."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from flows.cli.output import Exit, checking, data, data_json, talk
from musiccore.editing import Conversion, format_of
from musiccore.errors import ConfigError
from tasks.editing import conversions, convert_file


def convert(options: Namespace) -> int:
    with checking():
        wanted = _wanted(options)
        if len(wanted) == 1 and wanted[0].target.exists() and not options.force:
            raise ConfigError(
                f"out: {str(wanted[0].target)!r} exists", hint="use --force to write over it"
            )
    return finish((convert_file.fn(each, options.force) for each in wanted), json=options.json)


def _wanted(options: Namespace) -> list[Conversion]:
    inputs, out = list(options.inputs), options.out or ""
    kind = options.to
    if kind is None:
        if len(inputs) != 2 or out:
            raise ConfigError(
                "to: which format is wanted is not said",
                hint="give one file and the name of another, or --to flac",
            )
        out = inputs.pop()
        if Path(inputs[0]).is_dir():
            raise ConfigError(
                f"to: {inputs[0]!r} is a folder, and which format is wanted is not said",
                hint=f"jukeflow convert {inputs[0]} --to flac --out {out}",
            )
        kind = format_of(Path(out))
    wanted = [each for source in inputs for each in conversions.fn(source, kind, out)]
    if len({each.target for each in wanted}) < len(wanted):
        raise ConfigError(
            "out: two files would get the same name", hint="convert them to folders of their own"
        )
    return wanted


def finish(rows: Iterable[dict[str, object]], *, json: bool) -> int:
    """Do the work row by row, tell each, and return how all of it ended."""
    done = []
    for row in rows:
        done.append(row)
        words = {"exists": "exists, left alone", "failed": f"failed: {row['error']}"}
        talk(f"{row['source']}: {words.get(str(row['result']), 'done')}")
        if not json and row["result"] == "written":
            data(str(row["destination"]))
    counts = {word: sum(row["result"] == word for row in done) for word in _RESULTS}
    if json:
        data_json({"files": done, **counts})
    elif len(done) > 1:
        talk(", ".join(f"{number} {word}" for word, number in counts.items() if number))
    return Exit.FAILED if counts["failed"] else Exit.DONE


_RESULTS = ("written", "exists", "failed")
