"""Bytes of one log record: canonical JSON that no flipped bit survives.

    {"body":{"seq":7,"prev":"<sha256>","epoch":2,"owner":…,"nonce":…,"type":"window",…},
     "sha256":"<of the canonical body>","v":1}

A record must equal its own canonical form byte for byte, its digest covers the body, and `prev` is
the digest of the bytes before it, the first one's of `run.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from musiccore.errors import ConfigError, Corrupt
from musiccore.storage.sealed import Json, seal, sha256, unseal

MAX_RECORD_BYTES: Final = 64 * 1024
FIXED_FIELDS: Final = ("seq", "prev", "epoch", "owner", "nonce", "at", "type")
RECORD_TYPES: Final = frozenset(
    {
        "claim",
        "release",
        "primer",
        "score",
        "candidate",
        "choice",
        "flow_run",
        "purge",
        "round",
        "selection",
        "sounding",
        "waiting",
        "window",
        "segment",
        "level_done",
        "decoded",
        "exported",
        "numerics_change",
        "repair",
        "cancel",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact of a run, as the log holds it.

    Attributes:
        seq: number of the record, from 1.
        epoch: claim under which it was written.
        owner: worker that wrote it.
        at: wall clock of that worker, ISO 8601; information only, nothing compares it.
        type: one of `RECORD_TYPES`.
        fields: what the record says beside these.
        sha256: digest of the record's bytes.
    """

    seq: int
    epoch: int
    owner: str
    at: str
    type: str
    fields: Mapping[str, Json]
    sha256: str


def link_of(data: bytes) -> str:
    """Return which bytes a record says it follows, empty where it says nothing."""
    try:
        link = unseal(data, what="record").get("prev")
    except Corrupt:
        return ""
    return link if isinstance(link, str) else ""


def encode_record(
    fields: Mapping[str, Json],
    *,
    seq: int,
    prev: str,
    epoch: int,
    owner: str,
    nonce: str,
    at: str,
    type: str,
) -> bytes:
    """Return the bytes of a record.

    Raises:
        ConfigError: if the type is unknown, a field has a reserved name or is not JSON, or the
            record is larger than `MAX_RECORD_BYTES`.
    """
    if type not in RECORD_TYPES:
        raise ConfigError(f"{type!r} is not a record type; there are {sorted(RECORD_TYPES)}")
    reserved = sorted(set(fields) & set(FIXED_FIELDS))
    if reserved:
        raise ConfigError(f"a {type} record cannot have its own {', '.join(reserved)}")
    body: dict[str, Json] = {
        **fields,
        "seq": seq,
        "prev": prev,
        "epoch": epoch,
        "owner": owner,
        "nonce": nonce,
        "at": at,
        "type": type,
    }
    data = seal(body)
    if len(data) > MAX_RECORD_BYTES:
        raise ConfigError(
            f"a {type} record has {len(data)} bytes, the limit is {MAX_RECORD_BYTES}",
            hint="store the large part as a blob and record its reference",
        )
    return data


def decode_record(data: bytes, *, seq: int, prev: str) -> Event:
    """Return the event that a record holds.

    Args:
        data: the record's bytes.
        seq: number that its name says.
        prev: digest of the bytes before it.

    Raises:
        Corrupt: if the bytes, the number or the chain are not as written.
        StorageError: if a newer version of this program wrote it.
    """
    what = f"log record {seq}"
    if len(data) > MAX_RECORD_BYTES:
        raise Corrupt(f"{what} is damaged: larger than {MAX_RECORD_BYTES} bytes")
    body = unseal(data, what=what)
    epoch, owner, kind, at = (body.get(name) for name in ("epoch", "owner", "type", "at"))
    if (
        type(epoch) is not int
        or not isinstance(owner, str)
        or not isinstance(kind, str)
        or not isinstance(at, str)
    ):
        raise Corrupt(f"{what} is damaged: a field is missing")
    if body.get("seq") != seq:
        raise Corrupt(f"{what} is damaged: it says that it is record {body.get('seq')!r}")
    if body.get("prev") != prev:
        raise Corrupt(f"{what} does not follow the record before it")
    fields = {name: value for name, value in body.items() if name not in FIXED_FIELDS}
    return Event(
        seq=seq, epoch=epoch, owner=owner, at=at, type=kind, fields=fields, sha256=sha256(data)
    )


@dataclass(slots=True, kw_only=True)
class Replay:
    """State that the records read so far amount to.

    Attributes:
        events: the facts, in order.
        excluded: records of a worker that had lost its claim; never facts.
        epoch: number of the last claim, 0 before the first.
        claim: the claim in force, None before the first and after a release.
        given_up: what repairs gave up: `log` and `choices` hold numbers of lost records, `void`
            those of records whose content is lost, which are no facts any more.
    """

    events: list[Event] = field(default_factory=list)
    excluded: list[Event] = field(default_factory=list)
    epoch: int = 0
    claim: Event | None = None
    given_up: dict[str, set[int]] = field(
        default_factory=lambda: {"log": set(), "choices": set(), "void": set()}
    )
    _gap: bool = False

    def gap(self) -> None:
        """Say that records before the next one are lost; claims may have been among them."""
        self._gap = True

    def add(self, event: Event) -> bool:
        """Take the next record in; return whether it is a fact.

        Raises:
            Corrupt: if it is a claim whose number was never free.
        """
        if self._gap:
            self._bridge(event)
        if event.type == "claim" and event.epoch > self.epoch + 1:
            raise Corrupt(f"log record {event.seq} claims {event.epoch} after {self.epoch}")
        if event.type == "claim" and event.epoch == self.epoch + 1:
            self.epoch, self.claim = event.epoch, event
        elif (
            event.type == "claim"
            or self.claim is None
            or (event.epoch, event.owner) != (self.claim.epoch, self.claim.owner)
        ):
            self.excluded.append(event)
            return False
        elif event.type == "release":
            self.claim = None
        self.events.append(event)
        if event.type == "repair":
            self._repair(event)
        return True

    def _bridge(self, event: Event) -> None:
        """Take the claim as lost without which a record after a gap could not have been written."""
        self._gap = False
        if event.type == "claim":
            self.epoch = max(self.epoch, event.epoch - 1)
        elif event.epoch > self.epoch:
            self.epoch = event.epoch
            self.claim = replace(event, type="claim", fields={})

    def _repair(self, event: Event) -> None:
        for name, numbers in self.given_up.items():
            listed = event.fields.get(name)
            if isinstance(listed, list):
                numbers.update(number for number in listed if type(number) is int)
        if event.fields.get("void"):
            void = self.given_up["void"]
            self.events = [one for one in self.events if one.seq not in void]
