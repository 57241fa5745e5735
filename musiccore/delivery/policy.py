"""What a worker does about choices: finds the next one, makes those of a policy, says it waits."""

from __future__ import annotations

from dataclasses import dataclass

from musiccore.delivery.candidates import best_take
from musiccore.runs.open_run import OpenRun
from musiccore.storage.sealed import Json
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.takes.choice_log import Conflict
from musiccore.takes.takes import takes_in_words


def next_choice(run: OpenRun) -> MadeChoice | None:
    """Return the oldest choice that is not carried out, None if there is none.

    Args:
        run: the claimed run.
    """
    pending = run.tree(fresh=True).pending
    if not pending:
        return None
    if pending[0].by != "policy":  # which has told it already
        who = f" ({pending[0].who})" if pending[0].who else ""
        run.tell(f"To do{who}: {pending[0].choice.in_words()}.")
    return pending[0]


def choose_by_policy(run: OpenRun) -> list[int]:
    """Choose as the run's policy says, if nobody did in time.

    Args:
        run: the claimed run.

    Returns:
        The takes that go on to upsampling; none if it is not the policy's turn.
    """
    tree = run.tree(fresh=True)
    if not tree.policy_due():
        return []
    takes = policy_takes(run, tree.open_takes)
    choice, who = Choice(action="upsample", takes=takes), run.request.choose
    try:
        run.choose(choice, by="policy", who=who, seen=tree.seen)
    except Conflict:  # somebody has just chosen
        takes = ()
    else:
        run.tell(_POLICIES[who].format(takes=takes_in_words(takes), n=len(tree.open_takes)))
    run.tree(fresh=True)
    return list(takes)


def policy_takes(run: OpenRun, takes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the takes that a policy sends to upsampling."""
    if run.request.choose == "all":
        return takes
    return (best_take(run, takes),) if run.request.choose == "best" else takes[:1]


_POLICIES = {
    "first": "Chose {takes}, the first of {n}, as asked for.",
    "best": "Chose {takes}, which sounds best of {n}.",
    "all": "Chose all: {takes}.",
    "wait": "Chose {takes}.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A run's question to a person, as the log has it.

    Attributes:
        number: of its record; no other question of the run has it.
        new: whether nobody was asked this before, so that they have to be told.
    """

    number: int
    new: bool


def say_waiting(run: OpenRun, asked_in: str) -> Question | None:
    """Record that the run waits for a person; None if it does not.

    Args:
        run: the claimed run.
        asked_in: id of the flow run that is going to ask; empty for none.
    """
    tree = run.tree()
    if tree.state != "waiting" or tree.policy_due():
        return None
    facts: dict[str, Json] = {"round": tree.position, "seen": tree.seen}
    before = run.journal.events_of("waiting")
    asked = any({**event.fields, **facts} == event.fields for event in before)
    if asked and not asked_in:
        return Question(number=before[-1].seq, new=False)
    event = run.journal.append("waiting", **facts, flow_run=asked_in)
    return Question(number=event.seq, new=not asked)
