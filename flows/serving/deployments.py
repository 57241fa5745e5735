"""The deployments: one table of what can be started from Prefect, and where it runs.

`jukeflow serve` registers this table, and `deployments/prefect.yaml` says the same for work pools.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from musiccore.errors import ConfigError

if TYPE_CHECKING:
    from uuid import UUID

    from prefect import Flow

    from flows.serving.registration import Registration

Pool = Literal["gpu", "cpu"]

LIMITS: dict[Pool, int] = {"gpu": 1, "cpu": 4}
"""Runs at the same time: one per GPU, and a choice never queues behind an upsample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When a deployment starts by itself.

    Attributes:
        slug: its name, so that a later deployment changes it instead of adding another.
        cron: in UTC.
        active: whether it is switched on.
        formerly: parameters of the runs it starts that version 0.1.0 gave it. It gives none now:
            they would win over those that a person names in the deployment.
    """

    slug: str
    cron: str
    active: bool
    formerly: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One flow that Prefect can start.

    Attributes:
        name: of the deployment.
        entrypoint: dotted name of the flow in the installed package.
        pool: where it runs.
        tags: to find it and its runs.
        again: whether a run that died is started once more with the same parameters, because it
            does what is left. The runs of songs are found in the store instead.
    """

    name: str
    entrypoint: str
    pool: Pool
    tags: tuple[str, ...]
    timetable: Timetable | None = None
    again: bool = False

    def flow(self) -> Flow[..., Any]:
        """Import the flow."""
        module, name = self.entrypoint.rsplit(".", 1)
        flow: Flow[..., Any] = getattr(import_module(module), name)
        return flow

    def description(self) -> str:
        """Return the first paragraph of the flow's docstring, on one line."""
        text = inspect.getdoc(self.flow()) or ""
        return " ".join(text.split("\n\n")[0].split())

    def served(self) -> Registration:
        """Return it as a runner of this machine registers it."""
        from prefect.schedules import Cron
        from prefect.types.entrypoint import EntrypointType

        from flows.serving.registration import Registration

        times = self.timetable
        made = Registration.from_flow(
            self.flow(),
            self.name,
            schedule=Cron(times.cron, timezone="UTC", active=times.active, slug=times.slug)
            if times
            else None,
            tags=["jukeflow", *self.tags],
            version=version("jukeflow"),
            description=self.description(),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        assert isinstance(made, Registration)
        made.gave(dict(times.formerly) if times else {})
        return made


DEPLOYMENTS: tuple[Deployed, ...] = (
    Deployed(
        name="compose",
        entrypoint="flows.compose.compose_song",
        pool="gpu",
        tags=("song",),
    ),
    Deployed(
        name="continue",
        entrypoint="flows.resume.resume",
        pool="gpu",
        tags=("song",),
    ),
    Deployed(
        name="upsample",
        entrypoint="flows.upsample.upsample_take",
        pool="gpu",
        tags=("song",),
    ),
    Deployed(
        name="generate",
        entrypoint="flows.generate.generate_song",
        pool="gpu",
        tags=("song",),
    ),
    Deployed(
        name="batch",
        entrypoint="flows.batch.batch",
        pool="gpu",
        tags=("song",),
        again=True,
        timetable=Timetable(
            slug="every-night",
            cron="0 22 * * *",
            active=False,
            formerly=(("file", "songs.csv"), ("hours", 9)),
        ),
    ),
    Deployed(
        name="train",
        entrypoint="flows.train.train",
        pool="gpu",
        tags=("training",),
        again=True,
    ),
    Deployed(
        name="choose",
        entrypoint="flows.choose.choose",
        pool="cpu",
        tags=("song", "choice"),
    ),
    Deployed(
        name="resume-interrupted",
        entrypoint="flows.resume.resume_interrupted",
        pool="cpu",
        tags=("upkeep",),
        timetable=Timetable(slug="every-ten-minutes", cron="*/10 * * * *", active=True),
    ),
    Deployed(
        name="convert",
        entrypoint="flows.convert.convert",
        pool="cpu",
        tags=("audio",),
        again=True,
    ),
    Deployed(
        name="convert-new",
        entrypoint="flows.convert.convert_new",
        pool="cpu",
        tags=("audio",),
        again=True,
        timetable=Timetable(
            slug="every-quarter-of-an-hour",
            cron="*/15 * * * *",
            active=False,
            formerly=(("source", "inbox"), ("destination", "converted")),
        ),
    ),
    Deployed(
        name="midi",
        entrypoint="flows.midi.midi",
        pool="cpu",
        tags=("audio",),
    ),
    Deployed(
        name="midi-transcribe",
        entrypoint="flows.midi.midi_transcribe",
        pool="cpu",
        tags=("audio",),
    ),
    Deployed(
        name="midi-tokenise",
        entrypoint="flows.midi.midi_tokenise",
        pool="cpu",
        tags=("midi",),
    ),
    Deployed(
        name="midi-compose",
        entrypoint="flows.midi.midi_compose",
        pool="cpu",
        tags=("score",),
    ),
    Deployed(
        name="midi-train",
        entrypoint="flows.midi.midi_train",
        pool="cpu",
        tags=("score", "training"),
        again=True,
    ),
)


def deployed(name: str) -> Deployed:
    """Return the deployment of this name.

    Raises:
        ConfigError: if there is none.
    """
    for each in DEPLOYMENTS:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in DEPLOYMENTS)
    raise ConfigError(f"deployment: {name} is unknown", hint=f"use one of {names}")


def start(name: str, parameters: dict[str, Any], *, key: str | None = None) -> UUID:
    """Ask Prefect to run a deployment soon, and do not wait for it.

    The run is nobody's child, so that it may suspend.

    Args:
        name: of the deployment.
        parameters: of its flow.
        key: two calls with the same one start one run.

    Returns:
        The id of the flow run.

    Raises:
        ConfigError: if Prefect's server has no such deployment.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Scheduled

    full_name = f"{deployed(name).flow().name}/{name}"
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(full_name)
        except ObjectNotFound as error:
            raise ConfigError(
                f"deployment: {full_name} is not on the server {client.api_url}",
                hint="start `jukeflow serve` there, or deploy deployments/prefect.yaml",
            ) from error
        return client.create_flow_run_from_deployment(
            deployment.id, parameters=parameters, state=Scheduled(), idempotency_key=key
        ).id
