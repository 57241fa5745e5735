"""The first step of a run."""

from __future__ import annotations

from musiccore.planning import Plan
from musiccore.request import GenerationRequest
from tasks.artifacts import show_plan
from tasks.models import Models
from tasks.policies import io_task
from tasks.resources import current_run, flow_run_id, shared_store
from tasks.runs import check_request, create_run, new_run_id, run_exists
from tasks.settings import Settings


@io_task(task_run_name="start-run")
def start_run(request: GenerationRequest, run_id: str) -> str:
    """Check a request and create its run, unless it is there.

    Args:
        request: what to make.
        run_id: name of the run; empty for a fresh one. A deployed Prefect run that begins again
            gets the same name again.

    Returns:
        The name of the run.
    """
    if run_id and current_run(run_id) is not None:
        return run_id
    settings = Settings.from_environment()
    store = shared_store(settings)
    run_id = run_id or new_run_id(request, unique=flow_run_id().replace("-", "")[:10])
    begun = run_exists(store, run_id)
    config = check_request(request, settings)
    create_run(store, request, run_id, config, Models(config, settings))
    if not begun:
        device = "cuda" if settings.device.startswith("cuda") else "cpu"
        show_plan(run_id, Plan.of(config, request, device=device))  # type: ignore[arg-type]
    return run_id
