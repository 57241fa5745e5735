"""The conversation with a person: carry out what was chosen, publish, ask, and never wait."""

from __future__ import annotations

from flows.asking import ask, collect_answer
from flows.rounds import carry_out
from tasks.describing import describe_run
from tasks.resources import shared_store


def converse(run_id: str) -> dict[str, object]:
    """Carry out what was chosen and ask for the next choice, until a person or nobody is needed.

    In a deployed Prefect run, asking suspends the run: its process ends, and it begins again when
    somebody answers. Elsewhere the run simply ends here; the next one goes on from the store.

    Args:
        run_id: a run of the store.

    Returns:
        The run as it stands now: state, levels, song.
    """
    collect_answer(run_id)
    while True:
        carry_out(run_id)
        status = describe_run(shared_store(), run_id)
        if status.state != "waiting" or not ask(run_id):
            return status.to_json()
