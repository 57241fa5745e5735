"""Steps on audio files of the machine that does the work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from prefect.artifacts import create_table_artifact

from musiccore.editing import Conversion, ConversionOptions, convert, plan_conversions
from musiccore.errors import MusicCoreError
from tasks.policies import io_task
from tasks.resources import safe_stop


@io_task(task_run_name="list-files")
def conversions(source: str, kind: str, destination: str) -> list[Conversion]:
    """List the files to convert; anything wrong with the request is said here.

    Args:
        source: a file or a folder.
        kind: format wanted.
        destination: a file or a folder; empty is beside the source.
    """
    target = Path(destination).expanduser() if destination else None
    return plan_conversions(Path(source).expanduser(), kind, target)


@io_task(task_run_name="convert-{conversion.source.name}")
def convert_file(conversion: Conversion, force: bool) -> dict[str, object]:
    """Convert one file; a file that fails is a row that says so, and the next one goes on.

    Args:
        conversion: from where to where.
        force: write over a file that exists.

    Returns:
        `source`, `destination`, `result` (`written`, `exists` or `failed`), `seconds` of sound
        and `error`, None where there is none.
    """
    row: dict[str, object] = {
        "source": str(conversion.source),
        "destination": str(conversion.target),
        "seconds": None,
        "error": None,
    }
    if conversion.target.exists() and not force:
        return {**row, "result": "exists"}
    try:
        # An exception of a signal handler is lost inside the encoder's callbacks: hold it back.
        with safe_stop():
            options = ConversionOptions(kind=conversion.kind)
            made = convert(conversion.source, conversion.target, options, force=force)
    except MusicCoreError as error:
        return {**row, "result": "failed", "error": error.message}
    return {**row, "result": "written", "seconds": round(made.seconds, 3)}


def show_table(rows: Sequence[dict[str, object]], key: str, description: str) -> None:
    """Show rows as a table of the flow run; where that is impossible, the work goes on.

    Args:
        rows: of equal keys.
        key: of the artifact: lowercase letters, digits and dashes.
        description: one sentence above it.
    """
    cells = [{name: "" if v is None else v for name, v in row.items()} for row in rows]
    with suppress(Exception):  # a server that has gone away
        create_table_artifact(table=cells, key=key, description=description)
