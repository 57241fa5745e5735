"""What a person changed in a deployment outlives the next `serve`, and ours still arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    VariableUpdate,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import EntrypointType
from prefect.schedules import Cron

from flows.serving.registration import Registration

MEMORY = "jukeflow_registered_every_kind"


@flow(name="kept")
def kept(file: str = "", hours: float = 0.0) -> None:
    """Do nothing."""


@flow(name="kept")
def kept_next(file: str = "", hours: str = "", places: int = 1) -> None:
    """Do nothing, in the next version."""


def registration(*, of: Any = kept, formerly: dict[str, object] | None = None, **other: Any) -> Any:
    words: dict[str, Any] = {
        "schedules": [
            Cron("0 22 * * *", timezone="UTC", active=False, slug="every-night"),
            Cron("*/10 * * * *", timezone="UTC", active=True, slug="every-ten-minutes"),
        ],
        "tags": ["jukeflow", "song"],
        "version": "1",
        "description": "First words.",
        **other,
    }
    made = Registration.from_flow(
        of, "every-kind", entrypoint_type=EntrypointType.MODULE_PATH, **words
    )
    made.gave(formerly or {})
    return made


def register(**words: Any) -> Any:
    made = registration(**words)
    asyncio.run(made.aapply())
    return made


@pytest.fixture
def client(prefect_server) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)
        if client.read_variable_by_name(MEMORY):
            client.delete_variable_by_name(MEMORY)


def there(client: SyncPrefectClient) -> DeploymentResponse:
    return client.read_deployment_by_name("kept/every-kind")


def said(client: SyncPrefectClient) -> dict[str, Any]:
    """All that a person can see and change, without the moment of the last change."""
    found = there(client).model_dump(mode="json", exclude={"updated", "schedules"})
    rows = [s.model_dump(mode="json", exclude={"updated"}) for s in there(client).schedules]
    return {**found, "schedules": {row["id"]: row for row in rows}}


def times(client: SyncPrefectClient) -> dict[str, tuple[str, bool, dict[str, Any]]]:
    return {str(s.slug): (s.schedule.cron, s.active, s.parameters) for s in there(client).schedules}


def schedule(client: SyncPrefectClient, slug: str) -> Any:
    (found,) = [s for s in there(client).schedules if s.slug == slug]
    return found


def test_second_start_changes_nothing(client) -> None:
    register()
    before = there(client)
    register()
    assert there(client) == before


def test_whatever_a_person_changed_stays(client) -> None:
    register()
    one = there(client)
    night, often = schedule(client, "every-night"), schedule(client, "every-ten-minutes")
    client.update_deployment(
        one.id,
        DeploymentUpdate(
            parameters={"file": "mine.csv", "hours": 4},
            paused=True,
            concurrency_limit=3,
            description="My words.",
            tags=["jukeflow", "mine"],
            job_variables={"env": {"A": "b"}},
        ),
    )
    client.update_deployment_schedule(one.id, night.id, active=True, parameters={"hours": 2})
    client.update_deployment_schedule(
        one.id, often.id, schedule=CronSchedule(cron="0 * * * *", timezone="Europe/Berlin")
    )
    client.create_deployment_schedules(
        one.id,
        [
            DeploymentScheduleCreate(schedule=CronSchedule(cron="5 5 * * *"), slug="mine"),
            DeploymentScheduleCreate(schedule=CronSchedule(cron="6 6 * * *"), active=False),
        ],
    )
    before = said(client)
    register()
    assert said(client) == before
    register(version="2")
    assert said(client) == {**before, "version": "2"}


def test_memory_that_a_person_spoilt_is_made_again(client) -> None:
    register()
    kept = client.read_variable_by_name(MEMORY).value
    spoilt = {**kept, "tags": 5, "schedules": {"every-night": "never"}}
    client.update_variable(VariableUpdate(name=MEMORY, value=spoilt))
    register()
    assert client.read_variable_by_name(MEMORY).value == kept


def test_schedule_that_a_person_deleted_stays_deleted(client) -> None:
    register()
    client.delete_deployment_schedule(there(client).id, schedule(client, "every-night").id)
    register()
    register(version="2")
    assert times(client).keys() == {"every-ten-minutes"}


def test_schedule_that_a_person_renamed_is_not_made_again(client) -> None:
    register()
    night = schedule(client, "every-night")
    client.update_deployment_schedule(there(client).id, night.id, slug="late")
    register()
    assert times(client).keys() == {"late", "every-ten-minutes"}
    register(schedules=[Cron("0 21 * * *", timezone="UTC", active=False, slug="every-night")])
    assert times(client) == {"late": ("0 21 * * *", False, {})}


def test_what_is_ours_and_untouched_follows_the_new_version(client) -> None:
    register()
    one = there(client)
    client.update_deployment_schedule(one.id, schedule(client, "every-night").id, active=True)
    client.update_deployment(one.id, DeploymentUpdate(tags=["jukeflow", "song", "mine"]))
    register(
        of=kept_next,
        version="2",
        description="Better words.",
        tags=["jukeflow", "songs"],
        schedules=[
            Cron("0 23 * * *", timezone="UTC", active=False, slug="every-night"),
            Cron("0 4 * * *", timezone="UTC", active=True, slug="new"),
        ],
    )
    after = there(client)
    assert (after.id, after.version, after.description) == (one.id, "2", "Better words.")
    assert after.entrypoint.endswith("kept_next")
    assert "places" in after.parameter_openapi_schema["properties"]
    assert set(after.tags) == {"jukeflow", "songs", "mine"}
    assert times(client) == {
        "every-night": ("0 23 * * *", True, {}),
        "new": ("0 4 * * *", True, {}),
    }


def test_schedule_that_we_dropped_stays_if_a_person_changed_it(client) -> None:
    register()
    often = schedule(client, "every-ten-minutes")
    client.update_deployment_schedule(there(client).id, often.id, active=False)
    register(schedules=[])
    assert times(client) == {"every-ten-minutes": ("*/10 * * * *", False, {})}


def test_deployment_that_a_person_deleted_begins_afresh(client) -> None:
    register()
    client.delete_deployment_schedule(there(client).id, schedule(client, "every-night").id)
    client.delete_deployment(there(client).id)
    register()
    assert times(client).keys() == {"every-night", "every-ten-minutes"}
    register()
    assert times(client).keys() == {"every-night", "every-ten-minutes"}


def earlier(client: SyncPrefectClient) -> None:
    """Leave a deployment as version 0.1.0 did: its timetable names a file, nothing is kept."""
    register()
    client.delete_variable_by_name(MEMORY)
    night = schedule(client, "every-night")
    client.update_deployment_schedule(
        there(client).id, night.id, parameters={"file": "songs.csv", "hours": 9}
    )


FORMERLY: dict[str, object] = {"file": "songs.csv", "hours": 9}


def test_example_of_an_earlier_version_gives_way(client) -> None:
    earlier(client)
    register(formerly=FORMERLY)
    assert times(client)["every-night"] == ("0 22 * * *", False, {})


def test_example_that_a_person_lives_on_stays_until_the_deployment_names_another(client) -> None:
    earlier(client)
    one, night = there(client), schedule(client, "every-night")
    client.update_deployment_schedule(one.id, night.id, active=True, parameters=FORMERLY)
    for _ in range(2):
        register(formerly=FORMERLY)
        assert times(client)["every-night"][2] == FORMERLY
    client.update_deployment(one.id, DeploymentUpdate(parameters={"file": "mine.csv"}))
    register(formerly=FORMERLY)
    assert times(client)["every-night"] == ("0 22 * * *", True, {"hours": 9})


def test_parameters_that_do_not_fit_a_new_form_stay_and_are_named(client) -> None:
    register()
    client.update_deployment(there(client).id, DeploymentUpdate(parameters={"hours": 4}))
    made = register(of=kept_next, version="2")
    after = there(client)
    assert (after.version, after.parameters) == ("2", {"hours": 4})
    assert made.notes[0].startswith("deployment every-kind: its parameters do not fit")
    client.update_deployment(after.id, DeploymentUpdate(parameters={"hours": "4"}))
    assert register(of=kept_next, version="2").notes == []
    assert there(client).enforce_parameter_schema
