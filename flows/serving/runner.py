"""One runner: `python -P -m flows.serving.runner POOL LIMIT [--sole]`.

It registers the deployments of its pool and runs what Prefect hands out for them, each run in a
process of its own. The standard output that it was given carries one sentence a line for the
person, and `ready` once; everything that anybody prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flows.serving.attendance import SWEEP, Attendance
from flows.serving.deployments import DEPLOYMENTS, Pool, deployed, start
from musiccore.errors import ConfigError

if TYPE_CHECKING:
    from flows.serving.registration import Registration

Tell = Callable[[str], None]

LOOK_BACK = timedelta(minutes=2)
"""What died with the runner before this one ended before this one began; no run goes on twice."""


def _served(pool: Pool, tell: Tell) -> list[Registration]:
    """Return the deployments of a pool; one that does not load is left out, and says so."""
    found = []
    for each in DEPLOYMENTS:
        if each.pool == pool:
            try:
                found.append(each.served())
            except Exception as error:
                traceback.print_exc()
                tell(f"deployment {each.name} is left out, it does not load: {error}")
    return found


def _continue_soon() -> None:
    """Continue what was interrupted without waiting for the timetable.

    Runners that start together ask for it once. It is no loss if the other pool is not registered
    yet: its own runner asks as well.
    """
    half_minute = int(time.time() // 30)
    with suppress(ConfigError):
        start(SWEEP, {}, key=f"start-of-a-runner-{half_minute}")


async def _run(
    pool: Pool, limit: int, served: list[Registration], tell: Tell, *, sole: bool
) -> None:
    from prefect.runner import Runner

    from flows.serving.marking import settle_abandoned

    begin = datetime.now(UTC) - (LOOK_BACK if sole else timedelta())
    runner = Runner(name=f"jukeflow-{pool}", limit=limit, pause_on_shutdown=False)
    ids = [await runner.aadd_deployment(each) for each in served]
    for sentence in (note for each in served for note in each.notes):
        tell(sentence)
    if sole:
        await settle_abandoned(ids)
        await asyncio.to_thread(_continue_soon)
    named = {id_: deployed(each.name) for id_, each in zip(ids, served, strict=True)}
    attendance = asyncio.create_task(Attendance(named, begin).attend())
    work = asyncio.create_task(runner.start())
    while not runner.started and not work.done():
        await asyncio.sleep(0.05)
    ending = []

    def end() -> None:
        ending.append(asyncio.create_task(runner.astop()))

    # Prefect's own handler calls a coroutine without awaiting it; this one ends the runs in order.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    tell("ready")
    await work
    attendance.cancel()
    for task in ending:
        await task


def main(pool: Pool, limit: int, *, sole: bool) -> None:
    """Serve one pool until SIGTERM."""
    words = os.dup(1)
    os.dup2(2, 1)

    def tell(sentence: str) -> None:
        os.write(words, f"{' '.join(sentence.split())}\n".encode())

    asyncio.run(_run(pool, limit, _served(pool, tell), tell, sole=sole))


if __name__ == "__main__":
    name, limit, *rest = sys.argv[1:]
    main("gpu" if name == "gpu" else "cpu", int(limit), sole="--sole" in rest)
