"""The journal of a run: a create-only, numbered, hash-chained log in which claims fence each other.

A fact exists when its record exists. A worker claims the run by a record of the next epoch; a worker
whose record finds its number taken by a higher epoch is fenced and stops. Nothing is renamed,
overwritten or deleted, and nothing is inferred from files that merely lie there.

    with Journal.open(store, "my-song") as journal, journal.claimed():
        if journal.window(level=2, group=0, index=0, inputs=digest) is None:
            journal.append("window", ..., blob=journal.put_blob(codes).to_json())
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Self

from musiccore.audit import Report, verify_run
from musiccore.errors import Corrupt, Fenced, NotFound, StorageError, Unavailable
from musiccore.liveness import Heartbeat, Worker, seems_active
from musiccore.manifest import (
    MAX_RUN_RECORD_BYTES,
    RunRecord,
    numerics_differences,
    refuse_differences,
)
from musiccore.records import (
    MAX_RECORD_BYTES,
    Event,
    Json,
    Replay,
    decode_record,
    encode_record,
    seal,
    sha256,
    unseal,
)
from musiccore.storage import AlreadyExists, BlobRef, Digest, Store, validate_run_id

log = logging.getLogger(__name__)

RUN_KEY: Final = "run.json"
TIP_KEY: Final = "tip.json"
HEARTBEAT_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 180.0
_RECORD_NAME = re.compile(r"log/(\d{8})\.json")
_MAX_TIP_BYTES: Final = 4096
_CLAIM_TRIES: Final = 5
_WRITE_TRIES: Final = 4
_RELIST_TRIES: Final = 3


def new_run_id() -> str:
    """Return a fresh run id that sorts by date: `20260131-184512-3fa9c1`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def list_runs(store: Store) -> tuple[str, ...]:
    """Return the ids of the runs in a store, sorted; other folders are passed over."""
    found = []
    for name in store.children():
        with contextlib.suppress(StorageError, ValueError):
            if store.at(validate_run_id(name)).exists(RUN_KEY):
                found.append(name)
    return tuple(found)


def record_key(seq: int) -> str:
    """Return the key of a log record below the run."""
    return f"log/{seq:08d}.json"


