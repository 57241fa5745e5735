"""The conversation with a person: carry out what was chosen, publish, ask, and never wait."""

from __future__ import annotations

from flows.asking import ask, collect_answer
from musiccore.delivery.carry_out import carry_out
from musiccore.runs.open_run import OpenRun
from musiccore.runs.snapshot import Picture
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
    mistake = collect_answer(run_id)
    begun = False
    while True:
        with working(run_id) as run:
            if not begun:
                _goes_on(run)
            begun = True
            carry_out(run, STEPS)
            question = say_waiting(run, flow_run_id())
            if question is None:
                return _ended(Picture.of_open(run))
        if not ask(run_id, question, mistake):
            return _ended(Picture.of(shared_store(), run_id))
        mistake = None


def _goes_on(run: OpenRun) -> None:
    """Tell what there is of a run that was begun before."""
    if story() is not None and any(e.epoch < run.journal.epoch for e in run.journal.events):
        picture = Picture.of_open(run)
        tell(f"Goes on with “{picture.title}”, {picture.status.words}.")


def _ended(picture: Picture) -> dict[str, object]:
    """Return the run as it stands now, and show the song that it has come to."""
    if story() is not None and picture.status.state == "done":
        show = task_reporter().say
        extra("the card of the song in Prefect", lambda: show_finished(picture), show, tell)
        tell(f"“{picture.title}” is {picture.status.words}.")
    return picture.status.to_json()
