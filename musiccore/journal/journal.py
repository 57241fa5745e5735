"""The journal of a run: facts in a create-only log, in which claims fence each other.

A fact exists when its record exists. A worker claims the run by a record of the next epoch; a
worker whose record finds its number taken by a higher epoch is fenced and stops. Nothing is
renamed, overwritten or deleted, and nothing is inferred from files that merely lie there.

    with Journal.open(store, "my-song") as journal, journal.claimed():
        if journal.window(level=2, group=0, index=0, inputs=digest) is None:
            journal.append("window", ..., blob=journal.put_blob(codes).to_json())
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

from musiccore.errors import Corrupt, Fenced, NotFound, StorageError, Unavailable
from musiccore.journal.claim import HEARTBEAT_SECONDS, Claim
from musiccore.journal.heartbeat import Lookout, Worker
from musiccore.journal.keys import RUN_KEY
from musiccore.journal.manifest import (
    MAX_RUN_RECORD_BYTES,
    RunRecord,
    refuse_differences,
)
from musiccore.journal.records import Event
from musiccore.journal.run_log import PATIENCE_SECONDS, RunReader
from musiccore.journal.runs import has_records, keep_copy, read_run_record, without_record
from musiccore.storage.sealed import Json, sha256
from musiccore.storage.store import AlreadyExists, BlobRef, Store, validate_run_id

log = logging.getLogger(__name__)

_CLAIM_TRIES: Final = 5
_MAX_LISTED: Final = 1000
_WINDOW_FIELDS: Final = ("level", "group", "index", "inputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A record whose write was begun and not yet confirmed."""

    type: str
    fields: Mapping[str, Json]
    seq: int
    data: bytes


