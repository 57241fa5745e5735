"""Prefect runs that are suspended until somebody chooses: found through the store, and resumed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tasks.showing import Picture

PATIENCE_SECONDS: Final = 6.0
"""A run that has just asked needs a moment until it is suspended."""

_LOOK_SECONDS: Final = 0.3


def paused_runs(picture: Picture, *, but: str = "", patience: float = 0.0) -> list[str]:
    """Return the Prefect runs that wait for a choice about a run, the one that asked last first.

    Args:
        picture: of the run.
        but: id of a Prefect run that does not count.
        patience: seconds to wait for one that has just asked and is still about to suspend.
    """
    asked = [str(e.fields.get("flow_run") or "") for e in picture.journal.events_of("waiting")]
    names = [name for name in dict.fromkeys(reversed(asked)) if name and name != but]
    if not names:
        return []
    end = time.monotonic() + (patience if asked[-1] == names[0] else 0.0)
    while _state(names[0]) == "RUNNING" and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    return [name for name in names if _state(name) == "PAUSED"]


def resume_suspended(picture: Picture, *, but: str = "", patience: float = 0.0) -> str:
    """Resume the Prefect run that waits for a choice, since the store has news for it.

    It begins again, finds what is in the store, and asks again if need be.

    Args:
        picture: of the run.
        but: id of a Prefect run that does not count.
        patience: seconds to wait for one that is still about to suspend.

    Returns:
        The id of the Prefect run; empty if none waits.
    """
    from prefect.client.orchestration import get_client

    for name in paused_runs(picture, but=but, patience=patience):
        asked = [e for e in picture.journal.events_of("waiting") if e.fields["flow_run"] == name]
        here = picture.tree.rounds[int(str(asked[-1].fields["round"]))]
        there = [take for take in here.takes if not picture.tree.takes[take].dropped]
        takes = [f"take {take}" for take in (*there, *here.takes)]
        with get_client(sync_client=True) as client:
            for take in dict.fromkeys(takes):  # a take may have been dropped since it was offered
                answer = {"action": "keep", "take": take, "recorded": picture.tree.seen + 1}
                result = client.resume_flow_run(UUID(name), run_input=answer)
                if str(result.status.value) == "ACCEPT":
                    return name
    return ""


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
