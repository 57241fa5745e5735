"""The first step of a run, and where interrupted ones are found."""

from __future__ import annotations

from musiccore.request import GenerationRequest
from tasks.models import Models
from tasks.policies import io_task
from tasks.resources import current_run, shared_store
from tasks.runs import check_request, create_run, describe_run, new_run_id, unfinished_runs
from tasks.settings import Settings


@io_task(task_run_name="start-run")
def start_run(request: GenerationRequest, run_id: str) -> str:
    """Check a request and create its run, unless it is there.

    Args:
        request: what to make.
        run_id: name of the run; empty for a fresh one.

    Returns:
        The name of the run.
    """
    if run_id and current_run(run_id) is not None:
        return run_id
    settings = Settings.from_environment()
    config = check_request(request, settings)
    run_id = run_id or new_run_id(request)
    create_run(shared_store(settings), request, run_id, config, Models(config, settings))
    return run_id


@io_task(task_run_name="find-unfinished")
def find_unfinished() -> list[str]:
    """Return the unfinished runs that no worker of this machine is at work on."""
    store = shared_store()
    return [run for run in unfinished_runs(store) if describe_run(store, run).state != "running"]
