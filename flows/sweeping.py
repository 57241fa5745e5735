"""Runs that were interrupted: found in the store, marked in Prefect, started again."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from flows.serving.deployments import start
from flows.serving.marking import cancelled_by_person, mark_ghosts
from flows.suspended import continue_key, resume_suspended
from musiccore.errors import ConfigError, StorageError
from musiccore.journal.heartbeat import Lookout
from musiccore.journal.journal import Journal
from musiccore.journal.run_log import PATIENCE_SECONDS
from musiccore.runs.choices import tree_of
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import unfinished_runs
from musiccore.storage.store import Store
from tasks.context import flow_run_id, present_store, shared_store
from tasks.policies import io_task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonedRun:
    """A run that is unfinished and in nobody's hands.

    Attributes:
        run: its name.
        epoch: number of its last claim.
        seen: number of its last choice.
        flow_run: id of the Prefect run that held that claim; empty if there was none.
    """

    run: str
    epoch: int
    seen: int
    flow_run: str


@io_task(task_run_name="find-interrupted")
def find_interrupted() -> list[AbandonedRun]:
    """Return the unfinished runs that nobody is at work on, oldest first.

    A run that a person cancelled in Prefect stays where it is until a person continues it.
    Whether a worker on another machine lives is seen by its heartbeat, for which this may wait some
    minutes.
    """
    store = present_store()
    found = []
    for journal in _unheld(store):
        try:
            seen = tree_of(store, journal).seen
        except StorageError as error:
            log.warning("run %s: %s", journal.run_id, error.message)
            continue
        holders = [e for e in journal.events_of("flow_run") if e.epoch == journal.epoch]
        if holders and cancelled_by_person(str(holders[-1].fields.get("id"))):
            continue
        unreleased = journal.claim_in_force is not None
        flow_run = str(holders[-1].fields.get("id")) if holders and unreleased else ""
        one = AbandonedRun(run=journal.run_id, epoch=journal.epoch, seen=seen, flow_run=flow_run)
        found.append(one)
    return found


def _unheld(store: Store) -> list[Journal]:
    """Return the unfinished runs without a worker; those of other machines are watched together."""
    lookout = Lookout(PATIENCE_SECONDS)
    journals: list[Journal] = []
    for run_id in unfinished_runs(store):
        with suppress(StorageError):
            journals.append(Journal.open(store, run_id))
            journals[-1].holder(lookout)
    unheld = []
    for journal in journals:
        try:
            if not journal.is_held(lookout, log.info):
                unheld.append(journal)
        except StorageError as error:
            log.warning("run %s: %s", journal.run_id, error.message)
    return unheld


def mark_dead(one: AbandonedRun) -> None:
    """Mark the Prefect run whose process is gone as crashed."""
    if one.flow_run and one.flow_run != flow_run_id():
        mark_ghosts([one.flow_run])


def start_elsewhere(one: AbandonedRun) -> str:
    """Let a Prefect run go on with a run; return its id, empty where there is none.

    The one that waits for a choice takes its run up again; otherwise `continue` is started. Two
    sweeps within an hour that find the same state start one flow run.
    """
    if not flow_run_id():
        return ""
    if waiting := resume_suspended(Picture.of(shared_store(), one.run)):
        return waiting
    try:
        key = continue_key(one.run, one.epoch, one.seen)
        return str(start("continue", {"run_id": one.run}, key=key))
    except ConfigError as error:
        log.warning("%s", error.message)
        return ""
