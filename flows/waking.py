"""After a choice: let the run go on, by whatever means there are."""

from __future__ import annotations

import logging
from uuid import UUID

from flows.embedded import configured_api_url
from flows.serving.deployments import start
from musiccore.choices import DECISIONS, WORK, MadeChoice
from musiccore.storage import Store
from tasks.describing import is_running
from tasks.showing import Picture

log = logging.getLogger(__name__)


def wake(store: Store, run_id: str, made: MadeChoice) -> str:
    """Let a run go on after a choice; never fails: the choice is safe already.

    Args:
        store: the store's root.
        run_id: the run.
        made: the choice.

    Returns:
        What happens next, in one sentence.
    """
    action = made.choice.action
    if action not in WORK and action not in DECISIONS:
        return "Noted."
    picture = Picture.of(store, run_id)
    if is_running(picture.journal):
        return "A worker is busy with this run and carries it out next."
    if configured_api_url() is not None:
        try:
            return _through_prefect(picture, made)
        except Exception as error:
            log.warning("Prefect did not take the run up: %s", error)
    if action not in WORK:
        return "Noted; the earlier round waits for your choice."
    return f"It is carried out by `jukeflow resume {run_id} --store {store.location()}`."


def _through_prefect(picture: Picture, made: MadeChoice) -> str:
    if resume_suspended(picture):
        return "The suspended Prefect run goes on."
    if made.choice.action not in WORK:
        return "Noted; the earlier round waits for your choice."
    key = f"{picture.status.run}-choice-{made.seq}"
    start("continue", {"run_id": picture.status.run}, key=key)
    return "A Prefect run was started to carry it out."


def resume_suspended(picture: Picture) -> str:
    """Resume the Prefect run that waits for a choice which is in the store now.

    Args:
        picture: of the run.

    Returns:
        The id of the Prefect run; empty if none waits.
    """
    waiting = [e for e in picture.journal.events_of("waiting") if e.fields.get("flow_run")]
    if not waiting or not picture.tree.choices:
        return ""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    fields = waiting[-1].fields
    flow_run = UUID(str(fields["flow_run"]))
    number = int(str(fields["round"]))
    takes = picture.tree.rounds[number].takes
    takes = tuple(t for t in takes if not picture.tree.takes[t].dropped) or takes
    answer = {"action": "keep", "take": f"take {takes[0]}", "recorded": picture.tree.seen}
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(flow_run).state
        except ObjectNotFound:
            return ""
        if state is None or not state.is_paused():
            return ""
        result = client.resume_flow_run(flow_run, run_input=answer)
    return str(flow_run) if str(result.status.value) == "ACCEPT" else ""
