"""The numbered records of one run in its store: list, read, write the next one, hint at the end.

A number is written once. What it holds is never a guess: a reply that got lost is settled by
reading back, a gap is found by listing, a lost end by the hint in `tip.json`.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from musiccore.errors import Corrupt, NotFound, StorageError, Unavailable
from musiccore.records import (
    MAX_RECORD_BYTES,
    Event,
    Json,
    Replay,
    decode_record,
    encode_record,
    seal,
    unseal,
)
from musiccore.storage import AlreadyExists, Store

log = logging.getLogger(__name__)

TIP_KEY: Final = "tip.json"
_MAX_TIP_BYTES: Final = 4096
_WRITE_TRIES: Final = 4
_RELIST_TRIES: Final = 3


def record_key(seq: int, folder: str = "log") -> str:
    """Return the key of a record below the run."""
    return f"{folder}/{seq:08d}.json"


class Chain:
    """The log as far as it was read.

    Args:
        store: the run's folder.
        run_id: name of the run, for messages.
        head: digest that the first record must name, that of `run.json`.
        retry_pause: seconds before a store that did not answer is asked again; doubles.
        folder: where the records lie, below the run.
        tip_key: where the hint about their end lies.
        claims: whether records count only under a claim; those of people need none.

    Attributes:
        seq: number of the last record read, 0 before the first.
        head: digest of its bytes.
        replay: what the records amount to.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        *,
        head: str,
        retry_pause: float,
        folder: str = "log",
        tip_key: str = TIP_KEY,
        claims: bool = True,
    ) -> None:
        self.seq = 0
        self.head = head
        self.replay = Replay()
        self._store = store
        self._run_id = run_id
        self._retry_pause = retry_pause
        self._folder = folder
        self._tip_key = tip_key
        self._claims = claims
        self._name = re.compile(rf"{folder}/(\d{{8}})\.json")

    def refresh(self) -> None:
        """Read the records that came since the last look.

        Raises:
            Corrupt: if the log has a gap, lost its end, or holds a damaged record.
        """
        tip = self._read_tip()  # before the listing, which can then only know more
        last = self._last_listed()
        if tip is not None and tip[0] > last:
            raise Corrupt(
                f"run {self._run_id} lost the end of its log: record {tip[0]} was written, "
                f"{last} is the last one there",
                hint=f"`jukeflow verify {self._run_id}` lists what is there",
            )
        for seq in range(self.seq + 1, last + 1):
            try:
                data = self._store.get(record_key(seq, self._folder), limit=MAX_RECORD_BYTES)
            except NotFound as error:
                raise self._gap(seq) from error
            self._take(decode_record(data, seq=seq, prev=self.head))
            if tip is not None and tip[0] == seq and tip[1] != self.head:
                raise Corrupt(f"log record {seq} of run {self._run_id} was exchanged")

    def encode(self, type: str, fields: Mapping[str, Json], *, epoch: int, owner: str) -> bytes:
        """Return the bytes of a record that would follow the last one.

        Raises:
            ConfigError: if the fields do not fit a record.
        """
        return encode_record(
            fields,
            seq=self.seq + 1,
            prev=self.head,
            epoch=epoch,
            owner=owner,
            nonce=secrets.token_hex(8),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            type=type,
        )

    def write(self, data: bytes) -> bool:
        """Write the next record.

        Args:
            data: made by `encode` for this place in the chain.

        Returns:
            False if the number belongs to another record; the log was read to its end then.

        Raises:
            Unavailable: if it is not known whether the record was written; only the same bytes may
                be written to this number again.
            StorageError: if the store refused.
        """
        key = record_key(self.seq + 1, self._folder)
        pause = self._retry_pause
        for attempt in range(_WRITE_TRIES):
            try:
                self._store.create(key, data)
            except AlreadyExists:
                if self._store.get(key, limit=MAX_RECORD_BYTES) != data:
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
        self._take(decode_record(data, seq=self.seq + 1, prev=self.head))
        return True

    def write_tip(self) -> None:
        """Write the hint about the end of the log.

        Raises:
            StorageError: if the store refused or did not answer.
        """
        self._store.put(self._tip_key, seal({"seq": self.seq, "record_sha256": self.head}))

    def write_tip_if_possible(self) -> None:
        """Write the hint, or leave it to the next record."""
        try:
            self.write_tip()
        except StorageError as error:
            log.warning("run %s: the hint was not written: %s", self._run_id, error.message)

    def _take(self, event: Event) -> None:
        if self._claims:
            self.replay.add(event)
        else:
            self.replay.events.append(event)
        self.seq, self.head = event.seq, event.sha256

    def _last_listed(self) -> int:
        missing = 0
        for _ in range(_RELIST_TRIES):  # a folder is not listed in one instant: look again
            names = (self._name.fullmatch(key) for key in self._store.list(self._folder))
            numbers = {int(name[1]) for name in names if name}
            last = max(numbers, default=0)
            missing = next((n for n in range(1, last + 1) if n not in numbers), 0)
            if last < self.seq:
                raise self._gap(last + 1)
            if not missing:
                return last
        raise self._gap(missing)

    def _gap(self, seq: int) -> Corrupt:
        return Corrupt(
            f"log record {seq} of run {self._run_id} is missing",
            hint=f"`jukeflow verify {self._run_id}` lists what is there; nothing was guessed",
        )

    def _read_tip(self) -> tuple[int, str] | None:
        try:
            body = unseal(self._store.get(self._tip_key, limit=_MAX_TIP_BYTES), what=self._tip_key)
        except NotFound:
            return None
        except Corrupt as error:  # only a hint: `verify` reports it, the next record renews it
            log.warning("run %s: %s", self._run_id, error.message)
            return None
        seq, digest = body.get("seq"), body.get("record_sha256")
        return (seq, digest) if isinstance(seq, int) and isinstance(digest, str) else None
