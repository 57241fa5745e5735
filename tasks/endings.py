"""Runs that are stopped on purpose end as Cancelled, without red lines.

Prefect's engines take every stop of a task for a crash, and every stop of a flow that did not come
from a runner. They have no hook for it, so the method that writes a crash down is replaced in both:
a stop that somebody asked for, or a budget that is spent, is told from an accident here.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from prefect.exceptions import TerminationSignal
from prefect.flow_engine import FlowRunEngine
from prefect.states import Cancelled
from prefect.task_engine import SyncTaskRunEngine

from musiccore.work.stop import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK: Final = "_jukeflow_tells_stops_from_crashes"


def end_quietly() -> None:
    """Let runs of this process that are stopped on purpose end as Cancelled."""
    for engine in (FlowRunEngine, SyncTaskRunEngine):
        if not hasattr(engine, _MARK):
            setattr(engine, "handle_crash", _told_apart(engine.handle_crash))  # noqa: B010
            setattr(engine, _MARK, True)
    if SyncTaskRunEngine.log_finished_message.__module__ != __name__:
        finished = _without_alarm(SyncTaskRunEngine.log_finished_message)
        setattr(SyncTaskRunEngine, "log_finished_message", finished)  # noqa: B010


def words_of(stop: BaseException) -> str:
    """Return what to say of a stop that was wanted; empty for an accident."""
    if isinstance(stop, Interrupted):
        words = str(stop)
        return f"{words[:1].upper()}{words[1:]}; what is finished is kept."
    if isinstance(stop, TerminationSignal) and _is_cancelled():
        return "Cancelled; what is finished is kept."
    return ""


def _is_cancelled() -> bool:
    """Return whether Prefect's runner said that it cancels this run."""
    try:
        from prefect._internal.control_listener import get_intent
    except ImportError:  # another version; the run then seems to have crashed
        return False
    return get_intent() == "cancel"


def _told_apart(crash: Callable[[Any, BaseException], None]) -> Callable[..., None]:
    @wraps(crash)
    def handle(engine: Any, exc: BaseException) -> None:
        words = words_of(exc)
        if not words:
            crash(engine, exc)
            return
        engine.logger.info(words)
        engine.set_state(Cancelled(message=words), force=True)
        engine._raised = exc
        engine._telemetry.end_span_on_failure(words)

    return handle


def _without_alarm(finished: Callable[[Any], None]) -> Callable[[Any], None]:
    def log(engine: Any) -> None:
        if engine.task_run is not None and engine.state.is_cancelled():
            engine.logger.info("Finished in state %s", engine.state)
        else:
            finished(engine)

    return log
