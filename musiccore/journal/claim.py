"""The claim that a worker holds on a run: its epoch, its signs of life, and how it ends."""

from __future__ import annotations

import secrets
from typing import Final

from musiccore.errors import Fenced, StorageError
from musiccore.journal.heartbeat import Heartbeat
from musiccore.storage.sealed import Json
from musiccore.storage.store import Store

HEARTBEAT_SECONDS: Final = 60.0


class Claim:
    """What this worker holds of a run, if anything.

    Args:
        store: the run's folder.
        run_id: name of the run, for messages.
        interval: seconds between signs of life.

    Attributes:
        owner: name of this worker, in its records.
        epoch: number of the claim that it holds, 0 for none.
        is_lost: whether another worker took the run over.
    """

    def __init__(self, store: Store, run_id: str, *, interval: float) -> None:
        self.owner = secrets.token_hex(8)
        self.epoch = 0
        self._store = store
        self._run_id = run_id
        self._interval = interval
        self._fenced: Fenced | None = None
        self._heartbeat: Heartbeat | None = None

    @property
    def is_lost(self) -> bool:
        """Whether another worker took the run over."""
        return self._fenced is not None

    def begin(self) -> None:
        """Forget that an older claim was lost."""
        self._fenced = None

    def hold(self, epoch: int) -> None:
        """Hold the claim of an epoch and show signs of life."""
        self.epoch = epoch
        self._heartbeat = Heartbeat(
            self._store, epoch=epoch, owner=self.owner, interval=self._interval
        )
        self._heartbeat.start()

    def check(self) -> None:
        """Refuse to go on without a claim.

        Raises:
            Fenced: if another worker took the run over.
            StorageError: if the run was never claimed.
        """
        if self._fenced is not None:
            raise self._fenced
        if not self.epoch:
            raise StorageError(f"run {self._run_id} was not claimed by this worker")

    def lose(self, to: int) -> None:
        """Stop for good: the claim of a later epoch excludes this one."""
        self._fenced = Fenced(
            f"another worker took over run {self._run_id} (claim {to}, this one held "
            f"{self.epoch}); nothing more was written here",
            hint="let it finish; `jukeflow show` tells how far it is",
        )
        self.end()

    def end(self) -> None:
        """Hold nothing any more."""
        self.epoch = 0
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._heartbeat = None

    def tell(self, progress: Json) -> None:
        """Let others see how far the work is, with the next sign of life."""
        if self._heartbeat is not None:
            self._heartbeat.tell(progress)
