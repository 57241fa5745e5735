"""How `jukeflow serve` registers a deployment: anew, or leaving alone what people changed.

Prefect's own registration replaces what is there. This one asks first. A person owns the
parameters, the pause, the limit and every schedule; the code, the version and the form are ours;
the rest is compared with what was registered last, which a variable of the Prefect server keeps.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.variables import Variable
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from flows.serving.merge import Registered, Times, merged, merged_schedules, merged_tags

_REFUSED: Final = 409


class _KeptTimes(BaseModel):
    """A timetable as the variable keeps it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    times: dict[str, object]
    active: bool
    parameters: dict[str, object]

    def as_times(self) -> Times:
        return Times(id=self.id, times=self.times, active=self.active, parameters=self.parameters)


class _Kept(BaseModel):
    """A deployment as the variable keeps it; whatever a person wrote there is checked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    description: str
    tags: list[str]
    schedules: dict[str, _KeptTimes]


class Registration(RunnerDeployment):
    """A deployment that is registered as this module says."""

    _notes: list[str] = PrivateAttr(default_factory=list)
    _formerly: dict[str, object] = PrivateAttr(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Sentences for the person who registers it."""
        return self._notes

    def gave(self, parameters: dict[str, object]) -> None:
        """Say which parameters the timetable had before anybody kept in mind what it had."""
        self._formerly = parameters

    async def aapply(self, *words: Any, **options: Any) -> UUID:
        """Register it.

        Returns:
            The id of the deployment.
        """
        async with get_client() as client:
            there = await self._there(client)
            if there is None:
                await super().aapply(*words, **options)
                there = await client.read_deployment_by_name(self.full_name)
                schedules = self._wanted(there)
            else:
                schedules = await self._renew(client, there)
            now = Registered(
                id=str(there.id),
                description=self.description or "",
                tags=list(self.tags or ()),
                schedules=schedules,
            )
            if now != await self._last():
                await Variable.aset(self._memory, dict(now), tags=["jukeflow"], overwrite=True)
            return there.id

    async def _there(self, client: PrefectClient) -> DeploymentResponse | None:
        try:
            return await client.read_deployment_by_name(self.full_name)
        except ObjectNotFound:
            return None

    @property
    def _memory(self) -> str:
        """Name of the variable that keeps what was registered last."""
        return f"jukeflow_registered_{self.name}".replace("-", "_")

    async def _last(self) -> Registered | None:
        try:
            kept = _Kept.model_validate(await Variable.aget(self._memory))
        except ValidationError:
            return None  # nobody has kept it yet, or a person changed it
        return Registered(
            id=kept.id,
            description=kept.description,
            tags=kept.tags,
            schedules={slug: times.as_times() for slug, times in kept.schedules.items()},
        )

    def _wanted(self, there: DeploymentResponse | None = None) -> dict[str, Times]:
        """Return our timetables, with the ids that those of a new deployment got."""
        ids = {schedule.slug: str(schedule.id) for schedule in there.schedules} if there else {}
        return {
            str(each.slug): Times(
                id=ids.get(each.slug, ""),
                times=_times(each.schedule),
                active=bool(each.active),
                parameters=dict(each.parameters or {}),
            )
            for each in self.schedules or ()
        }

    def _at_first(self, there: DeploymentResponse) -> Registered:
        """Return what was registered by those who did not keep it."""
        return Registered(
            id=str(there.id),
            description=there.description or "",
            tags=list(there.tags),
            schedules={
                slug: Times(**{**times, "parameters": {**self._formerly, **times["parameters"]}})
                for slug, times in self._wanted().items()
            },
        )

    async def _renew(self, client: PrefectClient, there: DeploymentResponse) -> dict[str, Times]:
        """Bring what is new to a deployment that is there; return the timetables to remember."""
        last = await self._last()
        if last is None:
            last = self._at_first(there)
        elif last["id"] != str(there.id):  # deleted, and made by somebody else
            last = {**self._at_first(there), "schedules": {}}
        await self._renew_fields(client, there, last)
        wanted = self._wanted()
        here = {str(each.id): (each.slug, _as_times(each)) for each in there.schedules}
        changes = merged_schedules(last["schedules"], here, wanted, there.parameters)
        for key in changes.deleted:
            await client.delete_deployment_schedule(there.id, UUID(key))
        for key, how in changes.changed.items():
            await client.update_deployment_schedule(
                there.id,
                UUID(key),
                active=how["active"],
                schedule=self._schedule(how) if how["times"] != here[key][1]["times"] else None,
                parameters=how["parameters"],
            )
        remembered = dict(changes.registered)
        new = [
            each
            for each in self.schedules or ()
            if isinstance(each, DeploymentScheduleCreate) and each.slug in changes.made
        ]
        if new:
            made = await client.create_deployment_schedules(there.id, new)
            for each in made:
                remembered[str(each.slug)] = _as_times(each)
        return remembered

    def _schedule(self, how: Times) -> Any:
        """Return the schedule of ours that starts runs at these times."""
        found = [each for each in self.schedules or () if _times(each.schedule) == how["times"]]
        return found[0].schedule

    async def _renew_fields(
        self, client: PrefectClient, there: DeploymentResponse, last: Registered
    ) -> None:
        schema = self._parameter_openapi_schema.model_dump(exclude_unset=True)
        ours: dict[str, object] = {
            "version": self.version,
            "entrypoint": self.entrypoint,
            "path": self._path,
            "description": merged(
                last["description"], there.description or "", self.description or ""
            ),
            "tags": merged_tags(last["tags"], there.tags, self.tags or ()),
            "parameter_openapi_schema": schema,
            "enforce_parameter_schema": self.enforce_parameter_schema,
            **({"pull_steps": None} if there.pull_steps else {}),
        }
        if all(getattr(there, name) == value for name, value in ours.items()):
            return  # so that the runs that are planned stay as they are
        try:
            await client.update_deployment(there.id, DeploymentUpdate.model_validate(ours))
        except PrefectHTTPStatusError as error:
            if error.response.status_code != _REFUSED:
                raise
            self._notes.append(
                f"deployment {self.name}: its parameters do not fit this version and stay as they"
                f" are until you correct them in Prefect: {error.response.json().get('detail')}"
            )
            free = {**ours, "enforce_parameter_schema": False}
            await client.update_deployment(there.id, DeploymentUpdate.model_validate(free))


def _times(schedule: Any) -> dict[str, object]:
    """Return when a schedule starts runs, in a form that can be kept and compared."""
    if isinstance(schedule, CronSchedule):
        return {"cron": schedule.cron, "timezone": schedule.timezone or "UTC"}
    found: dict[str, object] = schedule.model_dump(mode="json")
    return found


def _as_times(schedule: DeploymentSchedule) -> Times:
    return Times(
        id=str(schedule.id),
        times=_times(schedule.schedule),
        active=schedule.active,
        parameters=dict(schedule.parameters),
    )
