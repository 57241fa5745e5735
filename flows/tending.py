"""Who takes a run up: what the listening room asks and lets do, so that a person need not."""

from __future__ import annotations

import logging
import threading
import time
from threading import Thread
from typing import Final
from uuid import UUID

from flows.embedded import configured_api_url, with_password
from flows.listening.tended import Tended
from flows.serving.deployments import start
from flows.serving.passwords import refusal
from flows.suspended import PATIENCE_SECONDS, continue_key, resume_suspended
from flows.workshop import Workshop
from musiccore.errors import ConfigError
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import is_running
from musiccore.storage.store import Store
from musiccore.takes.choice import DECISIONS, WORK, MadeChoice

log = logging.getLogger(__name__)

SOON_SECONDS: Final = 1.5
"""How long a person waits for the sentence that says what happens next."""

_LOOK_SECONDS: Final = 2.0
_NEXT: Final = "It is carried out as soon as the work before it is done."


class Tending:
    """Lets runs go on after a choice: through Prefect where it is, else in a workshop of its own.

    Args:
        store: the root of the runs.
        workshop: continues runs on this machine.
    """

    def __init__(self, store: Store, workshop: Workshop) -> None:
        self._store = store
        self._workshop = workshop
        self._lock = threading.Lock()
        self._waking: dict[str, int] = {}  # threads that are looking for somebody
        self._watched: set[str] = set()
        self._failed: dict[str, str] = {}
        self._queue: tuple[float, dict[str, str]] = (-_LOOK_SECONDS, {})

    # ------------------------------------------------------------------------------ after a choice

    def chosen(self, run_id: str, made: MadeChoice) -> str:
        """Let a run go on after a choice; never fails: the choice is safe already.

        Returns:
            What happens next, in one sentence.
        """
        action = made.choice.action
        if action not in WORK and action not in DECISIONS:
            return "Noted."
        return self._soon(run_id, needed=action in WORK)

    def resume(self, run_id: str) -> str:
        """Let a run go on that was interrupted; say in one sentence what happens next."""
        return self._soon(run_id, needed=True)

    def _soon(self, run_id: str, *, needed: bool) -> str:
        said: list[str] = []

        def wake() -> None:
            try:
                said.append(self._wake(run_id, needed=needed))
            finally:
                with self._lock:
                    self._waking[run_id] -= 1

        with self._lock:
            self._waking[run_id] = self._waking.get(run_id, 0) + 1
            self._failed.pop(run_id, None)
        work = Thread(target=wake, daemon=True)
        work.start()
        work.join(SOON_SECONDS)
        return said[0] if said else "It goes on in a moment."

    def _wake(self, run_id: str, *, needed: bool) -> str:
        picture = Picture.of(self._store, run_id)
        status = picture.status
        if needed and status.state in ("done", "waiting") and not status.missing:
            return "Nothing is left to be done for it."
        if is_running(picture.journal):
            self._watch(run_id)
            return _NEXT
        if configured_api_url() is not None:
            try:
                with with_password():  # that of now: a room may outlive several `serve`
                    return self._through_prefect(picture, needed=needed)
            except ConfigError as error:  # it has no deployment that continues runs
                log.warning("%s", error.message)
            except Exception as error:
                log.warning("Prefect did not take the run up: %s", refusal(error) or error)
                problem = "Prefect did not answer, so nobody works on it yet."
                with self._lock:
                    self._failed[run_id] = problem
                return f"{problem} The choice is safe; press Resume to try again."
        if not needed:
            return "Noted; the earlier round waits for your choice."
        self._workshop.add(run_id)
        return "It is being carried out on this machine."

    def _through_prefect(self, picture: Picture, *, needed: bool) -> str:
        if resume_suspended(picture, patience=PATIENCE_SECONDS):
            return "It is being carried out."
        if not needed:
            return "Noted; the earlier round waits for your choice."
        run_id = picture.status.run
        key = continue_key(run_id, picture.journal.epoch, picture.tree.seen)
        start("continue", {"run_id": run_id}, key=key)
        self._queue = (-_LOOK_SECONDS, {})
        return "It is queued and begins in a moment."

    def _watch(self, run_id: str) -> None:
        """See to it that a choice is not left over that its worker just missed."""
        with self._lock:
            if run_id in self._watched:
                return
            self._watched.add(run_id)
        Thread(target=self._follow, args=(run_id,), daemon=True).start()

    def _follow(self, run_id: str) -> None:
        try:
            while is_running(Picture.of(self._store, run_id).journal):
                time.sleep(_LOOK_SECONDS)
        except Exception as error:
            log.warning("run %s cannot be followed: %s", run_id, error)
            return
        finally:
            with self._lock:
                self._watched.discard(run_id)
        picture = Picture.of(self._store, run_id)
        if picture.tree.pending and not self.tended(picture).taken:
            self._soon(run_id, needed=True)

    # -------------------------------------------------------------------------------- who is there

    def tended(self, picture: Picture) -> Tended:
        """Say who is about to take a run up that no worker holds."""
        run_id = picture.status.run
        if self._workshop.has(run_id):
            return Tended(taken=True)
        with self._lock:
            waking = self._waking.get(run_id, 0) > 0
            failed = self._failed.get(run_id, "")
        if waking or self._is_queued(picture):
            return Tended(taken=True)
        return Tended(taken=False, problem=self._workshop.failure(run_id) or failed)

    def _is_queued(self, picture: Picture) -> bool:
        """Return whether a Prefect run is about to begin with a run, or begins just now."""
        if configured_api_url() is None:
            return False
        asked = {str(e.fields.get("flow_run") or "") for e in picture.journal.events_of("waiting")}
        ghosts = set()
        if (claim := picture.journal.claim_in_force) is not None:  # of a process that is gone
            events = picture.journal.events_of("flow_run")
            ghosts = {str(e.fields.get("id")) for e in events if e.epoch == claim.epoch}
        return any(
            flow_run not in ghosts and (run_id == picture.status.run or flow_run in asked)
            for flow_run, run_id in self._queued().items()
        )

    def _queued(self) -> dict[str, str]:
        """Return the Prefect runs that are about to begin or have begun: id → our run."""
        since, found = self._queue
        if time.monotonic() - since >= _LOOK_SECONDS:
            try:
                with with_password():
                    found = _flow_runs()
            except Exception as error:  # who cannot be asked has nothing queued
                log.warning("Prefect does not say what is queued: %s", refusal(error) or error)
                found = {}
            self._queue = (time.monotonic(), found)
        return found


def _flow_runs() -> dict[str, str]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    coming = [StateType.PENDING, StateType.RUNNING]
    late_or_now = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[*coming, StateType.SCHEDULED]))
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=late_or_now, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=200
        )
    return {
        str(UUID(str(run.id))): str((run.parameters or {}).get("run_id", ""))
        for run in runs
        if run.state is not None
    }
