"""Top-level takes, and which of them goes on."""

from __future__ import annotations

from tasks.conditioning import condition
from tasks.policies import durable_flow
from tasks.resources import working
from tasks.sampling import choose_take, sample_level


@durable_flow(name="compose", flow_run_name="compose-{run_id}")
def compose(run_id: str) -> int:
    """Sample the top level of a run, and choose the take that goes on.

    Args:
        run_id: a run of the store.

    Returns:
        The number of the chosen take, from 1.
    """
    with working(run_id) as run:
        condition(run_id)
        sample_level(run_id, run.config.levels - 1)
        return choose_take(run_id)
