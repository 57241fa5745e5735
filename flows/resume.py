"""What was interrupted goes on."""

from __future__ import annotations

from flows.compose import compose
from flows.deliver import deliver
from flows.upsample import upsample
from tasks.policies import durable_flow
from tasks.resources import working
from tasks.starting import find_unfinished


@durable_flow(name="resume", flow_run_name="resume-{run_id}")
def resume(
    run_id: str, take_over: bool = False, accept_different_numerics: bool = False
) -> dict[str, object]:
    """Continue one run from whatever is in the store.

    Args:
        run_id: a run of the store.
        take_over: claim it although another worker seems to be at work on it.
        accept_different_numerics: continue on a machine that computes slightly other numbers.

    Returns:
        The finished run: state, levels, master.
    """
    with working(run_id, take_over=take_over, accept_different_numerics=accept_different_numerics):
        compose(run_id)
        upsample(run_id)
        return deliver(run_id)


@durable_flow(name="resume-interrupted")
def resume_interrupted() -> list[dict[str, object]]:
    """Continue every run of the store that is unfinished and in nobody's hands.

    Returns:
        The runs that were finished.
    """
    return [resume(run_id) for run_id in find_unfinished()]
