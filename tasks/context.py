"""The context of one process: its settings, its store, and the run that it has claimed.

A run is opened and claimed once, by the outermost `working()`, and handed on from there; a flow
that is called inside finds it in the context of its call. So a claim lasts as long as the work
does, and a second worker is told at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from musiccore.journal.heartbeat import Lookout
from musiccore.journal.journal import Journal
from musiccore.runs.open_run import OpenRun, open_run
from musiccore.runs.packs import SharedPasses
from musiccore.storage.store import Store, open_store
from musiccore.work.progress import Careful, Reporter, Silent, reporter
from musiccore.work.stop import SafeStop
from tasks.settings import machine, process_settings

_current: ContextVar[OpenRun | None] = ContextVar("open_run", default=None)


def shared_store() -> Store:
    """Open the store of the settings; nothing is read or written yet."""
    return open_store(process_settings().store)


def present_store() -> Store:
    """Open a store that somebody wants to read.

    Raises:
        NotFound: if it is not there; an empty answer would say that nothing is lost.
    """
    store = shared_store()
    store.require()
    return store


def new_store() -> Store:
    """Open a store that somebody wants to write; it is made where there is none.

    Raises:
        NotFound: if not even the folder is there that it would lie in, as of a missing drive.
    """
    store = shared_store()
    store.require_place()
    return store


def current_run(run_id: str) -> OpenRun | None:
    """Return the run if this call is inside its `working()`."""
    run = _current.get()
    return run if run is not None and run.run_id == run_id else None


@contextmanager
def working(
    run_id: str,
    *,
    take_over: bool = False,
    accept_different_numerics: bool = False,
    lookout: Lookout | None = None,
    passes: SharedPasses | None = None,
) -> Iterator[OpenRun]:
    """Claim a run for the `with` block, or share the claim that this call is already inside.

    Args:
        run_id: the run.
        take_over: claim it although another worker seems to be at work.
        accept_different_numerics: continue on a machine with other numbers, and record it.
        lookout: watches the workers of several runs at once.
        passes: passes of a model that the run shares with other ones.

    Raises:
        NotFound: if there is no such run.
        Fenced: if another worker is at work on it.
        ConfigError: if this machine would compute other numbers.
    """
    shared = current_run(run_id)
    if shared is not None:
        yield shared
        return
    with open_run(
        shared_store(),
        run_id,
        machine(),
        reporter=task_reporter(),
        tell=_tell,
        passes=passes,
        take_over=take_over,
        accept_different_numerics=accept_different_numerics,
        lookout=lookout,
    ) as run:
        note_flow_run(run.journal)
        token = _current.set(run)
        try:
            yield run
        finally:
            _current.reset(token)


def _tell(sentence: str) -> None:
    """Tell the story of the Prefect run that this is part of; there is none before it begins."""
    story = sys.modules.get("tasks.story")
    if story is not None:
        story.tell(sentence)


def flow_run_id() -> str:
    """Return the id of the deployed Prefect run that this call is part of; empty for none."""
    prefect = sys.modules.get("prefect.runtime")
    if prefect is None:
        return ""
    try:
        from prefect.runtime import deployment, flow_run

        if deployment.id is None:
            return ""
        return str(flow_run.root_flow_run_id or flow_run.id or "")
    except Exception:  # a server that does not answer never stops the music
        return ""


def note_flow_run(journal: Journal) -> None:
    """Record which Prefect run holds the claim, so that its ghost can be recognised."""
    found = flow_run_id()
    if found:
        journal.append("flow_run", id=found)


def task_reporter() -> Reporter:
    """Return where a task shows its progress: the reporter of the command, or the run log."""
    installed = reporter()
    if installed is not None:
        return Careful(installed)
    try:
        from tasks.reporting import FlowReporter

        return Careful(FlowReporter())
    except Exception:  # outside a flow run there is no log; progress never fails the work
        return Silent()


def safe_stop() -> SafeStop:
    """Return the stop that a task asks at safe points."""
    return SafeStop(task_reporter().say)
