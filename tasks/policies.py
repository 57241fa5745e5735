"""Retries, caching and timeouts of all tasks; the only place for such numbers.

The store remembers what is done, so Prefect's cache and persisted results are off everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from musiccore.errors import Unavailable
from tasks.endings import end_quietly
from tasks.outermost import told

if TYPE_CHECKING:
    from prefect import Flow, Task
    from prefect.client.schemas.objects import State, TaskRun

Given = ParamSpec("Given")
Made = TypeVar("Made")

end_quietly()

RETRIES = 4
RETRY_DELAYS_SECONDS: list[float] = [2.0, 5.0, 15.0, 60.0]


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed later: only a store that did not answer."""
    return isinstance(error, Unavailable)


def retry_transient(task: Task[..., object], run: TaskRun, state: State[object]) -> bool:
    """Tell Prefect whether to try a failed task again."""
    error = state.data
    return isinstance(error, BaseException) and is_transient(error)


def gpu_task(
    *, name: str | None = None, task_run_name: str | None = None
) -> Callable[[Callable[Given, Made]], Task[Given, Made]]:
    """Return what makes a task of a step that needs the model; called in the main thread.

    Args:
        name: of the task, by default that of the function.
        task_run_name: of its runs, with the parameters in braces.
    """
    return _durable_task(name, task_run_name, ["gpu"])


def io_task(
    *, name: str | None = None, task_run_name: str | None = None
) -> Callable[[Callable[Given, Made]], Task[Given, Made]]:
    """Return what makes a task of a step that reads, converts and writes.

    Args:
        name: of the task, by default that of the function.
        task_run_name: of its runs, with the parameters in braces.
    """
    return _durable_task(name, task_run_name, None)


def _durable_task(
    name: str | None, task_run_name: str | None, tags: list[str] | None
) -> Callable[[Callable[Given, Made]], Task[Given, Made]]:
    """Return what makes a task that is tried again while the store does not answer."""

    def made(body: Callable[Given, Made]) -> Task[Given, Made]:
        return task(
            name=name,
            task_run_name=task_run_name,
            tags=tags,
            retries=RETRIES,
            retry_delay_seconds=RETRY_DELAYS_SECONDS,
            retry_condition_fn=retry_transient,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
        )(body)

    return made


def durable_flow(
    *, name: str, flow_run_name: str | None = None
) -> Callable[[Callable[Given, Made]], Flow[Given, Made]]:
    """Return what makes a flow of a function; its progress lies in the store.

    Args:
        name: of the flow.
        flow_run_name: of its runs, with the parameters in braces.
    """

    def made(body: Callable[Given, Made]) -> Flow[Given, Made]:
        return flow(
            name=name,
            flow_run_name=flow_run_name,
            persist_result=False,
            log_prints=False,
            validate_parameters=True,
        )(told(body))

    return made
