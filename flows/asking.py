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
from flows.suspended import resume_suspended, suspend
from musiccore.delivery.policy import Question
from musiccore.errors import MusicCoreError, StorageError
from musiccore.errors.doors import FORM
from musiccore.runs.choices import make_choice
from musiccore.runs.snapshot import Picture
from tasks.artifacts import refusal, show_refusal, show_round
from tasks.context import flow_run_id, shared_store
from tasks.notifying import notify
from tasks.settings import machine
from tasks.story import tell

if TYPE_CHECKING:
    from prefect.input import RunInput

log = logging.getLogger(__name__)


def ask(run_id: str, question: Question, mistake: MusicCoreError | None = None) -> bool:
    """Ask for the next choice of a run.

    Args:
        run_id: a run that waits for a person.
        question: as the log has it.
        mistake: why the answer before was not followed.

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
        tell(f"{picture.status.words[:1].upper()}{picture.status.words[1:]}.")
        return False  # nobody to ask here, or another Prefect run asks for this song
    tell(f"Suspended until you choose, with Resume or in the room: {picture.status.words}.")
    said = picture.status.words if mistake is None else mistake.sentence_at(FORM)
    suspend(
        selection_form(picture.status.waiting_takes),
        text if mistake is None else f"{refusal(mistake)}\n\n{text}",
        answer_key(question.number),
        said,
    )
    return True


def answer_key(question: int) -> str:
    """Return the key under which Prefect keeps the answer to a question."""
    return f"question-{question}"


def collect_answer(run_id: str) -> MusicCoreError | None:
    """Write the answer to the store that this Prefect run got, if it got one.

    Somebody may have answered the form while somebody else chose in the room. Both are reported;
    the choice that was in the store first counts.

    Returns:
        Why the answer cannot be followed; None if it was, or if there is none.
    """
    flow_run = flow_run_id()
    if not flow_run:
        return None
    picture = Picture.of(shared_store(), run_id)
    asked = [
        event
        for event in picture.journal.events_of("waiting")
        if event.fields.get("flow_run") == flow_run
    ]
    if not asked:
        return None
    number, seen = (int(str(asked[-1].fields[name])) for name in ("round", "seen"))
    answer = _read_answer(flow_run, answer_key(asked[-1].seq), picture.tree.rounds[number].takes)
    return None if answer is None else record_answer(run_id, answer, number, seen)


def record_answer(
    run_id: str, answer: RunInput, round_number: int, seen: int
) -> MusicCoreError | None:
    """Write the answer of a form to the store, unless it came from there.

    Returns:
        Why it cannot be followed; None if it was.

    Raises:
        StorageError: if the store failed.
    """
    try:
        choice = answered(answer)
        if choice is None:
            return None
        make_choice(
            shared_store(),
            run_id,
            choice,
            by="form",
            label_tables=machine().labels,
            round_number=round_number if choice.action in ("again", "back") else None,
            seen=seen,
        )
    except StorageError:
        raise
    except MusicCoreError as error:
        tell(f"The answer was not followed: {error.sentence_at(FORM)}.")
        show_refusal(run_id, error)
        return error
    return None


def _read_answer(flow_run: str, key: str, takes: tuple[int, ...]) -> RunInput | None:
    from prefect.input.actions import read_flow_run_input

    try:
        found = read_flow_run_input(f"suspended-{key}-response", UUID(flow_run))
    except Exception as error:  # without its server the answer can come by another way
        log.warning("the answer of the form could not be read: %s", error)
        return None
    return None if found is None else selection_form(takes).model_validate(found)
