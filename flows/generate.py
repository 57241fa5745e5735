"""A whole song, unattended: compose, upsample, deliver."""

from __future__ import annotations

from flows.compose import compose
from flows.deliver import deliver
from flows.upsample import upsample
from musiccore.request import GenerationRequest
from tasks.policies import durable_flow
from tasks.resources import working
from tasks.starting import start_run


@durable_flow(name="generate", flow_run_name="generate-{run_id}")
def generate(request: GenerationRequest, run_id: str = "") -> dict[str, object]:
    """Make a song from a request.

    Args:
        request: what to make.
        run_id: name of the run in the store; empty for a fresh one.

    Returns:
        The finished run: state, levels, master.
    """
    run_id = start_run(request, run_id)
    with working(run_id):
        compose(run_id)
        upsample(run_id)
        return deliver(run_id)
