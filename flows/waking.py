"""After a choice: let the run go on, by whatever means there are."""

from __future__ import annotations

import logging

from flows.embedded import configured_api_url, with_password
from flows.serving.deployments import start
from flows.serving.passwords import refusal
from flows.suspended import PATIENCE_SECONDS, continue_key, resume_suspended
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import is_running
from musiccore.storage.store import Store
from musiccore.takes.choice import DECISIONS, WORK, MadeChoice

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
            with with_password():
                return _through_prefect(picture, made)
        except Exception as error:
            log.warning("Prefect did not take the run up: %s", refusal(error) or error)
    if action not in WORK:
        return "Noted; the earlier round waits for your choice."
    return f"It is carried out by `jukeflow resume {run_id} --store {store.location()}`."


def _through_prefect(picture: Picture, made: MadeChoice) -> str:
    if resume_suspended(picture, patience=PATIENCE_SECONDS):
        return "The suspended Prefect run goes on."
    if made.choice.action not in WORK:
        return "Noted; the earlier round waits for your choice."
    run_id = picture.status.run
    key = continue_key(run_id, picture.journal.epoch, picture.tree.seen)
    start("continue", {"run_id": run_id}, key=key)
    return "A Prefect run was started to carry it out."
