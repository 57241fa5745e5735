"""The steps of a reproduction: a file's music made again, and compared with it."""

from __future__ import annotations

from pathlib import Path

from musiccore.delivery import reproduction
from musiccore.delivery.origin import Wanted
from musiccore.delivery.reproduction import Prospect, ReproductionReport
from tasks.context import shared_store, working
from tasks.policies import gpu_task, io_task
from tasks.settings import machine


@io_task(task_run_name="begin-again")
def begin_again(file: str, primer: str = "") -> Prospect:
    """Create the run that makes a file again, with the choices that led to it.

    Args:
        file: path of the audio file.
        primer: path of the primer, where the music starts from a recording or a score.

    Returns:
        The run, what differs here, and what it will cost.
    """
    wanted = Wanted.of(Path(file))
    unlike = reproduction.create_again(shared_store(), wanted, primer, machine())
    with working(wanted.run_id) as run:
        return reproduction.begin_again(run, wanted, primer, unlike)


@gpu_task(task_run_name="make-again-{run_id}")
def make_again(run_id: str, file: str) -> dict[str, str]:
    """Sample what the sound of a file is made of; every finished window is kept.

    Args:
        run_id: the run that `begin_again` named.
        file: path of the audio file.

    Returns:
        Level → sha256 of the codes.
    """
    with working(run_id) as run:
        return reproduction.make_again(run, Wanted.of(Path(file)).origin)


@gpu_task(task_run_name="compare-again-{run_id}")
def compare_again(run_id: str, file: str, out: str = "") -> ReproductionReport:
    """Compare what was made again with the file.

    Args:
        run_id: the run that `make_again` finished.
        file: path of the audio file.
        out: where the sound that was made again is written; empty for nowhere.

    Returns:
        What was compared, and the verdict.
    """
    path = Path(file)
    with working(run_id) as run:
        wanted = Wanted.of(path)
        return reproduction.compare_again(run, wanted, path, Path(out) if out else None)
