"""Read a run again, byte by byte, and list every doubt. Repairs nothing, guesses nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from musiccore.errors import ConfigError, NotFound, StorageError
from musiccore.journal.keys import COPY_KEY, RECORD, RUN_KEY
from musiccore.journal.manifest import MAX_RUN_RECORD_BYTES, RunRecord
from musiccore.journal.records import MAX_RECORD_BYTES, Event, Replay, decode_record, link_of
from musiccore.storage.sealed import Json, sha256, unseal
from musiccore.storage.store import BlobRef, Store, validate_run_id

BLOB = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{64})")
_DERIVED: Final = ("export/", "heartbeat/", "quarantine/", "rounds/", "spool/")
TIPS: Final = {"log": "tip.json", "choices": "choices/tip.json"}
_TIP_LAG: Final = 1  # a worker may die between a record and its hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing that is not as it was written.

    Attributes:
        key: object below the run.
        message: one sentence.
    """

    key: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `verify` found.

    Attributes:
        run_id: the run.
        n_records: log records read.
        n_blobs: blobs read.
        n_bytes: bytes read, all together.
        n_unreferenced: intact blobs that no record names; leftovers of a killed worker.
        events: facts of the log as far as it could be read; each with its epoch and owner.
        n_choices: choices of people read.
        doubts: everything that is not as it was written; empty for a sound run.
    """

    run_id: str
    n_records: int
    n_blobs: int
    n_bytes: int
    n_unreferenced: int
    n_choices: int
    events: tuple[Event, ...]
    doubts: tuple[Doubt, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is in doubt."""
        return not self.doubts


def verify_run(store: Store, run_id: str) -> Verification:
    """Read every record and blob of a run again.

    Args:
        store: the store's root.
        run_id: the run; it may be damaged in any way.

    Raises:
        ConfigError: if the run id is not one.
        NotFound: if there is nothing of this name.
    """
    folder = store.at(validate_run_id(run_id))
    if not folder.list():
        raise NotFound(f"run: there is no run {run_id} in {store.location()}")
    return _Audit(folder, run_id).report()


