"""Audio of one kind to another: files, folders, patterns; once, or whatever is new."""

from __future__ import annotations

from collections import Counter

from prefect.client.schemas.objects import State

from flows.convert_form import Format, Sound
from musiccore.conversion.batch_convert import Row, memory_of
from musiccore.errors import AudioError
from tasks.conversion import convert_files, find_news, list_files, show_files
from tasks.outcome import outcome, rows_flow
from tasks.story import tell


@rows_flow(name="convert", flow_run_name="convert-to-{target_format}")
def convert(
    source: str,
    target_format: Format = "flac",
    destination: str = "",
    force: bool = False,
    jobs: int = 0,
    sound: Sound = Sound(),  # noqa: B008
) -> list[Row] | State[list[Row]]:
    """Convert a file, or every audio file of a folder, to another format.

    Files that are there already are left alone, so it can be started again at any time.

    Args:
        source: a file, a folder with everything below it, or a pattern such as album/**/*.wav; a
            path of the machine that does the work, or an address (gs://, s3://). One per line.
        target_format: what to write.
        destination: a file, or a folder, as a path or an address; empty writes beside the source.
        force: write again what is there already.
        jobs: files at the same time; 0 is one per processor.
        sound: what happens to the sound on the way.

    Returns:
        One row per file: where it came from, where it went, how it ended.
    """
    options = sound.options(target_format)
    listing = list_files(_lines(source), target_format, destination)
    tell(f"{_files(len(listing.conversions))} to convert to {target_format}.")
    rows = convert_files(listing.conversions, options, force=force, jobs=jobs)
    show_files(rows, key="converted", notes=listing.notes)
    return _ending(rows)


@rows_flow(name="convert-new", flow_run_name="convert-new-to-{target_format}")
def convert_new(
    source: str,
    destination: str = "",
    target_format: Format = "flac",
    quiet_seconds: float = 60.0,
    jobs: int = 0,
    sound: Sound = Sound(),  # noqa: B008
) -> list[Row] | State[list[Row]]:
    """Convert everything new in a folder: what is not converted yet, or has changed since.

    The destination remembers what is done, so it can be started as often as you like, and a kill
    costs the files in progress. A file that cannot be read is not tried again until it changes.

    Args:
        source: a folder with everything below it, or a pattern such as inbox/**/*.wav; a path of
            the machine that does the work, or an address (gs://, s3://).
        destination: a folder, as a path or an address; empty writes beside each source.
        target_format: what to write.
        quiet_seconds: a file that changed so lately may be in the making: it waits for the next
            run.
        jobs: files at the same time; 0 is one per processor.
        sound: what happens to the sound on the way.

    Returns:
        One row per file that was new: where it came from, where it went, how it ended.
    """
    options = sound.options(target_format)
    memory = memory_of(source, destination)
    out = f"{destination.rstrip('/')}/" if destination else ""
    listing = list_files([source], target_format, out, may_be_empty=True)
    news = find_news(listing, memory, options, quiet_seconds)
    tell(f"{_files(len(news.conversions))} new, to convert to {target_format}.")
    rows = convert_files(news.conversions, options, jobs=jobs, remember=memory)
    rows = [*rows, *news.waiting]
    show_files(rows, key="converted-new", notes=(*listing.notes, *news.notes))
    return _ending(rows)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _files(n: int) -> str:
    return "1 file" if n == 1 else f"{n} files"


def _ending(rows: list[Row]) -> list[Row] | State[list[Row]]:
    """Return the rows; where some failed, in a state that says so.

    Raises:
        AudioError: if every file failed.
    """
    counts = Counter(row["result"] for row in rows)
    tell(f"{_files(len(rows))}: " + (", ".join(f"{n} {word}" for word, n in counts.items()) + "."))
    failed = [row for row in rows if row["result"] == "failed"]
    if not failed:
        return rows
    first = str(failed[0]["error"])
    if len(failed) == len(rows):
        words = f"{len(failed)} of {len(rows)} files failed; the first: {first}"
        raise AudioError(words, hint=failed[0]["hint"])
    return outcome(rows, failed=len(failed), total=len(rows), what="files", first=first)
