"""The chosen take, down to the bottom level."""

from __future__ import annotations

from tasks.policies import durable_flow
from tasks.resources import working
from tasks.sampling import sample_level


@durable_flow(name="upsample", flow_run_name="upsample-{run_id}")
def upsample(run_id: str) -> None:
    """Sample the levels below the top for the chosen take of a run.

    Args:
        run_id: a run of the store whose take is chosen.
    """
    with working(run_id) as run:
        for level in reversed(range(run.config.levels - 1)):
            sample_level(run_id, level)
