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
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from musiccore.errors import Corrupt, Fenced, Gone, NotFound, StorageError, Unavailable
from musiccore.journal.chain import Chain, in_words
from musiccore.journal.heartbeat import Heartbeat, Lookout, Worker
from musiccore.journal.keys import COPY_KEY, RECORD, RUN_KEY
from musiccore.journal.manifest import (
    MAX_RUN_RECORD_BYTES,
    RNG_SCHEME,
    RunRecord,
    numerics_differences,
    refuse_differences,
)
from musiccore.journal.records import Event
from musiccore.storage.sealed import Json, sha256
from musiccore.storage.store import AlreadyExists, BlobRef, Digest, Store, validate_run_id

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 180.0
_CLAIM_TRIES: Final = 5
_MAX_LISTED: Final = 1000
_WINDOW_FIELDS: Final = ("level", "group", "index", "inputs")


def new_run_id() -> str:
    """Return a fresh run id that sorts by date: `20260131-184512-3fa9c1`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def list_runs(store: Store) -> tuple[str, ...]:
    """Return the ids of the runs in a store, sorted; other folders are passed over.

    Runs that cannot be opened are among them, those without their `run.json` too.
    """
    found = []
    for name in store.children():
        with contextlib.suppress(StorageError, ValueError):
            if _is_run(store.at(validate_run_id(name))):
                found.append(name)
    return tuple(found)


def _is_run(folder: Store) -> bool:
    """Return whether a folder is that of a run, which may have lost its `run.json`."""
    with contextlib.suppress(StorageError):
        if folder.exists(RUN_KEY):
            return True
    return has_records(folder)


def has_records(folder: Store) -> bool:
    """Return whether a log or a copy of `run.json` lies in a folder of the store."""
    return folder.exists(COPY_KEY) or any(map(RECORD.fullmatch, folder.list("log")))


def _without_record(run_id: str, what: str) -> Corrupt:
    return Corrupt(
        what,
        hint=f"`jukeflow verify {run_id} --repair` puts it back, where its copy or a delivered "
        "file tells what it held",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A record whose write was begun and not yet confirmed."""

    type: str
    fields: Mapping[str, Json]
    seq: int
    data: bytes


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
        self._lookout = Lookout(patience)
        self._lock = threading.RLock()
        self._chain = Chain(
            self.store, record.run_id, head=sha256(record.to_bytes()), retry_pause=retry_pause
        )
        self._windows: dict[tuple[object, ...], Event] = {}
        self._n_indexed = 0
        self._n_void = 0
        self._mine = 0
        self._fenced: Fenced | None = None
        self._pending: _Pending | None = None
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
            raise _without_record(record.run_id, f"run.json of {record.run_id} is missing")
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
        validate_run_id(run_id)
        try:
            data = store.at(run_id).get(RUN_KEY, limit=MAX_RUN_RECORD_BYTES)
        except NotFound as error:
            if has_records(store.at(run_id)):
                raise _without_record(run_id, f"run.json of {run_id} is missing") from error
            store.require()
            raise NotFound(
                f"run: there is no run {run_id} in {store.location()}",
                hint="`jukeflow runs` lists them",
            ) from error
        except Corrupt as error:
            raise _without_record(run_id, error.message) from error
        try:
            record = RunRecord.from_bytes(data, run_id=run_id)
        except Corrupt as error:
            raise _without_record(run_id, error.message) from error
        journal = cls(
            store, record, heartbeat=heartbeat, patience=patience, retry_pause=retry_pause
        )
        journal.refresh()
        journal.store.keep()
        return journal

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.record.run_id

    @property
    def events(self) -> tuple[Event, ...]:
        """Facts in order; records of a worker that had lost its claim are not among them."""
        return tuple(self._chain.replay.events)

    @property
    def epoch(self) -> int:
        """Number of the last claim, 0 before the first."""
        return self._chain.replay.epoch

    @property
    def claim_in_force(self) -> Event | None:
        """The claim that nobody released or took over, ours or another's."""
        return self._chain.replay.claim

    @property
    def given_up(self) -> Mapping[str, Set[int]]:
        """What repairs gave up: numbers of records of `log` and `choices`, and those `void`."""
        return self._chain.replay.given_up

    def losses(self) -> tuple[str, ...]:
        """Return in sentences what of the log is lost and was not given up yet."""
        chain, known = self._chain, self.given_up["log"]
        found = [
            f"record {one.seq} of the log {one.why}: what it held is made again"
            for one in chain.holes
            if one.seq not in known
        ]
        if chain.tail:
            found.append(
                f"the log lost its end, {in_words(chain.tail)}: it goes on after record "
                f"{chain.seq}, and what came later is made again"
            )
        if chain.exchanged and not chain.tail and chain.exchanged not in known:
            found.append(
                f"record {chain.exchanged} of the log is not the one that was written there: "
                "what that one held is made again"
            )
        return tuple(found)

    def events_of(self, *types: str) -> tuple[Event, ...]:
        """Return the facts of some types, in order."""
        return tuple(event for event in self._chain.replay.events if event.type in types)

    def window(self, *, level: int, group: int, index: int, inputs: str) -> Event | None:
        """Return the finished window of this place that was made from these inputs, if any.

        Args:
            level: level of the codes.
            group: number of the batch group.
            index: number of the window at its level.
            inputs: digest of all that decides its codes.
        """
        events, n_void = self._chain.replay.events, len(self._chain.replay.given_up["void"])
        if n_void != self._n_void:  # facts were given up: what was found may be one of them
            self._windows, self._n_indexed, self._n_void = {}, 0, n_void
        for event in events[self._n_indexed :]:
            if event.type == "window":
                place = tuple(event.fields.get(name) for name in _WINDOW_FIELDS)
                self._windows[place] = event
        self._n_indexed = len(events)
        return self._windows.get((level, group, index, inputs))

    def refresh(self) -> None:
        """Read the records that came since the last look.

        Raises:
            Corrupt: if records that were read are gone, or the log is that of another run.
        """
        with self._lock:
            try:
                self._chain.refresh()
            except Corrupt:
                self._check_there()
                raise
            if self._mine and self.epoch > self._mine:
                self._fence()

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
            if self._mine:
                self._check_held()
                return self._mine
            self._root.probe()
            self.refresh()
            self._fenced = None
            if self.claim_in_force is not None and self.claim_in_force.owner == self.owner:
                return self._hold(self.epoch)  # its reply was lost, or its release failed
            if not take_over:
                self._refuse_active(lookout, say)
            sentences, lost = self.losses(), self._chain.set_aside()
            copied = self._keep_copy()
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
        numbers: list[Json] = [*lost[:_MAX_LISTED]]
        self.append("repair", log=[*holes, *exchanged], lost=numbers)
        for sentence in sentences:
            say(f"run {self.run_id}: {sentence}")

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
            Gone: if the run is not in its store any more.
            Unavailable: if the store did not answer; the same call may be made again.
            ConfigError: if the fields do not fit a record.
            StorageError: if the run is not claimed or the store refused.
        """
        with self._lock:
            self._check_held()
            self._check_there()
            settled = self._settle(type, fields)
            if settled is not None:
                return settled
            data = self._chain.encode(type, fields, epoch=self._mine, owner=self.owner)
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

    def get_blob(self, ref: Digest) -> bytes:
        """Read bytes of this run and compare them with their name; see `Store.get_blob`."""
        try:
            return self.store.get_blob(ref)
        except Corrupt as error:
            raise Corrupt(
                error.message,
                hint=f"`jukeflow verify {self.run_id} --repair` sets it aside; then "
                f"`jukeflow resume {self.run_id}` makes it again",
            ) from error

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
        here: dict[str, Json] = {"rng": RNG_SCHEME, **numerics}
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _check_held(self) -> None:
        if self._fenced is not None:
            raise self._fenced
        if not self._mine:
            raise StorageError(f"run {self.run_id} was not claimed by this worker")

    def _check_there(self) -> None:
        """Refuse to write where the run is not any more: a folder of its name may be another."""
        if not self.store.exists(RUN_KEY):
            raise Gone(
                f"the store went away: run {self.run_id} is not in {self._root.location()} any "
                "more; nothing was written there since",
                hint=f"bring it back, then `jukeflow resume {self.run_id}`; what was finished is "
                "where it went",
            )

    def _keep_copy(self) -> bool:
        """Keep a copy of `run.json` where there is none; return whether there is one."""
        try:
            if not self.store.exists(COPY_KEY):
                self.store.put(COPY_KEY, self.record.to_bytes())
        except StorageError as error:  # the run has its record; the next worker tries again
            log.warning("the copy of run.json was not written: %s", error.message)
            return False
        return True

    def _hold(self, epoch: int) -> int:
        self._mine = epoch
        self._chain.write_tip_if_possible()
        self._heartbeat = Heartbeat(
            self.store, epoch=epoch, owner=self.owner, interval=self._interval
        )
        self._heartbeat.start()
        self.store.remove_stale_temps()
        return epoch

    def tell(self, progress: Json) -> None:
        """Let others see how far the work is, with the next sign of life; no fact of the run."""
        if self._heartbeat is not None:
            self._heartbeat.tell(progress)

    def holder(self, lookout: Lookout | None = None) -> bool | None:
        """Return whether a worker is at work on the run, None while that is being watched.

        Args:
            lookout: watches workers of other machines; asked again later, it knows more.
        """
        claim = self._chain.replay.claim
        if claim is None:
            return False
        worker = Worker.from_json(claim.fields.get("worker"))
        return (lookout or self._lookout).look(
            self.store, worker, epoch=claim.epoch, owner=claim.owner
        )

    def is_held(
        self, lookout: Lookout | None = None, say: Callable[[str], None] = log.info
    ) -> bool:
        """Return whether a worker seems to be at work; watches one on another machine a while.

        Args:
            lookout: watches workers of other machines, those of other runs too.
            say: told at once, in one sentence, if there is something to wait for.
        """
        claim = self._chain.replay.claim
        if claim is None:
            return False

        def tell(seconds: float, machine: str) -> None:
            say(
                f"waiting up to {seconds:.0f} s for run {self.run_id}: its last worker, on "
                f"{machine}, did not say that it ended; without a sign of life from it the run "
                f"goes on here, and `jukeflow resume {self.run_id} --take-over` does not wait"
            )

        worker = Worker.from_json(claim.fields.get("worker"))
        watched = lookout or self._lookout
        return watched.wait(self.store, worker, epoch=claim.epoch, owner=claim.owner, say=tell)

    def _refuse_active(self, lookout: Lookout | None, say: Callable[[str], None]) -> None:
        claim = self._chain.replay.claim
        if claim is not None and self.is_held(lookout, say):
            worker = Worker.from_json(claim.fields.get("worker"))
            who = f"process {worker.pid} on {worker.host_name}" if worker else claim.owner
            raise Fenced(
                f"another worker seems active on run {self.run_id}: {who}, since {claim.at}",
                hint=f"let it finish, or take over with `jukeflow resume {self.run_id} "
                "--take-over`; the other one will stop",
            )

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
        if self.epoch > self._mine:
            self._fence()
        self._check_held()
        raise Corrupt(
            f"record {pending.seq} of run {self.run_id} was written by somebody else",
            hint=f"`jukeflow resume {self.run_id}` goes on after the last sound record",
        )

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
