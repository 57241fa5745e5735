"""A take of a run, sent to upsampling."""

from __future__ import annotations

from flows.conversation import converse
from musiccore.runs.choices import make_choice
from musiccore.takes.choice import Choice
from tasks.context import shared_store
from tasks.policies import durable_flow
from tasks.settings import machine


@durable_flow(name="upsample", flow_run_name="upsample-take-{take}-of-{run_id}")
def upsample_take(run_id: str, take: int, copies: int = 1, anew: bool = False) -> dict[str, object]:
    """Raise a take of a run through both upsamplers, and deliver it.

    Args:
        run_id: Name of a run of the store.
        take: Number of the take, from 1.
        copies: How many different upsamplings of it there should be.
        anew: Sample all of it, although a song that it goes on from is finished.
    """
    data = {"action": "upsample", "takes": [take], "copies": copies, "anew": anew}
    choice = Choice.parse(data)
    make_choice(shared_store(), run_id, choice, by="form", label_tables=machine().labels)
    return converse(run_id)
