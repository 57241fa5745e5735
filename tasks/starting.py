"""The first step of a run."""

from __future__ import annotations

from musiccore.errors import ConfigError
from musiccore.journal.journal import Journal
from musiccore.request.plan import DeviceKind, Plan
from musiccore.request.request import GenerationRequest
from musiccore.storage.store import Store, validate_run_id
from musiccore.timecode import length, span
from tasks.artifacts import show_plan
from tasks.models import Models
from tasks.policies import io_task
from tasks.resources import current_run, flow_run_id, new_store
from tasks.runs import Primer, check_request, create_run, new_run_id, run_exists
from tasks.settings import Settings
from tasks.story import tell


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
    settings, flow_run = Settings.from_environment(), flow_run_id()
    store = new_store(settings)
    run_id = validate_run_id(run_id or new_run_id(request, unique=flow_run.replace("-", "")[:10]))
    begun = run_exists(store, run_id)
    # a run that is there keeps what it uses of its primer
    config = check_request(request.without_primer() if begun else request, settings)
    if begun and flow_run and not is_own(store, run_id, flow_run):
        raise ConfigError(
            f"run: {run_id} exists already",
            hint=f"{{resume {run_id}}} continues it; choose another {{name}} for this one",
        )
    create_run(store, request, run_id, config, Models(config, settings))
    if not begun:
        device: DeviceKind = "cuda" if settings.device.startswith("cuda") else "cpu"
        primer = Primer.recorded(Journal.open(store, run_id).record)
        n_samples = 0 if primer is None else primer.n_samples
        plan = Plan.of(config, request, device=device, primer_samples=n_samples)
        sung = request.sung(config)
        show_plan(run_id, plan, sung)
        tell(_begun(request, run_id, plan))
        for words in () if sung is None else sung.sentences():
            tell(words)
    return run_id


def is_own(store: Store, run_id: str, flow_run: str) -> bool:
    """Return whether a run was begun by a Prefect run, or by nobody yet.

    Args:
        store: the store's root.
        run_id: a run that is there.
        flow_run: id of the Prefect run.
    """
    journal = Journal.open(store, run_id)
    holders = [event.fields.get("id") for event in journal.events_of("flow_run")]
    return flow_run in holders or not journal.events


def _begun(request: GenerationRequest, run_id: str, plan: Plan) -> str:
    words = request.conditioning
    like = ", ".join(filter(None, (words.artist, words.genre))) or "music"
    takes = "1 take" if request.takes == 1 else f"{request.takes} takes"
    return (
        f"Started “{request.title or run_id}”: {length(request.seconds)} of {like} with "
        f"{request.model}, {takes}. All of it takes {span(plan.seconds_low, plan.seconds_high)} "
        f"on this {plan.device}."
    )
