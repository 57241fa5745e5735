"""A choice from the Prefect UI, for runs that no form waits for."""

from __future__ import annotations

from flows.forms import ChoiceForm
from flows.waking import wake
from musiccore.runs.choices import make_choice
from tasks.artifacts import artifact_key, show_text
from tasks.context import shared_store
from tasks.links import room_link
from tasks.policies import durable_flow
from tasks.settings import machine
from tasks.story import tell


@durable_flow(name="choose", flow_run_name="choose-{choice.run}")
def choose(choice: ChoiceForm) -> dict[str, object]:
    """Write a choice to the store, and let the run go on.

    Args:
        choice: What to do with which take of which run.
    """
    store = shared_store()
    made = make_choice(
        store, choice.run, choice.choice(), by="form", label_tables=machine().labels, who=choice.who
    )
    then = wake(store, choice.run, made)
    tell(f"Chosen for {choice.run}: {made.choice.in_words()}. {then}")
    link = f"[{choice.run}]({room_link(choice.run)})"
    text = f"# {made.choice.in_words().capitalize()}\n\n{then} The run: {link}."
    show_text(text, artifact_key("choice", choice.run), f"{made.choice.in_words()}. {then}")
    return {"run": choice.run, "choice": made.seq, "next": then}