class Journal:
    """One run as its records tell it; made by `create` or `open`.

    Args:
        store: the store's root.
        record: the run's record.
        heartbeat: seconds between signs of life while the run is claimed.
        patience: seconds to watch for those of a worker on another machine.
        retry_pause: seconds before a store that did not answer is asked again; doubles.
    """

    def __init__(
        self,
        store: Store,
        record: RunRecord,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        retry_pause: float = 1.0,
    ) -> None:
        self.record = record
        self.owner = secrets.token_hex(8)
        self.store = store.at(record.run_id)
        self._root = store
        self._interval = heartbeat
        self._patience = patience
        self._retry_pause = retry_pause
        self._lock = threading.RLock()
        self._replay = Replay()
        self._windows: dict[tuple[int, int, int, str], Event] = {}
        self._seq = 0
        self._head = sha256(record.to_bytes())
        self._mine = 0
        self._fenced: Fenced | None = None
        self._unsettled: tuple[str, Mapping[str, Json], bytes] | None = None
        self._heartbeat: Heartbeat | None = None

    @classmethod
    def create(
        cls,
        store: Store,
        record: RunRecord,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        retry_pause: float = 1.0,
    ) -> Self:
        """Start a run: write `run.json`, which must not exist.

        Raises:
            ConfigError: if the run id is not one, or the record is not JSON.
            AlreadyExists: if the run exists.
            StorageError: if the store cannot be written.
        """
        validate_run_id(record.run_id)
        data = record.to_bytes()
        try:
            store.at(record.run_id).create(RUN_KEY, data)
        except AlreadyExists as error:
            if store.at(record.run_id).get(RUN_KEY, limit=MAX_RUN_RECORD_BYTES) != data:
                raise AlreadyExists(
                    f"run: {record.run_id} exists already in {store.location()}",
                    hint=f"continue it with `jukeflow resume {record.run_id}` or take another id",
                ) from error
        return cls.open(
            store, record.run_id, heartbeat=heartbeat, patience=patience, retry_pause=retry_pause
        )

    @classmethod
    def open(
        cls,
        store: Store,
        run_id: str,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        retry_pause: float = 1.0,
    ) -> Self:
        """Open a run and read its whole log; writes nothing.

        Raises:
            ConfigError: if the run id is not one.
            NotFound: if there is no such run.
            Corrupt: if a record is damaged or missing; nothing is guessed.
        """
        validate_run_id(run_id)
        try:
            data = store.at(run_id).get(RUN_KEY, limit=MAX_RUN_RECORD_BYTES)
        except NotFound as error:
            raise NotFound(
                f"run: there is no run {run_id} in {store.location()}",
                hint="`jukeflow runs` lists them",
            ) from error
        record = RunRecord.from_bytes(data, run_id=run_id)
        journal = cls(
            store, record, heartbeat=heartbeat, patience=patience, retry_pause=retry_pause
        )
        journal._head = sha256(data)
        journal.refresh()
        return journal

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.record.run_id

    @property
    def events(self) -> tuple[Event, ...]:
        """Facts in order; records of a worker that had lost its claim are not among them."""
        return tuple(self._replay.events)

    @property
    def epoch(self) -> int:
        """Number of the last claim, 0 before the first."""
        return self._replay.epoch

    @property
    def claim_in_force(self) -> Event | None:
        """The claim that nobody released or took over, ours or another's."""
        return self._replay.claim

    def events_of(self, *types: str) -> tuple[Event, ...]:
        """Return the facts of some types, in order."""
        return tuple(event for event in self._replay.events if event.type in types)

    def window(self, *, level: int, group: int, index: int, inputs: str) -> Event | None:
        """Return the finished window of this place that was made from these inputs, if any.

        Args:
            level: level of the codes.
            group: number of the batch group.
            index: number of the window at its level.
            inputs: digest of all that decides its codes.
        """
        return self._windows.get((level, group, index, inputs))

    def refresh(self) -> None:
        """Read the records that came since the last look.

        Raises:
            Corrupt: if the log has a gap, lost its end, or holds a damaged record.
        """
        with self._lock:
            tip = self._read_tip()  # before the listing, so that it is never ahead of it honestly
            last = self._last_listed()
            if tip is not None and tip[0] > last:
                raise Corrupt(
                    f"run {self.run_id} lost the end of its log: record {tip[0]} was written, "
                    f"{last} is the last one there",
                    hint=f"`jukeflow verify {self.run_id}` lists what is there",
                )
            for seq in range(self._seq + 1, last + 1):
                try:
                    data = self.store.get(record_key(seq), limit=MAX_RECORD_BYTES)
                except NotFound as error:
                    raise self._gap(seq) from error
                self._take(decode_record(data, seq=seq, prev=self._head))
                if tip is not None and tip[0] == seq and tip[1] != self._head:
                    raise Corrupt(f"log record {seq} of run {self.run_id} was exchanged")

    def claim(self, *, take_over: bool = False) -> int:
        """Become the worker of this run.

        Args:
            take_over: do so although another worker seems to be at work; it will be fenced.

        Returns:
            The epoch of the claim.

        Raises:
            Fenced: if another worker seems active or claimed the run at the same moment.
            StorageError: if the store cannot keep workers apart, or cannot be written.
        """
        with self._lock:
            if self._mine:
                self._check_held()
                return self._mine
            self._root.probe()
            self.refresh()
            self._fenced = None
            if self.claim_in_force is not None and self.claim_in_force.owner == self.owner:
                return self._hold(self.epoch)  # its reply was lost, or its release failed
            if not take_over:
                self._refuse_active()
            for _ in range(_CLAIM_TRIES):
                epoch = self.epoch + 1
                data = self._encode("claim", {"worker": Worker.this().to_json()}, epoch=epoch)
                if self._write(data):
                    self._unsettled = None  # of our older claim: excluded, should it still arrive
                    return self._hold(epoch)
                if not take_over and self.epoch >= epoch:
                    break
            raise Fenced(
                f"another worker claimed run {self.run_id} a moment ago",
                hint="let it finish; `jukeflow show` tells how far it is",
            )

    def release(self) -> None:
        """Say that this worker stops; the next one need not wait. No effect without a claim.

        Raises:
            Fenced: if another worker took the run over.
        """
        with self._lock:
            if not self._mine:
                return
            try:
                self.append("release")
            finally:
                self._stop()

    @contextlib.contextmanager
    def claimed(self, *, take_over: bool = False) -> Iterator[Self]:
        """Hold the claim for a `with` block and release it however the block ends.

        Raises:
            Fenced: as `claim`.
        """
        self.claim(take_over=take_over)
        try:
            yield self
        finally:
            try:
                if self._fenced is None:
                    self.release()
            except StorageError as error:  # the work is safe; the next worker may have to wait
                log.warning("run %s not released: %s", self.run_id, error.message)
            finally:
                self._stop()

    def check_held(self) -> None:
        """Look whether the claim still holds; for long work between two records.

        Raises:
            Fenced: if another worker took the run over.
            StorageError: if the run was never claimed.
        """
        with self._lock:
            self._check_held()
            self.refresh()
            self._check_held()

    def append(self, type: str, /, **fields: Json) -> Event:
        """Commit one fact; when this returns it can be read back by anyone.

        Args:
            type: one of `records.RECORD_TYPES`.
            **fields: what it says; JSON, with the rest of the record at most 64 KiB. Blobs come
                first (`put_blob`), their references go in here.

        Raises:
            Fenced: if another worker took the run over; this one must stop.
            Unavailable: if the store did not answer; the same call may be made again.
            ConfigError: if the fields do not fit a record.
            StorageError: if the run is not claimed or the store refused.
        """
        with self._lock:
            self._check_held()
            settled = self._settle(type, fields)
            if settled is not None:
                return settled
            data = self._encode(type, fields, epoch=self._mine)
            event = self._commit(type, fields, data)
            self._write_tip_if_possible()
            return event

    def acknowledge(self, type: str, /, **fields: Json) -> Event:
        """Commit a fact that nobody can compute again, such as a person's choice.

        Returns only when the record and the hint about the end of the log are both stored, so that
        even the loss of the last record would be noticed.

        Raises:
            StorageError: as `append`, and if the hint could not be stored.
        """
        with self._lock:
            event = self.append(type, **fields)
            self._write_tip()
            return event

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
        """Commit the new codes of one window.

        Args:
            level: level of the codes.
            group: number of the batch group.
            index: number of the window at its level.
            start: first code of the window.
            n_new: codes that are new in it.
            takes: numbers of the takes in the batch, in row order.
            blob: the codes.
            inputs: digest of all that decides them.
        """
        return self.append(
            "window",
            level=level,
            group=group,
            index=index,
            start=start,
            n_new=n_new,
            takes=list(takes),
            blob=blob.to_json(),
            inputs=inputs,
        )

    def put_blob(self, data: bytes) -> BlobRef:
        """Store bytes of this run under their digest; see `Store.put_blob`."""
        return self.store.put_blob(data)

    def get_blob(self, ref: Digest) -> bytes:
        """Read bytes of this run and compare them with their name; see `Store.get_blob`."""
        return self.store.get_blob(ref)

    def heal_blob(self, ref: BlobRef, data: bytes) -> None:
        """Put regenerated content in the place of a missing or damaged blob and record it.

        Damaged bytes are kept in `quarantine/`.

        Raises:
            Corrupt: if `data` is not what was recorded; nothing is written then.
        """
        if BlobRef.of(data) != ref:
            raise Corrupt(
                f"blob {ref.sha256[:12]} of run {self.run_id} cannot be healed: computing it again "
                "gave other bytes",
                hint="resume on the machine and versions that made it",
            )
        with self._lock:
            self._check_held()
            with contextlib.suppress(NotFound):
                found = self.store.get(ref.key)
                if found != data:
                    self.store.put(f"quarantine/{ref.sha256}-{sha256(found)[:16]}", found)
            self.store.put_blob(data)
            self.append("repair", blob=ref.to_json())

    def check_numerics(
        self, numerics: Mapping[str, Json], models: Mapping[str, str], *, consent: bool = False
    ) -> None:
        """Compare what decides the numbers here with what the run has.

        Args:
            numerics: of this worker, same fields as `RunRecord.numerics`.
            models: name → sha256 of this worker's weights.
            consent: the user accepts that the rest of the run is not bit-identical; the change is
                recorded, which needs the claim.

        Raises:
            ConfigError: if a field differs and there is no consent; it names each.
        """
        in_force = self.record.numerics_in_force()
        for event in self.events_of("numerics_change"):
            changes = event.fields.get("current")
            in_force.update(changes if isinstance(changes, dict) else {})
        here: dict[str, Json] = {"rng": self.record.rng, **numerics}
        here.update({f"models.{name}": digest for name, digest in models.items()})
        differences = numerics_differences(in_force, here)
        if not consent:
            refuse_differences(self.run_id, differences)
        elif differences:
            self.append(
                "numerics_change",
                recorded={item.field: item.recorded for item in differences},
                current={item.field: item.current for item in differences},
            )

    def verify(self) -> Report:
        """Read every record and blob again and list every doubt."""
        return verify_run(self._root, self.run_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _check_held(self) -> None:
        if self._fenced is not None:
            raise self._fenced
        if not self._mine:
            raise StorageError(f"run {self.run_id} was not claimed by this worker")

    def _hold(self, epoch: int) -> int:
        self._mine = epoch
        self._write_tip_if_possible()
        self._heartbeat = Heartbeat(
            self.store, epoch=epoch, owner=self.owner, interval=self._interval
        )
        self._heartbeat.start()
        self.store.remove_stale_temps()
        return epoch

    def _refuse_active(self) -> None:
        claim = self._replay.claim
        if claim is None:
            return
        worker = Worker.from_json(claim.fields.get("worker"))
        if seems_active(
            self.store, worker, epoch=claim.epoch, owner=claim.owner, patience=self._patience
        ):
            who = f"process {worker.pid} on {worker.host_name}" if worker else claim.owner
            raise Fenced(
                f"another worker seems active on run {self.run_id}: {who}, since {claim.at}",
                hint="let it finish, or take the run over with --take-over; the other one will stop",
            )

    def _encode(self, type: str, fields: Mapping[str, Json], *, epoch: int) -> bytes:
        return encode_record(
            fields,
            seq=self._seq + 1,
            prev=self._head,
            epoch=epoch,
            owner=self.owner,
            nonce=secrets.token_hex(8),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            type=type,
        )

    def _settle(
        self, type: str | None = None, fields: Mapping[str, Json] | None = None
    ) -> Event | None:
        """Finish a write whose outcome is unknown; return its event if it says the same."""
        if self._unsettled is None:
            return None
        old_type, old_fields, data = self._unsettled
        event = self._commit(old_type, old_fields, data)
        self._write_tip_if_possible()
        return event if (old_type, old_fields) == (type, fields) else None

    def _commit(self, type: str, fields: Mapping[str, Json], data: bytes) -> Event:
        self._unsettled = (type, fields, data)
        try:
            won = self._write(data)
        except Unavailable:
            raise  # outcome unknown: this number is never used for anything else
        except StorageError:
            self._unsettled = None
            self._refresh_quietly()  # the record may be there although its folder was not synced
            raise
        self._unsettled = None
        if won:
            return self._replay.events[-1]
        if self._fenced is not None:
            raise self._fenced
        raise Corrupt(
            f"two records of run {self.run_id} have one number under one claim",
            hint=f"`jukeflow verify {self.run_id}` lists what is there",
        )

    def _write(self, data: bytes) -> bool:
        """Write the next record; False if its number belongs to another one (now read)."""
        key = record_key(self._seq + 1)
        pause = self._retry_pause
        for attempt in range(_WRITE_TRIES):
            try:
                self.store.create(key, data)
            except AlreadyExists:
                if self.store.get(key, limit=MAX_RECORD_BYTES) != data:
                    self.refresh()
                    return False
                # else: our own write, its reply was lost
            except Unavailable:
                if attempt == _WRITE_TRIES - 1:
                    raise
                time.sleep(pause)
                pause *= 2
                continue
            break
        self._take(decode_record(data, seq=self._seq + 1, prev=self._head))
        return True

    def _take(self, event: Event) -> None:
        fact = self._replay.add(event)
        self._seq, self._head = event.seq, event.sha256
        if fact and event.type == "window":
            level, group, index, inputs = (
                event.fields.get(name) for name in ("level", "group", "index", "inputs")
            )
            if (
                isinstance(level, int)
                and isinstance(group, int)
                and isinstance(index, int)
                and isinstance(inputs, str)
            ):
                self._windows[level, group, index, inputs] = event
        if self._mine and self.epoch > self._mine:
            self._fence()

    def _fence(self) -> None:
        self._fenced = Fenced(
            f"another worker took over run {self.run_id} (claim {self.epoch}, this one held "
            f"{self._mine}); nothing more was written here",
            hint="let it finish; `jukeflow show` tells how far it is",
        )
        self._stop()

    def _stop(self) -> None:
        self._mine = 0
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._heartbeat = None

    def _last_listed(self) -> int:
        missing = 0
        for _ in range(_RELIST_TRIES):  # a folder is not listed in one instant: look again
            names = (_RECORD_NAME.fullmatch(key) for key in self.store.list("log"))
            numbers = {int(name[1]) for name in names if name}
            last = max(numbers, default=0)
            missing = next((n for n in range(1, last + 1) if n not in numbers), 0)
            if last < self._seq:
                raise self._gap(last + 1)
            if not missing:
                return last
        raise self._gap(missing)

    def _gap(self, seq: int) -> Corrupt:
        return Corrupt(
            f"log record {seq} of run {self.run_id} is missing",
            hint=f"`jukeflow verify {self.run_id}` lists what is there; nothing was guessed",
        )

    def _read_tip(self) -> tuple[int, str] | None:
        try:
            body = unseal(self.store.get(TIP_KEY, limit=_MAX_TIP_BYTES), what=TIP_KEY)
        except NotFound:
            return None
        except Corrupt as error:  # only a hint: `verify` reports it, the next record renews it
            log.warning("run %s: %s", self.run_id, error.message)
            return None
        seq, digest = body.get("seq"), body.get("record_sha256")
        return (seq, digest) if isinstance(seq, int) and isinstance(digest, str) else None

    def _write_tip(self) -> None:
        self.store.put(TIP_KEY, seal({"seq": self._seq, "record_sha256": self._head}))

    def _write_tip_if_possible(self) -> None:
        try:
            self._write_tip()
        except StorageError as error:
            log.warning("run %s: the hint was not written: %s", self.run_id, error.message)

    def _refresh_quietly(self) -> None:
        with contextlib.suppress(StorageError):
            self.refresh()
