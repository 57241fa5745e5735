"""`batch`: many songs from one file."""

from __future__ import annotations

import json
from argparse import Namespace
from contextlib import suppress

from flows.cli.output import Exit, checking, data, data_json, table, talk
from flows.cli.progress_bar import shown
from flows.cli.signals import conclude, is_interruption, stoppable
from flows.embedded import prepare
from musiccore.errors import ConfigError, NotFound
from musiccore.runs.queue import batch_folder, batch_notes, queue_of
from musiccore.storage.store import Store
from tasks.context import new_store
from tasks.settings import machine


def batch(options: Namespace) -> int:
    hours = options.hours or 0.0
    with checking():
        if options.hours is not None and not 0 < hours < 1e5:
            raise ConfigError(f"hours is {hours}; it must be above 0")
        store = new_store()
        queue = queue_of(store, machine(), options.file, "", options.name or "")
    with stoppable(), prepare() as session, shown() as report:
        report.say(f"batch {queue.batch} of {len(queue.entries)} songs in {store.location()}")
        for words in batch_notes(queue, machine().labels):
            report.say(words)
        try:
            with session.flows():
                from flows.batch import batch as flow

                state = flow(options.file, "", hours, options.name or "")
        except BaseException as error:
            if not is_interruption(error):
                raise
            state = _last_report(store, queue.batch)
        conclude()
    return _end(options, state)


def _last_report(store: Store, batch: str) -> dict[str, object]:
    with suppress(NotFound, ValueError, RecursionError):
        found = json.loads(batch_folder(store, batch).get("report.json"))
        assert isinstance(found, dict)
        return found
    return {"batch": batch, "songs": [], "done": 0, "failed": 0, "left": 1, "report": None}


def _end(options: Namespace, state: dict[str, object]) -> int:
    songs = state["songs"]
    assert isinstance(songs, list)
    if options.json:
        data_json(state)
    elif songs:
        rows = [
            (str(s["row"]), s["title"], s["state"], s["master"] or s["error"], s["run"] or "")
            for s in songs
        ]
        data(table(rows, ("row", "title", "state", "song or reason", "run")))
    talk(f"{state['done']} done, {state['failed']} failed, {state['left']} left")
    if state["report"]:
        talk(f"report: {state['report']}")
    if state["left"]:
        talk("hint: the same command continues with what is left")
        return Exit.INTERRUPTED
    if not state["failed"]:
        return Exit.DONE
    return Exit.PARTIAL if state["done"] else Exit.FAILED