class Journal(RunReader):
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
        super().__init__(store, record, patience=patience, retry_pause=retry_pause)
        self._claim = Claim(self.store, record.run_id, interval=heartbeat)
        self.owner = self._claim.owner
        self._lock = threading.RLock()
        self._pending: _Pending | None = None

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

        A copy is kept beside it, since nothing else of a run tells all that it tells.

        Raises:
            ConfigError: if the run id is not one, or the record is not JSON.
            AlreadyExists: if the run exists.
            Corrupt: if a run of this name lost its `run.json`.
            StorageError: if the store cannot be written.
        """
        validate_run_id(record.run_id)
        data, folder = record.to_bytes(), store.at(record.run_id)
        if not folder.exists(RUN_KEY) and has_records(folder):
            raise without_record(record.run_id, f"run.json of {record.run_id} is missing")
        try:
            folder.create(RUN_KEY, data)
        except AlreadyExists as error:
            if store.at(record.run_id).get(RUN_KEY, limit=MAX_RUN_RECORD_BYTES) != data:
                raise AlreadyExists(
                    f"run: {record.run_id} exists already in {store.location()}",
                    hint=f"continue it with {{resume {record.run_id}}} or take another name",
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
            NotFound: if there is no such run, or no such store.
            Corrupt: if `run.json` is damaged, or the log is that of another run; nothing is
                guessed. Of a log that is hurt all that is sound is read; see `losses`.
        """
        record = read_run_record(store, run_id)
        journal = cls(
            store, record, heartbeat=heartbeat, patience=patience, retry_pause=retry_pause
        )
        journal.refresh()
        journal.store.keep()
        return journal

    def refresh(self) -> None:
        """Read the records that came since the last look.

        Raises:
            Corrupt: if records that were read are gone, or the log is that of another run.
        """
        with self._lock:
            super().refresh()
            if self._claim.epoch and self.epoch > self._claim.epoch:
                self._claim.lose(self.epoch)

    def claim(
        self,
        *,
        take_over: bool = False,
        lookout: Lookout | None = None,
        say: Callable[[str], None] = log.info,
    ) -> int:
        """Become the worker of this run.

        Args:
            take_over: do so although another worker seems to be at work; it will be fenced.
            lookout: watches workers of other machines, those of other runs too.
            say: told at once, in one sentence, if there is something to wait for.

        Returns:
            The epoch of the claim.

        Raises:
            Fenced: if another worker seems active or claimed the run at the same moment.
            StorageError: if the store cannot keep workers apart, or cannot be written.
        """
        with self._lock:
            if self._claim.epoch:
                self._claim.check()
                return self._claim.epoch
            self._root.probe()
            self.refresh()
            self._claim.begin()
            if self.claim_in_force is not None and self.claim_in_force.owner == self.owner:
                return self._hold(self.epoch)  # its reply was lost, or its release failed
            if not take_over:
                self.refuse_active(lookout, say)
            sentences, lost = self.losses(), self._chain.set_aside()
            copied = keep_copy(self.store, self.record)
            for _ in range(_CLAIM_TRIES):
                epoch = self.epoch + 1
                facts: dict[str, Json] = {"worker": Worker.this().to_json(), "copy": copied}
                data = self._chain.encode("claim", facts, epoch=epoch, owner=self.owner)
                if self._chain.write(data):
                    self._pending = None  # of our older claim: excluded, should it still arrive
                    self._hold(epoch)
                    self._give_up(lost, sentences, say)
                    return epoch
                if not take_over and self.epoch >= epoch:
                    break
            raise Fenced(
                f"another worker claimed run {self.run_id} a moment ago",
                hint="let it finish; `jukeflow show` tells how far it is",
            )

    def _give_up(
        self, lost: tuple[int, ...], sentences: tuple[str, ...], say: Callable[[str], None]
    ) -> None:
        """Write down which records are lost, so that nobody looks for them again."""
        if not sentences:
            return
        holes: list[Json] = [one.seq for one in self._chain.holes]
        exchanged = [self._chain.exchanged] if self._chain.exchanged else []
        self.append("repair", log=[*holes, *exchanged], lost=[*lost[:_MAX_LISTED]])
        for sentence in sentences:
            say(f"run {self.run_id}: {sentence}")

    def release(self) -> None:
        """Say that this worker stops; the next one need not wait. No effect without a claim.

        Raises:
            Fenced: if another worker took the run over.
        """
        with self._lock:
            if not self._claim.epoch:
                return
            try:
                self.append("release")
            finally:
                self._claim.end()

    @contextlib.contextmanager
    def claimed(
        self,
        *,
        take_over: bool = False,
        lookout: Lookout | None = None,
        say: Callable[[str], None] = log.info,
    ) -> Iterator[Self]:
        """Hold the claim for a `with` block and release it however the block ends.

        Args:
            take_over, lookout, say: as `claim`.

        Raises:
            Fenced: as `claim`.
        """
        self.claim(take_over=take_over, lookout=lookout, say=say)
        try:
            yield self
        finally:
            try:
                if not self._claim.is_lost:
                    self.release()
            except StorageError as error:  # the work is safe; the next worker may have to wait
                log.warning("run %s not released: %s", self.run_id, error.message)
            finally:
                self._claim.end()

    def check_held(self) -> None:
        """Look whether the claim still holds; for long work between two records.

        Raises:
            Fenced: if another worker took the run over.
            StorageError: if the run was never claimed.
        """
        with self._lock:
            self._claim.check()
            self.refresh()
            self._claim.check()

    def append(self, type: str, /, **fields: Json) -> Event:
        """Commit one fact; when this returns it can be read back by anyone.

        Args:
            type: one of `records.RECORD_TYPES`.
            **fields: what it says; JSON, with the rest of the record at most 64 KiB. Blobs come
                first (`put_blob`), their references go in here.

        Raises:
            Fenced: if another worker took the run over; this one must stop.
            Gone: if the run is not in its store any more.
            Unavailable: if the store did not answer; the same call may be made again.
            ConfigError: if the fields do not fit a record.
            StorageError: if the run is not claimed or the store refused.
        """
        with self._lock:
            self._claim.check()
            self._check_there()
            settled = self._settle(type, fields)
            if settled is not None:
                return settled
            data = self._chain.encode(type, fields, epoch=self._claim.epoch, owner=self.owner)
            return self._commit(
                _Pending(type=type, fields=fields, seq=self._chain.seq + 1, data=data)
            )

    def acknowledge(self, type: str, /, **fields: Json) -> Event:
        """Commit a fact that nobody can compute again, such as a person's choice.

        Returns only when the record and the hint about the end of the log are both stored, so that
        even the loss of the last record would be noticed.

        Raises:
            StorageError: as `append`, and if the hint could not be stored.
        """
        with self._lock:
            event = self.append(type, **fields)
            self._chain.write_tip()
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
        """Store bytes of this run under their digest; see `Store.put_blob`.

        Raises:
            Gone: if the run is not in its store any more.
        """
        self._check_there()
        return self.store.put_blob(data)

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
            self._claim.check()
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
            numerics: of this worker: `rng` and the fields of `RunRecord.numerics`.
            models: name → sha256 of this worker's weights.
            consent: the user accepts that the rest of the run is not bit-identical; the change is
                recorded, which needs the claim.

        Raises:
            ConfigError: if a field differs and there is no consent; it names each.
        """
        differences = self.numerics_differences(numerics, models)
        if not consent:
            refuse_differences(self.run_id, differences)
        elif differences:
            self.append(
                "numerics_change",
                recorded={item.field: item.recorded for item in differences},
                current={item.field: item.current for item in differences},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._claim.end()

    def _hold(self, epoch: int) -> int:
        self._chain.write_tip_if_possible()
        self._claim.hold(epoch)
        self.store.remove_stale_temps()
        return epoch

    def tell(self, progress: Json) -> None:
        """Let others see how far the work is, with the next sign of life; no fact of the run."""
        self._claim.tell(progress)

    def _settle(self, type: str, fields: Mapping[str, Json]) -> Event | None:
        """Finish a write whose outcome is unknown; return its event if it says the same."""
        pending = self._pending
        if pending is None:
            return None
        if self._chain.seq < pending.seq:
            event = self._commit(pending)
        else:  # it arrived and was read since
            self._pending = None
            digest = sha256(pending.data)
            event = next(item for item in reversed(self.events) if item.sha256 == digest)
        return event if (pending.type, pending.fields) == (type, fields) else None

    def _commit(self, pending: _Pending) -> Event:
        self._pending = pending
        try:
            won = self._chain.write(pending.data)
        except Unavailable:
            raise  # outcome unknown: this number is never used for anything else
        except StorageError:
            self._pending = None
            with contextlib.suppress(StorageError):
                self.refresh()  # the record may be there although its folder was not synced
            raise
        self._pending = None
        if won:
            self._chain.write_tip_if_possible()
            return self._chain.replay.events[-1]
        if self.epoch > self._claim.epoch:
            self._claim.lose(self.epoch)
        self._claim.check()
        raise Corrupt(
            f"record {pending.seq} of run {self.run_id} was written by somebody else",
            hint=f"`jukeflow resume {self.run_id}` goes on after the last sound record",
        )
