"""Conversion of many files of any place: what is new among them, and several at the same time."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypedDict

from musiccore.audio.streams import bits_of
from musiccore.conversion.convert import ConversionResult, convert
from musiccore.conversion.listing import Conversion, Listing
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.staging import Problem, Stage
from musiccore.errors import ConfigError, MusicCoreError, StorageError
from musiccore.storage.files import expand, look
from musiccore.storage.places import Place, parse_place
from musiccore.storage.scratch import remove_ownerless
from musiccore.work.stop import SafeStop, Stop

if TYPE_CHECKING:
    from musiccore.conversion.ledger import Ledger

log = logging.getLogger(__name__)

Result = Literal["written", "exists", "changing", "failed"]
MAX_JOBS: Final = 64
_STOPPING: Final = "finishing what is nearly done; once more to stop at once"
_FETCHED: Final = 0.1  # share of the bar that a copy from a store takes


class Row(TypedDict):
    """How one file ended: what the table, the log and `--json` say.

    Attributes:
        source, destination: addresses.
        result: `written`; `exists`: left alone; `changing`: somebody writes the source still;
            `failed`.
        format: for a person, as `flac, 24 bit, 44100 Hz, stereo`; empty unless written.
        seconds, sample_rate, channels: of what was written.
        changes: what the format could not hold.
        warnings: what was odd about the source.
        error, hint: of what failed; the hint marks fields as `{force}`, see `Door`.
        problem: whose fault it is; None unless failed.
    """

    source: str
    destination: str
    result: Result
    format: str
    seconds: float | None
    sample_rate: int | None
    channels: int | None
    changes: list[str]
    warnings: list[str]
    error: str | None
    hint: str | None
    problem: Problem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is new under an address.

    Attributes:
        conversions: to do now.
        waiting: rows of files that somebody seems to be writing.
        notes: what else was left out, in words.
    """

    conversions: tuple[Conversion, ...]
    waiting: tuple[Row, ...]
    notes: tuple[str, ...]


class Watch(Protocol):
    """Told how many files go on. Called from several threads; it must not raise."""

    def say(self, text: str) -> None:
        """Show one sentence."""
        ...

    def moved(self, index: int, fraction: float) -> None:
        """Take note of the share done of one file, 0 to 1."""
        ...

    def ended(self, index: int, row: Row) -> None:
        """Take note of the end of one file."""
        ...


class Unwatched:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def moved(self, index: int, fraction: float) -> None:
        """Show nothing."""

    def ended(self, index: int, row: Row) -> None:
        """Show nothing."""


def memory_of(source: str, destination: str) -> Place:
    """Return the folder that remembers what was converted: the destination, else the source.

    Args:
        source: a folder, a pattern or a file.
        destination: a folder; empty where files are written beside their sources.
    """
    if destination:
        return parse_place(destination, "destination")
    place = parse_place(source, "source")
    expanded = expand(place)
    if expanded is not None:
        return expanded[0]
    return place if look(place) is None else place.parent


def find_news(
    listing: Listing, memory: Place, options: ConversionOptions, quiet_seconds: float
) -> News:
    """Choose what is new or has changed since it was converted.

    Args:
        listing: everything that is there.
        memory: folder that remembers what was converted.
        options: how it will be converted.
        quiet_seconds: a file of this machine that changed so lately may be in the making: it is
            left for the next time.
    """
    ledger, now = _ledger(memory, options), time.time()
    news: list[Conversion] = []
    waiting: list[Row] = []
    hopeless = 0
    for each in listing.conversions:
        modified = each.source.modified
        if ledger.wrote(each.source.place) or ledger.is_done(each):
            continue
        if ledger.is_hopeless(each):
            hopeless += 1
        elif modified is not None and abs(now - modified) < quiet_seconds:
            waiting.append(row_of(each, "changing"))
        else:
            news.append(each)
    notes = (f"{hopeless} could not be read before and did not change.",) if hopeless else ()
    return News(conversions=tuple(news), waiting=tuple(waiting), notes=notes)


def convert_files(
    conversions: Sequence[Conversion],
    options: ConversionOptions,
    *,
    force: bool = False,
    jobs: int = 0,
    remember: Place | None = None,
    watch: Watch | None = None,
) -> list[Row]:
    """Convert files, several at a time; one that fails is a row that says so.

    A signal lets files that are nearly done finish and drops the others: nothing is left in part.

    Args:
        conversions: from where to where.
        options: how; its `ffmpeg` None looks for the program.
        force: write over files that exist.
        jobs: files at the same time; 0 for one per processor.
        remember: destination that keeps a ledger; what it wrote before may be written over.
        watch: told how it goes.

    Returns:
        One row per file, in the order given.
    """
    watch = watch or Unwatched()
    ledger = None if remember is None else _ledger(remember, options)
    for folder in {each.target.parent for each in conversions}:
        if folder.local is not None:
            remove_ownerless(folder.local)
    with suppress(OSError):
        remove_ownerless(Path(tempfile.gettempdir()))
    rows: dict[int, Row] = {}
    stopping = SafeStop(lambda _: watch.say(_STOPPING))
    with stopping as stop, ThreadPoolExecutor(worker_count(jobs, len(conversions))) as pool:
        asked = stop.for_threads()
        waiting: dict[Future[Row], int] = {}
        try:
            for index, each in enumerate(conversions):
                work = _Work(each, options, force, ledger, asked, _moving(watch, index))
                waiting[pool.submit(work.row)] = index
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                stop.between_units()
                for future in done:
                    index = waiting.pop(future)
                    rows[index] = future.result()
                    watch.ended(index, rows[index])
        finally:
            pool.shutdown(cancel_futures=True)
    return [rows[index] for index in sorted(rows)]


