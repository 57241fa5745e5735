"""Conversion of files as tasks, and what Prefect shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefect.artifacts import create_table_artifact

from musiccore.conversion import batch
from musiccore.conversion.batch import News, Row
from musiccore.conversion.listing import Conversion, Listing, plan_conversions
from musiccore.conversion.options import ConversionOptions
from musiccore.storage.places import Place
from tasks.artifacts import aside
from tasks.filereport import FileReporter
from tasks.policies import io_task
from tasks.settings import Settings

_LONGEST_TABLE = 500


@io_task(task_run_name="list-files")
def list_files(
    sources: Sequence[str], kind: str, destination: str, may_be_empty: bool = False
) -> Listing:
    """List the files to convert; anything wrong with the request is said here.

    Args:
        sources: files, folders, addresses of stores, patterns.
        kind: format wanted.
        destination: a file or a folder; empty is beside each source.
        may_be_empty: a folder without audio is no mistake.
    """
    return plan_conversions(sources, kind, destination, may_be_empty=may_be_empty)


@io_task(task_run_name="find-new-files")
def find_news(
    listing: Listing, memory: Place, options: ConversionOptions, quiet_seconds: float
) -> News:
    """Choose what is new or has changed since it was converted.

    Args:
        listing: everything that is there.
        memory: folder that remembers.
        options: how it will be converted.
        quiet_seconds: a file that changed so lately is left for the next time.
    """
    return batch.find_news(listing, memory, options, quiet_seconds)


@io_task(task_run_name="convert-files")
def convert_files(
    conversions: Sequence[Conversion],
    options: ConversionOptions,
    force: bool = False,
    jobs: int = 0,
    remember: Place | None = None,
) -> list[Row]:
    """Convert files, several at a time; one that fails is a row that says so.

    Args:
        conversions: from where to where.
        options: how.
        force: write over files that exist.
        jobs: files at the same time; 0 for one per processor.
        remember: folder that remembers; what was written from there may be written over.

    Returns:
        One row per file, in the order given.
    """
    options = replace(options, ffmpeg=options.ffmpeg or Settings.from_environment().ffmpeg)
    watch = FileReporter(len(conversions))
    rows = batch.convert_files(
        conversions, options, force=force, jobs=jobs, remember=remember, watch=watch
    )
    watch.close()  # not where a signal ends the process: it has no time to lose
    return rows


def show_files(rows: Sequence[Row], key: str, notes: Sequence[str] = ()) -> None:
    """Show how files ended as a table of the flow run, those that failed first.

    Args:
        rows: one per file.
        key: of the artifact.
        notes: sentences above the table.
    """
    first = sorted(rows, key=lambda row: row["result"] != "failed")[:_LONGEST_TABLE]
    cells = [
        {
            "source": row["source"],
            "result": row["result"],
            "destination": row["destination"],
            "format": row["format"],
            "seconds": row["seconds"],
            "notes": "; ".join(filter(None, [row["error"], *row["changes"], *row["warnings"]])),
        }
        for row in first
    ]
    left_out = f" {len(rows) - len(first)} more went well." if len(first) < len(rows) else ""
    about = f"{len(rows)} files, and how each ended.{left_out}"
    show_table(cells, key, " ".join([about, *notes]))


def show_table(rows: Sequence[Mapping[str, object]], key: str, description: str) -> None:
    """Show rows as a table of the flow run; where that is impossible, the work goes on.

    Args:
        rows: of equal keys.
        key: of the artifact: lowercase letters, digits and dashes.
        description: one sentence above it.
    """
    cells = [{name: "" if v is None else v for name, v in row.items()} for row in rows]
    aside(lambda: create_table_artifact(table=cells, key=key, description=description))
