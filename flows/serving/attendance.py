"""A runner looks after the runs that died: what they left open is ended, and the work goes on.

Prefect's runner notices that the process of a run is gone and marks that run, but not what it had
called, and it starts nothing. The timetable of `resume-interrupted` would do so after ten minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from flows.serving.deployments import Deployed, start
from flows.serving.marking import crashed_since, mark_ghosts
from musiccore.errors import ConfigError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

_log = logging.getLogger(__name__)

SWEEP: Final = "resume-interrupted"
LOOK_SECONDS: Final = 3.0
MOST_DEATHS: Final = 5
"""More than these in ten minutes are no accident: what is left then waits for the timetable."""

_DEATHS_WITHIN_SECONDS: Final = 600.0


class Attendance:
    """Ends what dead runs left open, and lets the work go on.

    Args:
        served: id → deployment, of those that this runner serves.
        begin: runs that ended before this moment are not looked at.
    """

    def __init__(self, served: Mapping[UUID, Deployed], begin: datetime | None = None) -> None:
        self._served = dict(served)
        self._begin = begin or datetime.now(UTC)
        self._seen: set[UUID] = set()
        self._deaths: list[float] = []

    async def attend(self) -> None:
        """Look after them until this is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await asyncio.to_thread(self.look)
            except Exception as error:  # a server that is away comes back
                _log.warning("runs that died could not be looked after: %s", error)

    def look(self) -> None:
        """Look after those that have died since the last look."""
        for run in crashed_since(list(self._served), self._begin):
            if run.id not in self._seen:
                mark_ghosts([str(run.id)])
                self._go_on(run)
                self._seen.add(run.id)

    def _go_on(self, run: FlowRun) -> None:
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < _DEATHS_WITHIN_SECONDS]
        self._deaths.append(now)
        deployed = self._served.get(run.deployment_id) if run.deployment_id else None
        if deployed is None or deployed.name == SWEEP or len(self._deaths) > MOST_DEATHS:
            return
        with suppress(ConfigError):  # the other pool is not served; its timetable does it
            if deployed.again:
                start(deployed.name, run.parameters, key=f"again-{run.id}")
            else:
                start(SWEEP, {}, key=f"after-{run.id}")
