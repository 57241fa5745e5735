"""Where a run stands, in the words of the room: who works on it, how far, and for how long yet."""

from __future__ import annotations

import threading
import time
from typing import Final

from flows.listening.tended import RunTender
from musiccore.errors import StorageError
from musiccore.journal.heartbeat import Worker, heartbeat_key
from musiccore.journal.run_log import PATIENCE_SECONDS
from musiccore.runs.outlook import Outlook, outlook
from musiccore.runs.snapshot import Picture

RANKS: Final = {"waiting": 0, "failed": 1, "unfinished": 2, "running": 3, "queued": 4}
"""Order of the list: what a person can do something about comes first."""


class Beats:
    """Signs of life of workers on other machines, told apart by our own clock alone."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def is_alive(self, picture: Picture) -> bool:
        """Return whether the holder of a run on another machine seems to be at work.

        It is believed to be until its heart has not beaten for as long as we have watched it, and
        that long enough.
        """
        journal = picture.journal
        claim = journal.claim_in_force
        worker = None if claim is None else Worker.from_json(claim.fields.get("worker"))
        if worker is None or worker.is_alive() is not None:
            return False
        try:
            beat = journal.store.get(heartbeat_key(journal.epoch), limit=4096)
        except StorageError:
            beat = b""
        now = time.monotonic()
        with self._lock:
            before, since = self._seen.get(journal.run_id, (b"", 0.0))
            if journal.run_id not in self._seen or before != beat:
                self._seen[journal.run_id], since = (beat, now), now
        return now - since < PATIENCE_SECONDS


def standing(picture: Picture, tending: RunTender, beats: Beats) -> dict[str, object]:
    """Return the state of a run and its words, as a page shows them.

    Args:
        picture: the run.
        tending: knows who is about to take it up.
        beats: of workers elsewhere.
    """
    state, words = picture.status.state, picture.status.words
    if state == "unfinished" and beats.is_alive(picture):
        state = "running"
    if state == "running":
        return {"state": state, "words": _at_work(picture)}
    if state != "unfinished":
        return {"state": state, "words": words.removeprefix("finished: ")}
    tended, doing = tending.tended(picture), _doing(picture)
    if tended.taken:
        return {"state": "queued", "words": doing}
    if tended.problem:
        return {"state": "failed", "words": f"{tended.problem.rstrip('.')}. Left to do: {doing}."}
    return {"state": state, "words": doing}


def _at_work(picture: Picture) -> str:
    known = outlook(picture.tree, picture.journal)
    doing = _doing(picture)
    return doing if known is None else f"{_figures(known)}: {doing}"


def _figures(known: Outlook) -> str:
    if known.fraction >= 1:
        return "almost done, its files are being written"
    percent = f"{min(99, round(100 * known.fraction))} %"
    if known.seconds_low is None or known.seconds_high is None:
        return percent
    return f"{percent}, {time_left(known.seconds_low, known.seconds_high)} left"


def time_left(low: float, high: float) -> str:
    """Return a range of seconds in a person's words, such as `2 to 3 min`."""
    if high < 55:
        return "less than a minute"
    unit, name = (60.0, "min") if high < 5400 else (3600.0, "h")
    digits = 0 if unit == 60 else 1
    first, last = (f"{seconds / unit:.{digits}f}" for seconds in (max(low, unit / 2), high))
    return f"{last} {name}" if first == last else f"{first} to {last} {name}"


def _doing(picture: Picture) -> str:
    """Return what is left to do in words."""
    tree = picture.tree
    if not tree.pending:
        one = tree.rounds[tree.position]
        n = len(one.takes)
        takes = f"{n} take{'s' * (n != 1)} of round {one.number}"
        alone = tree.facts.request.choose != "wait"
        return f"{takes}, and a song made of them" if alone else takes
    first, more = tree.pending[0].choice.in_words(), len(tree.pending) - 1
    return f"{first}, and {more} more" if more else first
