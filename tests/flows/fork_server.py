"""Runs jobs in forked children, so that killing a process two dozen times costs no imports.

A job is one JSON line on standard input; answers are JSON lines: `{"pid": …}` when the child has
begun, `{"pid": …, "status": …}` when it has ended. `{"kill": pid}` kills a child that still runs;
it has no answer of its own. The children do what a command does, without
Prefect, and note every window that they begin in a side log.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

import musiccore.runs.sample
import musiccore.sampling.sampler as sampler
from musiccore import audio, tags
from musiccore.delivery.carry_out import HERE, Steps, carry_out
from musiccore.errors import Fenced
from musiccore.models.machine import Machine
from musiccore.pages import figures, song
from musiccore.runs.model_sampler import ModelSampler
from musiccore.runs.open_run import open_run
from musiccore.storage.store import open_store

FENCED = 7
LOADED = (audio, figures, song, tags)  # imported here, before the forks


class Undelivered(Exception):
    """Ends a run before anything of it is delivered."""


def undelivered(_: object) -> None:
    raise Undelivered


def finish(store: str, run_id: str, *, deliver: bool) -> None:
    """Bring a run to its end."""
    steps = HERE if deliver else Steps(publish_song=undelivered)
    with open_run(open_store(store), run_id, Machine()) as run, suppress(Undelivered):
        carry_out(run, steps)


def note_windows(path: Path) -> None:
    """Write a line into a side log whenever a window begins."""

    class Noting(ModelSampler):
        def __call__(self, unit, codes, upper, on_step):
            line = f"{unit.level} {unit.group} {unit.window.index}\n"
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(fd, line.encode())
            os.close(fd)
            return super().__call__(unit, codes, upper, on_step)

    musiccore.runs.sample.ModelSampler = Noting


def reseed_per_process() -> None:
    """Draw as programs do that keep a generator: it begins anew with every process."""
    generator = np.random.default_rng(1)
    sampler.uniforms = lambda seed, level, window, take, start, n: generator.random(n)


def child(job: dict[str, object]) -> int:
    note_windows(Path(str(job["side_log"])))
    if job.get("reseeded"):
        reseed_per_process()
    try:
        finish(str(job["store"]), str(job["run"]), deliver=bool(job.get("deliver")))
    except Fenced as error:
        sys.stderr.write(error.message + "\n")
        return FENCED
    return 0


def start(job: dict[str, object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        log = os.open(str(job["side_log"]) + ".err", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(log, 2)
        status = child(job)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def answer(**fields: object) -> None:
    os.write(1, (json.dumps(fields) + "\n").encode())


def main() -> None:
    torch.set_num_threads(1)
    answer(ready=True)
    running: set[int] = set()
    buffer = b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.005 if running else None)
        if readable:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                job = json.loads(line)
                if "kill" in job:
                    if job["kill"] in running:
                        os.kill(job["kill"], signal.SIGKILL)
                    continue
                pid = start(job)
                running.add(pid)
                answer(pid=pid)
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                running.discard(pid)
                answer(pid=pid, status=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