def _ledger(memory: Place, options: ConversionOptions) -> Ledger:
    from musiccore.conversion.ledger import Ledger

    return Ledger(memory, options)


def worker_count(jobs: int, files: int) -> int:
    """Return how many files are converted at the same time.

    Raises:
        ConfigError: if `jobs` is out of range.
    """
    if not 0 <= jobs <= MAX_JOBS:
        raise ConfigError(f"jobs is {jobs}", hint=f"1 to {MAX_JOBS}, or 0: one per processor")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return max(1, min(jobs or processors or os.cpu_count() or 1, files))


def _moving(watch: Watch, index: int) -> Callable[[float], None]:
    return lambda fraction: watch.moved(index, fraction)


class _Changing(Exception):
    """The source changed while it was converted."""


class _Work:
    """One file, in a thread of its own."""

    def __init__(
        self,
        conversion: Conversion,
        options: ConversionOptions,
        force: bool,
        ledger: Ledger | None,
        stop: Stop,
        moved: Callable[[float], None],
    ) -> None:
        self._conversion, self._options, self._ledger = conversion, options, ledger
        self._force = force or (ledger is not None and ledger.wrote(conversion.target))
        self._stop, self._moved = stop, moved
        self._stage = Stage()

    def row(self) -> Row:
        """Convert it and say how it ended."""
        self._stop.between_units()
        each = self._conversion
        try:
            if not self._force and look(each.target) is not None:
                return row_of(each, "exists")
            result = self._made()
        except _Changing:
            return row_of(each, "changing")
        except MusicCoreError as error:
            return self._failed(error)
        except Exception as error:  # ours to mend, and no reason to stop the others
            log.exception("converting %s", each.source.place)
            return row_of(each, "failed", error=f"{type(error).__name__}: {error}", problem="fault")
        row = row_of(each, "written", result)
        if self._ledger is not None:
            try:
                self._ledger.finish(each, {"seconds": row["seconds"], "format": row["format"]})
            except StorageError as error:  # the file is there; it is made once more next time
                row["warnings"].append(f"not remembered: {error.message}")
        return row

    def _made(self) -> ConversionResult:
        source, target = self._conversion.source, self._conversion.target
        with self._stage.opened(target):
            file = self._stage.fetched(source, self._reach(0.0, _FETCHED))
            copied = file != source.place.local
            progress = self._reach(_FETCHED if copied else 0.0, 1.0)
            result = convert(file, self._stage.made(), self._options, progress=progress)
            if self._ledger is not None:
                now = look(source.place)
                if now is None or now.version != source.version:
                    raise _Changing
                self._ledger.begin(self._conversion)
            self._stage.publish(force=self._force)
            return result

    def _reach(self, start: float, end: float) -> Callable[[float], None]:
        def reached(fraction: float) -> None:
            done = start + (end - start) * fraction
            self._stop.inside_unit(done)
            self._moved(done)

        return reached

    def _failed(self, error: MusicCoreError) -> Row:
        message, problem = self._stage.explained(error)
        row = row_of(
            self._conversion, "failed", error=message, hint=error.marked_hint, problem=problem
        )
        passing = isinstance(error, StorageError) or isinstance(error.__cause__, OSError)
        if self._ledger is not None and problem == "source" and not passing:
            with suppress(StorageError):
                self._ledger.give_up(self._conversion, {"error": message})
        return row


def row_of(
    conversion: Conversion,
    result: Result,
    made: ConversionResult | None = None,
    *,
    error: str | None = None,
    hint: str | None = None,
    problem: Problem | None = None,
) -> Row:
    """Return how a file ended; see `Row`."""
    return Row(
        source=str(conversion.source.place),
        destination=str(conversion.target),
        result=result,
        format="" if made is None else format_words(made),
        seconds=None if made is None else round(made.seconds, 3),
        sample_rate=None if made is None else made.sample_rate,
        channels=None if made is None else made.channels,
        changes=[] if made is None else list(made.changes),
        warnings=[] if made is None else list(made.warnings),
        error=error,
        hint=hint,
        problem=problem,
    )


def format_words(made: ConversionResult) -> str:
    """Return what a file is, for a person: `flac, 24 bit, 44100 Hz, stereo`."""
    if made.bitrate is not None:
        depth = f"{made.bitrate} kbit/s"
    else:
        bits = bits_of(made.subtype)
        depth = f"{bits} bit" if bits.isdigit() else bits
    channels = {1: "mono", 2: "stereo"}.get(made.channels, f"{made.channels} channels")
    return f"{made.kind}, {depth}, {made.sample_rate} Hz, {channels}"
