"""The first step of a run."""

from __future__ import annotations

from musiccore.errors import ConfigError
from musiccore.journal.journal import Journal
from musiccore.models.config import ModelConfig
from musiccore.models.machine import Machine
from musiccore.request.check import conditioning_notes
from musiccore.request.plan import DeviceKind, Plan
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import Primer, new_run_id, run_exists, start
from musiccore.storage.run_ids import validate_run_id
from musiccore.storage.store import Store
from musiccore.timecode import length, span
from tasks.artifacts import show_plan
from tasks.context import current_run, flow_run_id, new_store
from tasks.policies import io_task
from tasks.settings import machine
from tasks.story import tell


@io_task(task_run_name="start-run")
def start_run(request: GenerationRequest, run_id: str) -> str:
    """Check a request and create its run, unless it is there or this process works on it.

    Args:
        request: what to make.
        run_id: name of the run; empty for a fresh one. A deployed Prefect run that begins again
            gets the same name again.

    Returns:
        The name of the run.
    """
    if run_id and current_run(run_id) is not None:
        return run_id
    store, here, flow_run = new_store(), machine(), flow_run_id()
    run_id = validate_run_id(run_id or new_run_id(request, unique=flow_run.replace("-", "")[:10]))
    if flow_run:
        _check_own(store, run_id, flow_run)
    config, fresh = start(store, request, run_id, here)
    if fresh:
        _announce(store, request, run_id, config, here)
    return run_id


def _check_own(store: Store, run_id: str, flow_run: str) -> None:
    """Check that a run, if it is there, was begun by this Prefect run, or by nobody yet.

    Raises:
        ConfigError: if another one began it.
    """
    if not run_exists(store, run_id):
        return
    journal = Journal.open(store, run_id)
    holders = [event.fields.get("id") for event in journal.events_of("flow_run")]
    if flow_run not in holders and journal.events:
        raise ConfigError(
            f"run: {run_id} exists already",
            hint=f"{{resume {run_id}}} continues it; choose another {{name}} for this one",
        )


def _announce(
    store: Store, request: GenerationRequest, run_id: str, config: ModelConfig, here: Machine
) -> None:
    """Tell a person what was begun, what it costs, and what will be sung."""
    device: DeviceKind = "cuda" if here.device.startswith("cuda") else "cpu"
    primer = Primer.recorded(Journal.open(store, run_id).record)
    n_samples = 0 if primer is None else primer.n_samples
    plan = Plan.of(config, request, device=device, primer_samples=n_samples)
    notes = conditioning_notes(request, config, here.labels)
    show_plan(run_id, plan, notes)
    tell(_begun(request, run_id, plan))
    for words in notes:
        tell(words)


def _begun(request: GenerationRequest, run_id: str, plan: Plan) -> str:
    words = request.conditioning
    like = ", ".join(filter(None, (words.artist, words.genre))) or "music"
    takes = "1 take" if request.takes == 1 else f"{request.takes} takes"
    return (
        f"Started “{request.title or run_id}”: {length(request.seconds)} of {like} with "
        f"{request.model}, {takes}. All of it takes {span(plan.seconds_low, plan.seconds_high)} "
        f"on this {plan.device}."
    )