class _Audit:
    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.doubts: list[Doubt] = []
        self.replay = Replay()
        self.n_bytes = 0
        self.kept: list[BlobRef] = []  # by run.json: what is used of the primer
        self.heads: dict[tuple[str, int], str] = {}
        # before the listing, which may then only be longer
        self.tips = {folder: self._tip(key) for folder, key in TIPS.items()}
        self.sizes = store.list()

    def report(self) -> Verification:
        from musiccore.takes.choice import (
            MadeChoice,  # pydantic; who only opens a journal needs none
        )

        head = self._run_record()
        records = self._records("log", head, self.replay.add)
        choices = self._records("choices", head, MadeChoice.of)
        self._forget_given_up()
        for event in self.replay.excluded:
            self._doubt(f"log/{event.seq:08d}.json", "was written by a worker without a claim")
        self._check_copy()
        self._check_tip("log", max(records, default=0))
        self._check_tip("choices", max(choices, default=0))
        blobs, unreferenced = self._blobs()
        for key in self.sizes:
            known = key in (RUN_KEY, COPY_KEY, *TIPS.values(), "manifest.json")
            known = known or key.startswith(_DERIVED)
            if not (known or RECORD.fullmatch(key) or BLOB.fullmatch(key)):
                self._doubt(key, "does not belong to a run")
        return Verification(
            run_id=self.run_id,
            n_records=len(records),
            n_blobs=blobs,
            n_bytes=self.n_bytes,
            n_unreferenced=unreferenced,
            n_choices=len(choices),
            events=tuple(self.replay.events),
            doubts=tuple(self.doubts),
        )

    def _forget_given_up(self) -> None:
        """Take back the doubts about records that a repair gave up and wrote down."""
        for folder in TIPS:
            numbers = self.replay.given_up[folder]
            keys = {f"{folder}/{seq:08d}.json" for seq in numbers}
            self.doubts = [doubt for doubt in self.doubts if doubt.key not in keys]

    def _doubt(self, key: str, message: str) -> None:
        self.doubts.append(Doubt(key=key, message=message))

    def _read(self, key: str, limit: int | None) -> bytes | None:
        try:
            data = self.store.get(key, limit=limit)
        except NotFound:
            self._doubt(key, "is missing")
            return None
        except StorageError as error:
            self._doubt(key, error.message)
            return None
        self.n_bytes += len(data)
        return data

    def _run_record(self) -> str | None:
        data = self._read(RUN_KEY, MAX_RUN_RECORD_BYTES)
        if data is None:
            return None
        try:
            record = RunRecord.from_bytes(data, run_id=self.run_id)
            self.kept = [ref for ref, _ in _references(dict(record.numerics))]
        except (StorageError, ConfigError) as error:
            self._doubt(RUN_KEY, error.message)
        else:
            if COPY_KEY in self.sizes and self._read(COPY_KEY, MAX_RUN_RECORD_BYTES) != data:
                self._doubt(COPY_KEY, "is damaged: it is no copy of run.json")
        return sha256(data)

    def _check_copy(self) -> None:
        claims = [event for event in self.replay.events if event.type == "claim"]
        if any(event.fields.get("copy") for event in claims) and COPY_KEY not in self.sizes:
            self._doubt(COPY_KEY, "is missing")

    def _records(self, folder: str, head: str | None, take: Callable[[Event], object]) -> list[int]:
        names = (RECORD.fullmatch(key) for key in self.sizes)
        found = sorted(int(name[2]) for name in names if name and name[1] == folder)
        for seq in range(1, max(found, default=0) + 1):
            key = f"{folder}/{seq:08d}.json"
            data = self._read(key, MAX_RECORD_BYTES)
            if data is None:
                head = None
                continue
            self.heads[folder, seq] = sha256(data)
            if head is None and folder == "log":
                self.replay.gap()
            try:
                take(decode_record(data, seq=seq, prev=head or link_of(data)))
            except StorageError as error:
                self._doubt(key, error.message)
            head = self.heads[folder, seq]
        return found

    def _tip(self, key: str) -> tuple[int, str] | None:
        try:
            body = unseal(self.store.get(key, limit=4096), what=key)
        except NotFound:
            return None
        except StorageError as error:
            self._doubt(key, error.message)
            return None
        seq, digest = body.get("seq"), body.get("record_sha256")
        if type(seq) is int and isinstance(digest, str):
            return seq, digest
        self._doubt(key, "is damaged: a field is missing")
        return None

    def _check_tip(self, folder: str, last: int) -> None:
        tip, name = self.tips[folder], TIPS[folder]
        if tip is None:
            if last > _TIP_LAG and not any(doubt.key == name for doubt in self.doubts):
                self._doubt(name, "is missing, so a lost end of the log would go unnoticed")
            return
        seq, digest = tip
        key = f"{folder}/{seq:08d}.json"
        if seq > last:
            self._doubt(key, f"is missing: record {seq} was written, {last} is last")
        elif last - seq > _TIP_LAG:
            self._doubt(name, f"is stale: it names record {seq}, {last} is the last one")
        elif (folder, seq) in self.heads and self.heads[folder, seq] != digest:
            self._doubt(key, "is not the record that was written last")

    def _blobs(self) -> tuple[int, int]:
        """Check blobs that records name, then those that nobody names; return how many."""
        named: set[str] = set()
        purged = self._purged()
        for event in reversed(self.replay.events):  # of a file made again, the last record counts
            for ref, path in references(event):
                key = path or ref.key
                if key not in named and key not in purged:
                    named.add(key)
                    self._check_content(key, ref, f"record {event.seq}")
        encoded = any(event.type == "primer" for event in self.replay.events)
        for ref in self.kept:
            if ref.key not in named and (not encoded or ref.key in self.sizes):
                named.add(ref.key)
                self._check_content(ref.key, ref, "run.json")
        loose = 0
        for key in self.sizes:
            match = BLOB.fullmatch(key)
            if match is None or key in named:
                continue
            data = self._read(key, None)
            if data is not None and (sha256(data) != match[2] or match[2][:2] != match[1]):
                self._doubt(key, "is damaged: its content does not have its name")
            loose += 1
        return sum(1 for key in self.sizes if BLOB.fullmatch(key)), loose

    def _purged(self) -> set[str]:
        """Return the objects that somebody removed for good."""
        removed: set[str] = set()
        for event in self.replay.events:
            if event.type == "purge":
                try:
                    ref = BlobRef.from_json(event.fields.get("removed"))
                    keys = json.loads(self.store.get_blob(ref))
                    removed.update(key for key in keys if key not in self.sizes)
                except (StorageError, ValueError) as error:
                    self._doubt(f"log/{event.seq:08d}.json", f"names no list of objects: {error}")
        return removed

    def _check_content(self, key: str, ref: BlobRef, who: str) -> None:
        data = self._read(key, ref.size)
        if data is not None and BlobRef.of(data) != ref:
            self._doubt(key, f"is damaged: it is not what {who} names")


def references(event: Event) -> Iterator[tuple[BlobRef, str | None]]:
    """Yield every blob that a record names, with the path where it is a derived file."""
    return _references(dict(event.fields))


def _references(value: Json) -> Iterator[tuple[BlobRef, str | None]]:
    """Yield every blob reference inside a record, with the path if it is a derived file."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if {"sha256", "size"} <= value.keys():
            path = value.get("path")
            yield BlobRef.from_json(value), path if isinstance(path, str) else None
        for item in value.values():
            yield from _references(item)
