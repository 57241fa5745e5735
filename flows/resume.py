"""What was interrupted goes on."""

from __future__ import annotations

from flows.conversation import converse
from flows.sweeping import AbandonedRun, find_interrupted, mark_dead, start_elsewhere
from tasks.context import working
from tasks.policies import durable_flow


@durable_flow(name="resume", flow_run_name="resume-{run_id}")
def resume(
    run_id: str, take_over: bool = False, accept_different_numerics: bool = False
) -> dict[str, object]:
    """Continue one run from whatever is in the store.

    Carries out what was chosen and what was interrupted. If the run then waits for a choice, it
    suspends until somebody makes it.

    Args:
        run_id: Name of a run of the store.
        take_over: Claim it although another worker seems to be at work on it.
        accept_different_numerics: Continue on a machine that computes slightly other numbers.
    """
    if take_over or accept_different_numerics:
        with working(
            run_id, take_over=take_over, accept_different_numerics=accept_different_numerics
        ):
            pass
    return converse(run_id)


@durable_flow(name="resume-interrupted")
def resume_interrupted() -> list[dict[str, object]]:
    """Continue every run that was interrupted and is in nobody's hands.

    Looks into the store, marks Prefect runs whose process is gone as crashed, and starts `continue`
    for each unfinished run; without that deployment it continues them itself, one after the other.
    Runs in which a worker lives, on this machine or another, are left alone.
    """
    return [_continue(one) for one in find_interrupted()]


def _continue(one: AbandonedRun) -> dict[str, object]:
    mark_dead(one)
    if started := start_elsewhere(one):
        return {"run": one.run, "flow_run": started}
    return converse(one.run)
