"""Audio of one kind to another: one file, or every file of a folder."""

from __future__ import annotations

from typing import Literal

from tasks.editing import conversions, convert_file, show_table
from tasks.policies import durable_flow

Format = Literal["wav", "flac", "mp3", "ogg", "aiff"]


@durable_flow(name="convert", flow_run_name="convert-to-{target_format}")
def convert(
    source: str, target_format: Format = "flac", destination: str = "", force: bool = False
) -> list[dict[str, object]]:
    """Convert a file, or every audio file of a folder, to another format.

    Files that are there already are left alone, so it can be started again at any time.

    Args:
        source: a file, or a folder with everything below it, on the machine that does the work.
        target_format: what to write.
        destination: a file, or a folder; empty writes beside the source.
        force: write again what is there already.

    Returns:
        One row per file: where it came from, where it went, how it ended.
    """
    rows = [
        convert_file(conversion, force)
        for conversion in conversions(source, target_format, destination)
    ]
    show_table(rows, key="converted", description="What was converted, and how it ended.")
    return rows
