"""How files ended: a table for a person, one line for a program, and the exit code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from json import dumps

from flows.cli.output import Exit, complain, data, data_json, table, talk
from musiccore.conversion.batch_convert import Row
from musiccore.errors.doors import COMMAND

RESULTS = ("written", "exists", "changing", "failed")
_WORDS = {"exists": "left alone", "changing": "next time"}
_SURROGATES = re.compile(r"\\ud[89a-f]|[\ud800-\udfff]")
_LONGEST_TABLE = 60
_EXITS = {
    "source": Exit.BAD_REQUEST,
    "request": Exit.BAD_REQUEST,
    "codec": Exit.MISSING_CODEC,
    "destination": Exit.FAILED,
    "fault": Exit.FAILED,
}


def report(rows: Sequence[Row], *, single: bool, json: bool, named: bool = True) -> int:
    """Say how all of it ended.

    Args:
        rows: one per file.
        single: one file was asked for by its name.
        json: write one line of JSON and no table.
        named: write the names of what was made to standard output.

    Returns:
        The exit code.
    """
    rows = [_in_words(row) for row in rows]
    counts = {word: sum(row["result"] == word for row in rows) for word in RESULTS}
    if json:
        answer = {"files": rows, **counts}
        if _SURROGATES.search(repr(rows)):  # names that are no text: escaped, so that it is JSON
            data(dumps(answer))
        else:
            data_json(answer)
    for row in rows:
        if row["result"] == "written" and named and not json:
            data(row["destination"])
    if single:
        for row in rows:
            _say_one(row)
    elif rows:
        _say_table(rows)
        talk(", ".join(f"{number} {word}" for word, number in counts.items() if number))
    else:
        talk("nothing to do")
    return _exit(rows, single=single)


def _in_words(row: Row) -> Row:
    """Return a row whose hint names the options of the command line."""
    hint = row["hint"]
    return row if hint is None else {**row, "hint": COMMAND.says(hint)}


def _say_one(row: Row) -> None:
    if row["error"] is not None:
        named = row["source"] in row["error"]
        complain(row["error"] if named else f"{row['source']}: {row['error']}", row["hint"])
        return
    if row["result"] == "changing":
        talk(f"{row['source']}: it is being written; try again later")
    for words in (*row["changes"], *row["warnings"]):
        talk(f"{row['source']}: {words}")


def _say_table(rows: Sequence[Row]) -> None:
    """Show every row, or of very many those that a person should see."""
    shown = list(rows)
    if len(shown) > _LONGEST_TABLE:
        shown = [row for row in rows if row["result"] == "failed" or row["warnings"]]
        if len(shown) < len(rows):
            talk(f"{len(rows) - len(shown)} of {len(rows)} files went well and are not listed")
    cells = [
        (
            _shown(row["source"]),
            _WORDS.get(row["result"], row["result"]),
            row["format"],
            "" if row["seconds"] is None else f"{row['seconds']:.1f} s",
            "; ".join([row["error"] or "", *row["changes"], *row["warnings"]]).strip("; "),
        )
        for row in shown
    ]
    if cells:
        talk(table(cells, ("source", "result", "format", "length", "notes")))
    for hint in dict.fromkeys(row["hint"] for row in shown if row["hint"]):
        talk(f"hint: {hint}")


def _shown(name: str) -> str:
    """A name that cannot move the cursor, or break the table."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _exit(rows: Sequence[Row], *, single: bool) -> int:
    failed = [row for row in rows if row["result"] == "failed"]
    if not failed:
        return Exit.DONE
    codes = {_EXITS[row["problem"] or "fault"] for row in failed}
    if single:
        return codes.pop()
    if len(failed) == len(rows) and len(codes) == 1 and codes != {Exit.BAD_REQUEST}:
        return codes.pop()  # no file can be written, or each needs the same program
    return Exit.PARTIAL
