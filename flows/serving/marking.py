"""Flow runs whose process is gone: Prefect would show them as running for ever."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, StateType, TaskRun

_log = logging.getLogger(__name__)
_MESSAGE = "The process of this run is gone; what it finished is in the store."

_SHUTDOWN = "Runner is shutting down."  # what Prefect's runner says of runs it cancels at its end


def mark_ghosts(dead: Sequence[str]) -> list[str]:
    """Set flow runs whose process is dead to Crashed, with all inside them; ended ones stay.

    It never raises: the marks are for people who look at Prefect, the store knows the truth.

    Args:
        dead: ids of flow runs, for example those that claimed a run of the store.

    Returns:
        The ids of the flow runs that were marked.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    marked = []
    try:
        with get_client(sync_client=True) as client:
            for name in dead:
                with suppress(ObjectNotFound, ValueError):  # of another server, or no id
                    marked += _mark(client, client.read_flow_run(UUID(name)))
    except Exception as error:
        _log.warning("flow runs of dead processes could not be marked: %s", error)
    return marked


def _mark(client: SyncPrefectClient, run: FlowRun) -> list[str]:
    """Set a flow run and everything that it called to Crashed, the innermost first."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
    from prefect.states import Crashed

    inside = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]))
    marked = []
    for inner in client.read_flow_runs(flow_run_filter=inside):
        marked += _mark(client, inner)
    for task in _at_work(client, run):
        client.set_task_run_state(task.id, Crashed(message=_MESSAGE), force=True)
    if run.state is None or not run.state.is_final():
        client.set_flow_run_state(run.id, Crashed(message=_MESSAGE), force=True)
        marked.append(str(run.id))
    return marked


def _at_work(client: SyncPrefectClient, run: FlowRun) -> list[TaskRun]:
    """Return the task runs of a flow run that have not ended."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterId,
        TaskRunFilter,
        TaskRunFilterState,
        TaskRunFilterStateType,
    )
    from prefect.client.schemas.objects import TERMINAL_STATES, StateType

    states = [state for state in StateType if state not in TERMINAL_STATES]
    return client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])),
        task_run_filter=TaskRunFilter(
            state=TaskRunFilterState(type=TaskRunFilterStateType(any_=states))
        ),
        limit=200,
    )


def cancelled_by_person(flow_run: str) -> bool:
    """Return whether somebody cancelled a flow run in Prefect: then it is not to go on by itself.

    A runner that shuts down cancels its runs too; those go on.

    Args:
        flow_run: id of the flow run.
    """
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(flow_run)).state
    except Exception as error:
        _log.warning("whether flow run %s was cancelled is not known: %s", flow_run, error)
        return False
    if state is None or not (state.is_cancelled() or state.is_cancelling()):
        return False
    return state.message != _SHUTDOWN


async def settle_abandoned(deployment_ids: list[UUID]) -> list[UUID]:
    """Settle what an earlier runner of these deployments left behind.

    Call it only where no other runner serves them: every run that seems to be at work is dead. One
    that was at work becomes Crashed; one that had not begun is scheduled again.

    Args:
        deployment_ids: the deployments.

    Returns:
        The runs that are Crashed now.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.states import AwaitingRetry, Crashed

    crashed = []
    async with get_client() as client:
        for run in await _unsettled(deployment_ids):
            if run.state_type is StateType.PENDING:
                await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
            else:
                await client.set_flow_run_state(run.id, Crashed(message=_MESSAGE), force=True)
                crashed.append(run.id)
    return crashed


def crashed_since(deployment_ids: Sequence[UUID], moment: datetime) -> list[FlowRun]:
    """Return the runs of some deployments that have crashed since a moment, the latest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=list(deployment_ids)),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
    )
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.END_TIME_DESC, limit=50
        )
    return [run for run in found if run.end_time is not None and run.end_time >= moment]


async def _unsettled(deployment_ids: list[UUID]) -> list[FlowRun]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    states: list[StateType] = [StateType.RUNNING, StateType.CANCELLING, StateType.PENDING]
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=deployment_ids),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)),
    )
    async with get_client() as client:
        return await client.read_flow_runs(flow_run_filter=wanted, limit=200)
