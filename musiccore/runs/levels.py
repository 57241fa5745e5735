"""The durable loop over the windows of one level; knows neither Prefect nor torch.

Every window is looked up in the log by level, takes, index and the digest of everything that
decides its codes. What is found is read back, what is missing is sampled, stored, and recorded
before the next window begins. So a kill costs the window in progress and nothing else, and another
choice of takes or another request never meets codes that are not its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from musiccore.errors import CodesError, Corrupt
from musiccore.journal.records import Event
from musiccore.models.codes import from_npy, to_npy
from musiccore.sampling.windows import Window, upper_span
from musiccore.storage.sealed import Json, canonical_json
from musiccore.storage.store import BlobRef, Digest
from musiccore.work.progress import LevelMeter, LevelStart, Reporter, Silent
from musiccore.work.stop import NeverStop, Stop

CodeArray = npt.NDArray[np.int64]
AfterUnit = Callable[["Unit", Mapping[int, CodeArray]], None]


class RunLog(Protocol):
    """The log and the blobs of one run, claimed by this process: `musiccore.Journal`."""

    def events_of(self, *types: str) -> Sequence[Event]:
        """Return the records of some types that count, oldest first."""
        ...

    def window(self, *, level: int, group: int, index: int, inputs: str) -> Event | None:
        """Return the record of a finished window, if there is one from these inputs."""
        ...

    def append_window(
        self,
        *,
        level: int,
        group: int,
        index: int,
        start: int,
        n_new: int,
        takes: list[int],
        blob: BlobRef,
        inputs: str,
    ) -> Event:
        """Commit a window; it is durable when this returns."""
        ...

    def append(self, type: str, /, **fields: Json) -> Event:
        """Commit a record; it is durable when this returns."""
        ...

    def put_blob(self, data: bytes) -> BlobRef:
        """Store bytes; they can be read back when this returns."""
        ...

    def get_blob(self, ref: Digest) -> bytes:
        """Read bytes and check them."""
        ...

    def heal_blob(self, ref: BlobRef, data: bytes) -> None:
        """Put bytes that were made again in the place of damaged ones."""
        ...


class WindowSampler(Protocol):
    """Samples one window of one group of takes."""

    def __call__(
        self,
        unit: Unit,
        codes: CodeArray,
        upper: CodeArray | None,
        on_step: Callable[[int], None],
    ) -> CodeArray:
        """Return the new codes of a window.

        Args:
            unit: which window of which takes.
            codes: [B, unit.window.first_new] codes known so far.
            upper: [B, n] codes of the level above that condition this window, or None.
            on_step: told the number of positions sampled so far; may raise to stop.

        Returns:
            int64 [B, unit.window.new].
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One window of one group of takes: what a kill can cost at most."""

    level: int
    group: int
    takes: tuple[int, ...]
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWork:
    """Everything that decides the codes of one level.

    Attributes:
        n_codes: codes wanted per take.
        windows: in sampling order, as planned from the primer on.
        groups: takes that share a pass of the model, as planned.
        identity: what else decides the numbers (weights, options, seed, labels); JSON values.
        known: [n_known] codes at the beginning, the same for every take.
        given: further codes that are there already: (position of the first, [n] codes).
        label: what else than a whole level this is, such as `audition`.
        upper: take → [n] all codes of the level above; None at the top.
        upper_factor: codes of this level per upper code.
    """

    level: int
    n_codes: int
    windows: tuple[Window, ...]
    groups: tuple[tuple[int, ...], ...]
    identity: Mapping[str, object]
    known: CodeArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    given: tuple[tuple[int, CodeArray], ...] = ()
    label: str = ""
    upper: Mapping[int, CodeArray] | None = None
    upper_factor: int = 1

    @property
    def takes(self) -> tuple[int, ...]:
        """All takes in order."""
        return tuple(take for group in self.groups for take in group)

    @property
    def units(self) -> list[Unit]:
        """All units in sampling order: group by group, so that caches stay with their rows."""
        return [
            Unit(level=self.level, group=group, takes=takes, window=window)
            for group, takes in enumerate(self.groups)
            for window in self.windows
        ]

    def digest(self) -> str:
        """Return the digest of everything that decides this level."""
        upper = self.upper
        facts: dict[str, object] = {
            "identity": self.identity,
            "groups": self.groups,
            "windows": [_place(window) for window in self.windows],
            "known": codes_sha256(self.known),
            "upper": None if upper is None else [codes_sha256(upper[t]) for t in self.takes],
        }
        if self.given:
            facts["given"] = [(start, codes_sha256(codes)) for start, codes in self.given]
        return _digest(facts)

    def canvas(self) -> CodeArray:
        """Return codes [n_codes] with everything that is there before sampling, 0 elsewhere."""
        codes = np.zeros(self.n_codes, dtype=np.int64)
        for start, part in ((0, self.known), *self.given):
            codes[start : start + len(part)] = part
        return codes


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult:
    """A finished level.

    Attributes:
        codes: take → int64 [n_codes].
        sha256: digest of the codes of all takes, in order.
        sampled: windows that this call sampled; the others were in the store.
    """

    level: int
    codes: Mapping[int, CodeArray]
    sha256: str
    sampled: int


def codes_sha256(codes: CodeArray) -> str:
    """Return the digest of codes: that of their `.npy` file, so that anyone can recompute it."""
    return hashlib.sha256(to_npy(np.atleast_2d(codes))).hexdigest()


def finish_level(
    work: LevelWork,
    log: RunLog,
    sample: WindowSampler,
    *,
    show: Reporter | None = None,
    stop: Stop | None = None,
    after: AfterUnit | None = None,
) -> LevelResult:
    """Bring a level to its end: read what is stored, sample the rest window by window.

    Args:
        work: the level.
        log: claimed journal of the run.
        sample: called once for each missing window.
        show: shows progress.
        stop: asked at safe points.
        after: told each unit that is safe in the store, and the codes so far by take.

    Raises:
        Fenced: if another worker has claimed the run; nothing is touched afterwards.
        Corrupt: if a damaged window does not come out as it was recorded.
    """
    show, stop = show or Silent(), stop or NeverStop()
    level_digest = work.digest()
    stored = stored_level(work, log)
    if stored is not None:
        return stored
    units = work.units
    records = [_record(work, level_digest, unit, log) for unit in units]
    meter = LevelMeter(_start(work, units, records), show)
    sampled = 0
    filled = {take: work.canvas() for take in work.takes}
    for unit, record in zip(units, records, strict=True):
        stop.between_units()
        new = None if record is None else _read_unit(unit, record, log)
        if new is None:
            codes = np.stack([filled[take][: unit.window.first_new] for take in unit.takes])
            new = _sample_unit(work, unit, codes, sample, meter, stop, counted=record is not None)
            _commit_unit(unit, unit_digest(work, level_digest, unit), new, record, log)
            sampled += 1
            if record is None:
                meter.window_done(unit.window.new * len(unit.takes))
        first = unit.window.first_new
        for row, take in enumerate(unit.takes):
            filled[take][first : first + unit.window.new] = new[row]
        if after is not None:
            after(unit, filled)
    stop.between_units()
    return _commit_level(work, level_digest, filled, sampled, log)


def stored_level(work: LevelWork, log: RunLog) -> LevelResult | None:
    """Return a level that is finished and whole in the store, None otherwise."""
    inputs = work.digest()
    for event in log.events_of("level_done"):
        if event.fields.get("inputs") != inputs:
            continue
        try:
            codes = _read_codes(event, (len(work.takes), work.n_codes), log)
        except Corrupt:
            continue  # the windows are the second copy
        return LevelResult(
            level=work.level,
            codes=dict(zip(work.takes, codes, strict=True)),
            sha256=codes_sha256(codes),
            sampled=0,
        )
    return None


def windows_done(work: LevelWork, log: RunLog) -> int:
    """Return how many windows of a level are recorded."""
    digest = work.digest()
    return sum(_record(work, digest, unit, log) is not None for unit in work.units)


def unit_digest(work: LevelWork, level_digest: str, unit: Unit) -> str:
    """Return the digest of everything that decides one window."""
    window = unit.window
    return _digest(
        {
            "level": level_digest,
            "takes": unit.takes,
            "window": _place(window),
        }
    )


def _place(window: Window) -> list[int]:
    place = [window.index, window.start, window.end, window.known]
    return place if window.stop is None else [*place, window.stop]


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _record(work: LevelWork, level_digest: str, unit: Unit, log: RunLog) -> Event | None:
    inputs = unit_digest(work, level_digest, unit)
    return log.window(level=unit.level, group=unit.group, index=unit.window.index, inputs=inputs)


def _start(work: LevelWork, units: Sequence[Unit], records: Sequence[Event | None]) -> LevelStart:
    sizes = [unit.window.new * len(unit.takes) for unit in units]
    have = [record is not None for record in records]
    return LevelStart(
        level=work.level,
        windows=len(units),
        windows_done=sum(have),
        codes=sum(sizes),
        codes_done=sum(size for size, there in zip(sizes, have, strict=True) if there),
    )


def _read_unit(unit: Unit, record: Event, log: RunLog) -> CodeArray | None:
    """Return stored codes, or None where the bytes are damaged and must be made again."""
    try:
        return _read_codes(record, (len(unit.takes), unit.window.new), log)
    except Corrupt:
        return None


def _read_codes(record: Event, shape: tuple[int, int], log: RunLog) -> CodeArray:
    data = log.get_blob(BlobRef.from_json(record.fields.get("blob")))
    try:
        codes = from_npy(data)
    except CodesError as error:
        raise Corrupt(error.message) from error
    if codes.shape != shape:
        raise Corrupt(f"stored codes have shape {codes.shape}; expected {shape}")
    return codes.astype(np.int64)


def _sample_unit(
    work: LevelWork,
    unit: Unit,
    codes: CodeArray,
    sample: WindowSampler,
    meter: LevelMeter,
    stop: Stop,
    *,
    counted: bool,
) -> CodeArray:
    window, rows = unit.window, len(unit.takes)
    upper = None
    if work.upper is not None:
        first, end = upper_span(window.start, window.end - window.start, work.upper_factor)
        upper = np.stack([work.upper[take][first:end] for take in unit.takes])
    before = 0

    def on_step(done: int) -> None:
        nonlocal before
        if not counted:
            meter.step((done - before) * rows)
        before = done
        stop.inside_unit(done / window.new)

    new = np.asarray(sample(unit, codes, upper, on_step), dtype=np.int64)
    assert new.shape == (rows, window.new), (new.shape, rows, window.new)
    if not counted:
        meter.back(before * rows)
    return new


def _commit_unit(
    unit: Unit, inputs: str, new: CodeArray, record: Event | None, log: RunLog
) -> None:
    data = to_npy(new)
    if record is not None:  # damaged bytes: the same codes must come out again
        log.heal_blob(BlobRef.from_json(record.fields.get("blob")), data)
        return
    log.append_window(
        level=unit.level,
        group=unit.group,
        index=unit.window.index,
        start=unit.window.start,
        n_new=unit.window.new,
        takes=list(unit.takes),
        blob=log.put_blob(data),
        inputs=inputs,
    )


def _commit_level(
    work: LevelWork,
    level_digest: str,
    filled: Mapping[int, CodeArray],
    sampled: int,
    log: RunLog,
) -> LevelResult:
    codes = np.stack([filled[take] for take in work.takes])
    assert codes.shape == (len(work.takes), work.n_codes), (codes.shape, work.n_codes)
    sha256 = codes_sha256(codes)
    blob = log.put_blob(to_npy(codes))
    label: dict[str, Json] = {"label": work.label} if work.label else {}
    log.append(
        "level_done",
        **label,
        level=work.level,
        takes=list(work.takes),
        n_codes=work.n_codes,
        windows=len(work.units),
        inputs=level_digest,
        codes_sha256=sha256,
        blob={"sha256": blob.sha256, "size": blob.size},
    )
    return LevelResult(level=work.level, codes=dict(filled), sha256=sha256, sampled=sampled)
