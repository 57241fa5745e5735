"""A choice from the Prefect UI, for runs that no form waits for."""

from __future__ import annotations

from flows.forms import ChoiceForm
from flows.waking import wake
from tasks.policies import durable_flow
from tasks.resources import shared_store
from tasks.trees import make_choice


@durable_flow(name="choose", flow_run_name="choose-{choice.run}")
def choose(choice: ChoiceForm) -> dict[str, object]:
    """Write a choice to the store, and let the run go on.

    Args:
        choice: What to do with which take of which run.
    """
    store = shared_store()
    made = make_choice(store, choice.run, choice.choice(), by="form", who=choice.who)
    return {"run": choice.run, "choice": made.seq, "next": wake(store, choice.run, made)}
