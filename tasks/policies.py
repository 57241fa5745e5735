"""Retries, caching and timeouts of all tasks; the only place for such numbers.

The store remembers what is done, so Prefect's cache and persisted results are off everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

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


def gpu_task(*, task_run_name: str) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Return what makes a step of a function that needs the model.

    It is called directly, so that it runs in the main thread.

    Args:
        task_run_name: of its runs, with the parameters in braces.
    """
    return _durable(task_run_name, tags=("gpu",))


def io_task(*, task_run_name: str) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Return what makes a step of a function that reads, converts and writes.

    Args:
        task_run_name: of its runs, with the parameters in braces.
    """
    return _durable(task_run_name)


def _durable(
    task_run_name: str, tags: tuple[str, ...] = ()
) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    def made(step: Callable[Given, Made]) -> Callable[Given, Made]:
        durable: Callable[[Callable[Given, Made]], Task[Given, Made]] = task(
            task_run_name=task_run_name,
            tags=tags or None,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
            retries=RETRIES,
            retry_delay_seconds=RETRY_DELAYS_SECONDS,
            retry_condition_fn=retry_transient,
        )
        return cast("Callable[Given, Made]", durable(step))

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
