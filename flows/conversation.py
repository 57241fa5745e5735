"""The conversation with a person: carry out what was chosen, publish, ask, and never wait."""

from __future__ import annotations

from flows.asking import ask, collect_answer
from musiccore.delivery.carry_out import carry_out
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import describe_run
from musiccore.work.extra import extra
from tasks.artifacts import show_finished
from tasks.context import flow_run_id, shared_store, task_reporter, working
from tasks.durable_steps import STEPS, say_waiting
from tasks.story import story, tell


def converse(run_id: str) -> dict[str, object]:
    """Carry out what was chosen and ask for the next choice, until a person or nobody is needed.

    In a deployed Prefect run, asking suspends the run: its process ends, and it begins again when
    somebody answers. Elsewhere the run simply ends here; the next one goes on from the store.

    Args:
        run_id: a run of the store.

    Returns:
        The run as it stands now: state, levels, song.
    """
    _goes_on(run_id)
    mistake = collect_answer(run_id)
    while True:
        with working(run_id) as run:
            carry_out(run, STEPS)
            question = say_waiting(run, flow_run_id())
        if question is None or not ask(run_id, question, mistake):
            return _ended(run_id)
        mistake = None


def _goes_on(run_id: str) -> None:
    """Tell what there is of a run that was begun before."""
    if story() is not None:
        picture = Picture.of(shared_store(), run_id)
        if picture.journal.events:
            tell(f"Goes on with “{picture.status.title or run_id}”, {picture.status.words}.")


def _ended(run_id: str) -> dict[str, object]:
    """Return the run as it stands now, and show the song that it has come to."""
    if story() is None:
        return describe_run(shared_store(), run_id).to_json()
    picture = Picture.of(shared_store(), run_id)
    if picture.status.state == "done":
        show = task_reporter().say
        extra("the card of the song in Prefect", lambda: show_finished(picture), show, tell)
        tell(f"“{picture.status.title or run_id}” is {picture.status.words}.")
    return picture.status.to_json()
