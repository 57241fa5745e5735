"""Codes to what a listener gets."""

from __future__ import annotations

from tasks.codec import decode_level
from tasks.policies import durable_flow
from tasks.publishing import publish
from tasks.resources import working


@durable_flow(name="deliver", flow_run_name="deliver-{run_id}")
def deliver(run_id: str) -> dict[str, object]:
    """Decode every level of a finished run and write audio, pictures, page and manifest.

    Args:
        run_id: a run of the store whose levels are finished.

    Returns:
        The run as it stands now.
    """
    with working(run_id) as run:
        for level in reversed(range(run.config.levels)):
            decode_level(run_id, level)
        return publish(run_id)
