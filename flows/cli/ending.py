"""How a run ended: its songs, what is left of it, and the one exit code that is true."""

from __future__ import annotations

import logging
from argparse import Namespace
from dataclasses import asdict

from flows.cli.output import Exit, data, data_json, talk
from flows.cli.take_list import show_candidates
from flows.cli.time_budget import hand_over, time_left
from musiccore.errors import MusicCoreError
from musiccore.request.budget import LevelLeft
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import MasterStatus, describe_run
from musiccore.storage.store import Store
from tasks.context import shared_store
from tasks.settings import machine

log = logging.getLogger(__name__)


def end_run(options: Namespace, run_id: str, code: int) -> int:
    """Say how it ended and where everything is.

    Args:
        options: of the command.
        run_id: the run.
        code: how the work ended; the store knows better where it was interrupted at its very end.

    Returns:
        The exit code.
    """
    picture = Picture.of(shared_store(), run_id)
    status = picture.status
    if code == Exit.INTERRUPTED and status.state in ("done", "waiting"):
        code = Exit.DONE
    if code == Exit.DONE and status.state == "waiting":
        _say_songs(status.masters)
        show_candidates(picture, options)
        return Exit.WAITING
    left: tuple[LevelLeft, ...] = ()
    if code == Exit.INTERRUPTED:
        talk(f"everything finished of run {run_id} is safe in {status.store}")
        left = _time_left(picture)
        talk(hand_over(left))
        talk(f"hint: continue with `jukeflow resume {run_id} --store {status.store}`")
    if options.json:
        data_json(
            {
                "run": run_id,
                "state": status.state if code != Exit.INTERRUPTED else "unfinished",
                "store": status.store,
                "master": None if status.master is None else status.master.path,
                "page": status.page,
                "masters": [one.path for one in status.masters],
                "left": [asdict(part) for part in left],
            }
        )
    elif code == Exit.DONE:
        for one in status.masters:
            data(f"song: {one.path}")
            for path in one.others:
                data(f"      {path}")
            if one.page:
                data(f"page: {one.page}")
    return code


def end_without_store(options: Namespace, run_id: str, error: MusicCoreError) -> int:
    """Say that the store went away and how to go on; nothing can be read from it."""
    place = shared_store().location()
    talk(f"error: {error.message}")
    talk(f"hint: bring it back, then continue with `jukeflow resume {run_id} --store {place}`")
    if options.json:
        left: dict[str, object] = {"master": None, "page": None, "masters": [], "left": []}
        data_json({"run": run_id, "state": "unfinished", "store": place, **left})
    return Exit.INTERRUPTED


def is_gone(store: Store, run_id: str) -> bool:
    """Return whether a run that was opened is not in its store any more."""
    try:
        return not store.at(run_id).exists("run.json")
    except MusicCoreError:
        return True


def is_delivered(store: Store, run_id: str) -> bool:
    """Return whether a run is finished, its song written and recorded."""
    try:
        return describe_run(store, run_id).state == "done"
    except MusicCoreError:
        return False


def _time_left(picture: Picture) -> tuple[LevelLeft, ...]:
    """Return what is left; a figure that cannot be read never hides what is safe."""
    try:
        facts = picture.tree.facts
        return time_left(shared_store(), facts, picture.status, machine())
    except MusicCoreError as error:
        log.debug("no forecast: %s", error)
        return ()


def _say_songs(masters: tuple[MasterStatus, ...]) -> None:
    for one in masters:
        talk(f"song: {one.path}")
