"""Flow runs whose process is gone are marked, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Cancelling, Completed, Crashed, Pending, Running, Scheduled

from flows.serving.marking import cancelled_by_person, mark_ghosts, settle_abandoned


@flow
def song() -> None:
    """Do nothing."""


@task
def song_step() -> None:
    """Do nothing."""


@pytest.fixture
def client(prefect_server) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def deployment(client) -> Iterator[UUID]:
    made = client.create_deployment(client.create_flow(song), name="song")
    yield made
    client.delete_deployment(made)


def run_in(client: SyncPrefectClient, deployment: UUID, state: State[None]) -> UUID:
    run = client.create_flow_run_from_deployment(deployment)
    client.set_flow_run_state(run.id, state, force=True)
    return run.id


def state_of(client: SyncPrefectClient, run: UUID) -> str:
    return client.read_flow_run(run).state.name


def test_running_ghost_is_crashed_and_an_ended_run_stays(client, deployment) -> None:
    ghost = run_in(client, deployment, Running())
    done = run_in(client, deployment, Completed())
    assert mark_ghosts([str(done), str(ghost)]) == [str(ghost)]
    assert state_of(client, ghost) == "Crashed"
    assert state_of(client, done) == "Completed"


def test_flow_runs_inside_a_ghost_are_crashed_with_it(client, deployment) -> None:
    ghost = run_in(client, deployment, Running())
    inside = client.create_task_run(song_step, ghost, dynamic_key="0", state=Running())
    inner = client.create_flow_run(song, parent_task_run_id=inside.id, state=Running()).id
    deeper = client.create_task_run(song_step, inner, dynamic_key="0", state=Running())
    innermost = client.create_flow_run(song, parent_task_run_id=deeper.id, state=Running()).id
    done = client.create_task_run(song_step, inner, dynamic_key="1", state=Completed())
    assert set(mark_ghosts([str(ghost)])) == {str(ghost), str(inner), str(innermost)}
    assert {state_of(client, run) for run in (inner, innermost)} == {"Crashed"}
    assert {client.read_task_run(t.id).state.name for t in (inside, deeper)} == {"Crashed"}
    assert client.read_task_run(done.id).state.name == "Completed"


def test_what_an_ended_run_had_called_is_crashed(client, deployment) -> None:
    crashed = run_in(client, deployment, Crashed())
    step = client.create_task_run(song_step, crashed, dynamic_key="0", state=Running())
    assert mark_ghosts([str(crashed)]) == []
    assert client.read_task_run(step.id).state.name == "Crashed"


def test_unknown_run_does_not_hide_the_next_ghost(client, deployment, caplog) -> None:
    ghost = run_in(client, deployment, Running())
    assert mark_ghosts([str(uuid4()), "no id at all", str(ghost)]) == [str(ghost)]
    assert state_of(client, ghost) == "Crashed"


def test_server_that_is_away_is_a_warning(prefect_server, caplog) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert mark_ghosts([str(uuid4())]) == []
    assert "could not be marked" in caplog.text


def test_runs_of_a_dead_runner_are_settled(client, deployment) -> None:
    running = run_in(client, deployment, Running())
    cancelling = run_in(client, deployment, Running())
    client.set_flow_run_state(cancelling, Cancelling())
    pending = run_in(client, deployment, Pending())
    waiting = run_in(client, deployment, Scheduled())
    assert set(asyncio.run(settle_abandoned([deployment]))) == {running, cancelling}
    assert state_of(client, running) == "Crashed"
    assert state_of(client, cancelling) == "Crashed"
    assert state_of(client, pending) == "AwaitingRetry"
    assert state_of(client, waiting) == "Scheduled"


def test_what_a_person_cancelled_is_told_from_what_a_runner_ended(client, deployment) -> None:
    by_person = run_in(client, deployment, Cancelled())
    by_runner = run_in(client, deployment, Cancelled(message="Runner is shutting down."))
    crashed = run_in(client, deployment, Running())
    assert cancelled_by_person(str(by_person))
    assert not cancelled_by_person(str(by_runner))
    assert not cancelled_by_person(str(crashed))
    assert not cancelled_by_person(str(uuid4()))
