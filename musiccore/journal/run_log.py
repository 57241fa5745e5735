"""A run as its records tell it: read, followed, and never written.

reader = RunReader.open(store, "my-song")
reader.window(level=2, group=0, index=0, inputs=digest)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Set
from typing import Final

from musiccore.errors import Corrupt, Fenced, Gone
from musiccore.journal.chain import Chain, in_words
from musiccore.journal.heartbeat import Lookout, Worker
from musiccore.journal.keys import RUN_KEY
from musiccore.journal.manifest import (
    Difference,
    RunRecord,
    numerics_differences,
)
from musiccore.journal.records import Event
from musiccore.storage.sealed import Json, sha256
from musiccore.storage.store import Digest, Store

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 180.0
_WINDOW_FIELDS: Final = ("level", "group", "index", "inputs")


class RunReader:
    """The facts of one run, as far as its log was read.

    Args:
        store: the store's root.
        record: the run's record.
        patience: seconds to watch for the signs of life of a worker on another machine.
        retry_pause: seconds before a store that did not answer is asked again; doubles.
    """

    def __init__(
        self, store: Store, record: RunRecord, *, patience: float, retry_pause: float
    ) -> None:
        self.record = record
        self.store = store.at(record.run_id)
        self._root = store
        self._lookout = Lookout(patience)
        self._chain = Chain(
            self.store, record.run_id, head=sha256(record.to_bytes()), retry_pause=retry_pause
        )
        self._windows: dict[tuple[object, ...], Event] = {}
        self._n_indexed = 0
        self._n_void = 0

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
        try:
            self._chain.refresh()
        except Corrupt:
            self._check_there()
            raise

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

    def refuse_active(
        self, lookout: Lookout | None = None, say: Callable[[str], None] = log.info
    ) -> None:
        """Refuse to work on the run while another worker seems to do so.

        Args:
            lookout, say: as `is_held`.

        Raises:
            Fenced: if one seems active.
        """
        claim = self._chain.replay.claim
        if claim is not None and self.is_held(lookout, say):
            worker = Worker.from_json(claim.fields.get("worker"))
            who = f"process {worker.pid} on {worker.host_name}" if worker else claim.owner
            raise Fenced(
                f"another worker seems active on run {self.run_id}: {who}, since {claim.at}",
                hint=f"let it finish, or take over with `jukeflow resume {self.run_id} "
                "--take-over`; the other one will stop",
            )

    def numerics_differences(
        self, numerics: Mapping[str, Json], models: Mapping[str, str]
    ) -> tuple[Difference, ...]:
        """Compare what decides the numbers here with what the run has.

        Args:
            numerics: of this worker: `rng` and the fields of `RunRecord.numerics`.
            models: name → sha256 of this worker's weights.
        """
        in_force = self.record.numerics_in_force()
        for event in self.events_of("numerics_change"):
            changes = event.fields.get("current")
            in_force.update(changes if isinstance(changes, dict) else {})
        here = dict(numerics)
        here.update({f"models.{name}": digest for name, digest in models.items()})
        return numerics_differences(in_force, here)

    def _check_there(self) -> None:
        """Refuse to write where the run is not any more: a folder of its name may be another."""
        if not self.store.exists(RUN_KEY):
            raise Gone(
                f"the store went away: run {self.run_id} is not in {self._root.location()} any "
                "more; nothing was written there since",
                hint=f"bring it back, then `jukeflow resume {self.run_id}`; what was finished is "
                "where it went",
            )
