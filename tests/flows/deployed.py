"""A deployed flow, run in this process as a runner would: its state, log and artifacts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact, State
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow
from prefect.states import Pending

from flows.serving.deployments import deployed

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


class Lines(logging.Handler):
    """Keeps what the log of a run would show."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def said(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@contextmanager
def listening() -> Iterator[Lines]:
    """Hear the lines of the log of flow runs, at the level that Prefect has by itself."""
    lines = Lines()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(lines)
    try:
        yield lines
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(lines)
            logger.setLevel(level)


@dataclass
class DeployedRun:
    """One flow run of a deployment.

    Attributes:
        lines: what its log shows, of all its attempts.
    """

    client: SyncPrefectClient
    name: str
    id: UUID
    lines: list[str] = field(default_factory=list)
    records: list[logging.LogRecord] = field(default_factory=list)

    @property
    def state(self) -> State:
        state = self.client.read_flow_run(self.id).state
        assert state is not None
        return state

    def go(self) -> State:
        """Do what the process of a flow run does, until it would end."""
        self.client.set_flow_run_state(self.id, Pending(), force=True)
        flow_run = self.client.read_flow_run(self.id)
        with listening() as lines, suppress(Abort, Pause):
            run_flow(
                deployed(self.name).flow(),
                flow_run=flow_run,
                error_logger=logging.getLogger(_LOGGERS[0]),
            )
        self.lines += lines.said
        self.records += lines.records
        return self.state

    def answer(self, action: str, take: int = 1, details: str = "") -> State:
        """Answer the form, and go on."""
        words = {"action": action, "take": f"take {take}", "details": details, "lyrics": ""}
        done = self.client.resume_flow_run(self.id, run_input=words)
        assert done.status.value == "ACCEPT", done
        return self.go()

    def asked(self) -> str:
        """Return the text above the fields of the form that waits."""
        keys = self.state.state_details.run_input_keyset
        assert keys is not None
        return str(json.loads(self.client.read_flow_run_input(self.id, keys["description"])))

    def artifacts(self) -> dict[str, Artifact]:
        """Return what its page shows, the newest of each key."""
        found = self.client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[self.id]))
        )
        return {str(one.key): one for one in sorted(found, key=lambda one: one.created)}


def begin(client: SyncPrefectClient, name: str, parameters: dict[str, object]) -> DeployedRun:
    """Register a deployment and ask for a run of it."""
    deployment = deployed(name).served().apply()
    made = client.create_flow_run_from_deployment(deployment, parameters=parameters)
    return DeployedRun(client, name, made.id)
