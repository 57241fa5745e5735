"""Prefect runs that are suspended until somebody chooses: found through the store, and resumed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from flows.question import RECORDED
from musiccore.runs.snapshot import Picture

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.input import RunInput

PATIENCE_SECONDS: Final = 6.0
"""A run that has just asked needs a moment until it is suspended."""

_LOOK_SECONDS: Final = 0.3


def suspend(form: type[RunInput], description: str, key: str, message: str) -> None:
    """End this process until somebody answers a form; returns where that happened already.

    As Prefect's own function of this name does it, which suspends without a message, and keeps the
    form only when somebody may be answering it already.

    Args:
        form: what is asked.
        description: Markdown above its fields.
        key: of the question; no other one of this Prefect run has it.
        message: what the page of the run says meanwhile.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import Pause
    from prefect.input import keyset_from_paused_state
    from prefect.runtime import flow_run
    from prefect.states import Suspended

    state: State[None] = Suspended(pause_key=key, message=message)
    keyset = keyset_from_paused_state(state)
    state.state_details.run_input_keyset = {str(name): held for name, held in keyset.items()}
    asked = form.with_initial_data(description=description)
    asked.save(keyset)
    with get_client(sync_client=True) as client:
        answer = client.set_flow_run_state(UUID(str(flow_run.id)), state)
    if answer.state is not None and answer.state.is_paused():
        raise Pause(state=answer.state)
    if answer.state is None or not answer.state.is_running():
        raise RuntimeError(f"Prefect did not suspend this run: {answer.details}")


def resume_suspended(picture: Picture, *, but: str = "", patience: float = 0.0) -> str:
    """Resume the Prefect run that waits for a choice, since the store has news for it.

    It begins again, finds what is in the store, and asks again if need be. One that is about to
    begin again already will find the news as well.

    Args:
        picture: of the run.
        but: id of a Prefect run that does not count.
        patience: seconds to wait for one that has just asked and is still about to suspend.

    Returns:
        The id of the Prefect run; empty if none waits.
    """
    asked = [str(e.fields.get("flow_run") or "") for e in picture.journal.events_of("waiting")]
    names = [name for name in dict.fromkeys(reversed(asked)) if name and name != but]
    end = time.monotonic() + patience
    while names and _state(names[0]) == "RUNNING" and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    for name in names:
        state = _state(name)
        if state in ("SCHEDULED", "PENDING") or (state == "PAUSED" and _resume(picture, name)):
            return name
    return ""


def _resume(picture: Picture, name: str) -> bool:
    from prefect.client.orchestration import get_client

    asked = [e for e in picture.journal.events_of("waiting") if e.fields["flow_run"] == name]
    here = picture.tree.rounds[int(str(asked[-1].fields["round"]))]
    there = [take for take in here.takes if not picture.tree.takes[take].dropped]
    with get_client(sync_client=True) as client:
        for take in dict.fromkeys((*there, *here.takes)):  # one may have been dropped meanwhile
            answer = {"action": "keep", "take": f"take {take}", "details": RECORDED}
            result = client.resume_flow_run(UUID(name), run_input=answer)
            if str(result.status.value) == "ACCEPT":
                return True
    return False


def continue_key(run_id: str, epoch: int, seen: int) -> str:
    """Return what tells one need to continue a run from the next; the same for an hour.

    Args:
        run_id: the run.
        epoch: number of its last claim.
        seen: number of its last choice.
    """
    return f"{run_id}-{epoch}-{seen}-{datetime.now(UTC):%Y%m%d%H}"


def _state(flow_run: str) -> str:
    """Return the type of state of a Prefect run, empty if the server does not know it."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(flow_run)).state
    except (ObjectNotFound, ValueError):
        return ""
    return "" if state is None else str(state.type.value)
