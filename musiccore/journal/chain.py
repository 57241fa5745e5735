"""The numbered records of one run in its store: list, read, write the next one, hint at the end.

A number is written once. What it holds is never a guess: a reply that got lost is settled by
reading back, a gap is found by listing, a lost end by the hint in `tip.json`.

A log may be hurt from outside: by a lost power line, a folder that was copied while it grew, a bad
disk. Reading goes on with what is sound and says what is lost. A lost end is taken as if it had
never been written; a lost record between sound ones is passed over.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from musiccore.errors import Corrupt, NotFound, StorageError, Unavailable
from musiccore.journal.records import (
    MAX_RECORD_BYTES,
    Event,
    Replay,
    decode_record,
    encode_record,
    link_of,
)
from musiccore.storage.sealed import Json, seal, sha256, unseal
from musiccore.storage.store import AlreadyExists, Store

log = logging.getLogger(__name__)

TIP_KEY: Final = "tip.json"
_MOST_MISSING: Final = 10_000
"""Records that may be missing at the end; a damaged hint or a stray file may name any number."""
_MAX_TIP_BYTES: Final = 4096
_WRITE_TRIES: Final = 4
_RELIST_TRIES: Final = 3
_FORKED: Final = "does not follow the record before it"
_OF_MANY: Final = {
    "is missing": "are missing",
    "is damaged": "are damaged",
    _FORKED: "do not follow the record before them",
}


def record_key(seq: int, folder: str = "log") -> str:
    """Return the key of a record below the run."""
    return f"{folder}/{seq:08d}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A record that was written and cannot be read.

    Attributes:
        seq: its number.
        why: what is wrong, in words that follow its name.
        there: whether there are bytes of this number.
    """

    seq: int
    why: str
    there: bool


def in_words(lost: Sequence[Lost]) -> str:
    """Return which records are lost and why, in few words."""
    first, last, why = lost[0].seq, lost[-1].seq, lost[0].why
    if len(lost) == 1:
        return f"record {first} {why}"
    return f"records {first} to {last} {_OF_MANY.get(why, why)}"


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
        seq: number of the last sound record, 0 before the first.
        head: digest of its bytes.
        replay: what the records amount to.
        holes: lost records before that one.
        tail: lost records after it.
        exchanged: number of a record that is not the one that was written there, 0 for none.
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
        self.holes: list[Lost] = []
        self.tail: list[Lost] = []
        self.exchanged = 0
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
            Corrupt: if records that were read are gone, or all of it is the log of another run.
        """
        tip = self._read_tip()  # before the listing, which can then only know more
        last = self._last_listed()
        lost: list[Lost] = []
        new = range(self.seq + 1, last + 1)
        keys = [record_key(seq, self._folder) for seq in new]
        for seq, data in zip(new, self._store.get_each(keys, limit=MAX_RECORD_BYTES), strict=True):
            found = self._judge(seq, data, follows=not lost)
            if isinstance(found, Event):
                if lost:
                    self.replay.gap()
                    self.holes += lost
                    lost = []
                self._take(found)
                if tip is not None and tip[0] == seq and tip[1] != self.head:
                    self.exchanged = seq
            else:
                lost.append(found)
                if found.why == _FORKED:  # what follows belongs to it, not to us
                    lost += [Lost(seq=n, why=_FORKED, there=True) for n in range(seq + 1, last + 1)]
                    break
        end = last if tip is None else min(tip[0], last + _MOST_MISSING)
        lost += [Lost(seq=n, why="is missing", there=False) for n in range(last + 1, end + 1)]
        self.tail = lost

    def _judge(self, seq: int, data: bytes | NotFound | Corrupt, *, follows: bool) -> Event | Lost:
        """Return what was read of a record as an event, or what is wrong with it."""
        if isinstance(data, NotFound):
            return Lost(seq=seq, why="is missing", there=False)
        if isinstance(data, Corrupt):  # larger than a record, or no regular file
            return Lost(seq=seq, why="is damaged", there=True)
        try:
            return decode_record(data, seq=seq, prev=self.head if follows else link_of(data))
        except Corrupt as error:
            if not self._is_sound(seq, data):
                return Lost(seq=seq, why="is damaged", there=True)
            if self._is_followed(seq, data):
                if seq == 1:
                    raise Corrupt(
                        f"record 1 of run {self._run_id} does not follow its run.json: the log is "
                        "that of another run",
                        hint=f"`jukeflow verify {self._run_id} --repair` puts back the run.json "
                        "that the log follows, where a copy or a delivered file tells it",
                    ) from error
                return Lost(seq=seq, why=_FORKED, there=True)
            return Lost(seq=seq, why="is not the one that was written", there=True)

    def _is_sound(self, seq: int, data: bytes) -> bool:
        try:
            decode_record(data, seq=seq, prev=link_of(data))
        except Corrupt:
            return False
        return True

    def _is_followed(self, seq: int, data: bytes) -> bool:
        """Return whether the record after a sound one follows it, or there is none."""
        try:
            following = self._store.get(record_key(seq + 1, self._folder), limit=MAX_RECORD_BYTES)
        except (NotFound, Corrupt):
            return True
        return not self._is_sound(seq + 1, following) or link_of(following) == sha256(data)

    def set_aside(self) -> tuple[int, ...]:
        """Keep the bytes of lost records in `quarantine/`; the end of the log is free then.

        Returns:
            The numbers of the lost records.

        Raises:
            StorageError: if the store refused.
        """
        lost = [*self.holes, *self.tail]
        for one in lost:
            if one.there:
                self._store.set_aside(record_key(one.seq, self._folder))
        self.tail = []
        return tuple(one.seq for one in lost)

    def pass_over(self) -> None:
        """Go on after a lost end without using its numbers again.

        Raises:
            StorageError: if the store refused.
        """
        tail = self.tail
        self.set_aside()
        if tail:
            self.holes += tail
            self.seq = tail[-1].seq

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
        known = {one.seq for one in self.holes}
        for _ in range(_RELIST_TRIES):  # a folder is not listed in one instant: look again
            names = (self._name.fullmatch(key) for key in self._store.list(self._folder))
            numbers = {int(name[1]) for name in names if name} | known
            most = max(len(numbers), self.seq) + _MOST_MISSING  # a stray file has any number
            numbers = {number for number in numbers if number <= most}
            last = max(numbers, default=0)
            if len(numbers) == last and last >= self.seq:
                break
        if last < self.seq:
            raise Corrupt(
                f"log record {last + 1} of run {self._run_id} is missing; it was there before",
                hint=f"`jukeflow resume {self._run_id}` goes on with what is there",
            )
        return last

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
