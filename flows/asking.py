"""Asking a person, in the Prefect run that got so far: artifacts, a message, and a suspended run.

A suspended run has no process. Somebody answers in its form, in the room or on the command line;
then the run begins again from its first line and finds everything done in the store.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

from flows.invitation import invitation
from flows.question import answered, selection_form
from flows.suspended import resume_suspended
from musiccore.choices import Conflict
from musiccore.errors import ConfigError
from tasks.artifacts import show_conflict, show_round
from tasks.choosing import Question
from tasks.notifying import notify
from tasks.resources import flow_run_id, shared_store
from tasks.showing import Picture
from tasks.trees import make_choice

if TYPE_CHECKING:
    from prefect.input import RunInput

log = logging.getLogger(__name__)


def ask(run_id: str, question: Question) -> bool:
    """Ask for the next choice of a run.

    Args:
        run_id: a run that waits for a person.
        question: as the log has it.

    Returns:
        True if the answer is in the store now; False where nobody can be asked: the run goes on
        when somebody has chosen.
    """
    flow_run = flow_run_id()
    picture = Picture.of(shared_store(), run_id)
    if picture.status.state != "waiting":
        return True  # somebody was faster than the question
    text = invitation(picture)
    if question.new:
        show_round(picture, text)
        notify(
            "choice-needed",
            {"run": run_id, "round": picture.tree.position, "text": picture.status.words},
        )
    if not flow_run or resume_suspended(picture, but=flow_run):
        return False  # nobody to ask here, or another Prefect run asks for this song
    from prefect import suspend_flow_run

    form = selection_form(picture.status.waiting_takes)
    suspend_flow_run(
        wait_for_input=form.with_initial_data(description=text),  # type: ignore[attr-defined]
        key=answer_key(question.number),
        timeout=None,
    )
    return True


def answer_key(question: int) -> str:
    """Return the key under which Prefect keeps the answer to a question."""
    return f"question-{question}"


def collect_answer(run_id: str) -> None:
    """Write the answer to the store that this Prefect run got, if it got one.

    Somebody may have answered the form while somebody else chose in the room. Both are reported;
    the choice that was in the store first counts.
    """
    flow_run = flow_run_id()
    picture = Picture.of(shared_store(), run_id)
    asked = [
        event
        for event in picture.journal.events_of("waiting")
        if flow_run and event.fields.get("flow_run") == flow_run
    ]
    if not asked:
        return
    number, seen = (int(str(asked[-1].fields[name])) for name in ("round", "seen"))
    answer = _read_answer(flow_run, answer_key(asked[-1].seq), picture.tree.rounds[number].takes)
    if answer is not None:
        record_answer(run_id, answer, number, seen)


def record_answer(run_id: str, answer: RunInput, round_number: int, seen: int) -> None:
    """Write the answer of a form to the store, unless it came from there."""
    try:
        choice = answered(answer)
        if choice is None:
            return
        make_choice(
            shared_store(),
            run_id,
            choice,
            by="form",
            round_number=round_number if choice.action in ("again", "back") else None,
            seen=seen,
        )
    except (Conflict, ConfigError) as error:
        log.error("%s", error.message)
        show_conflict(run_id, error)


def _read_answer(flow_run: str, key: str, takes: tuple[int, ...]) -> RunInput | None:
    from prefect.input.actions import read_flow_run_input

    try:
        found = read_flow_run_input(f"suspended-{key}-response", UUID(flow_run))
    except Exception as error:  # without its server the answer can come by another way
        log.warning("the answer of the form could not be read: %s", error)
        return None
    return None if found is None else selection_form(takes).model_validate(found)
