"""Mending a run that was hurt from outside: what is damaged is set aside, what is lost given up.

Nothing is deleted and nothing is guessed. Damaged bytes go to `quarantine/` of the run; what they
held is written down as given up, so that the next worker makes it again from the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from musiccore.audit import RECORD, TIPS, Report, references, verify_run
from musiccore.choices import ChoiceLog
from musiccore.errors import Corrupt
from musiccore.journal import Journal
from musiccore.records import Json
from musiccore.storage import Store

_MAX_NUMBERS: Final = 4000  # of one record; each takes up to eight of its 64 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What was done to a run.

    Attributes:
        done: one sentence each.
        report: the run as it is now.
    """

    done: tuple[str, ...]
    report: Report


def mend_run(store: Store, run_id: str, *, take_over: bool, say: Callable[[str], None]) -> Mended:
    """Go back to the last sound record, and set aside or give up whatever is damaged.

    Args:
        store: the store's root.
        run_id: the run.
        take_over: claim it although another worker seems to be at work.
        say: told in one sentence if its last worker has to be waited for.

    Raises:
        ConfigError: if the run id is not one.
        NotFound: if there is no such run.
        Corrupt: if `run.json` is damaged, which holds the request: it cannot be made again.
        Fenced: if another worker is at work on the run.
    """
    if any(doubt.key == "run.json" for doubt in verify_run(store, run_id).doubts):
        raise Corrupt(
            f"run.json of {run_id} is missing or damaged; nothing else says what was asked for",
            hint="put back a copy of it; the log and the codes stay as they are",
        )
    done: list[str] = []
    with Journal.open(store, run_id) as journal:
        losses = journal.losses()
        journal.claim(take_over=take_over, say=say)
        done += losses
        mender = _Mender(store, journal, done)
        mender.choices()
        mender.objects()
        journal.release()
    return Mended(done=tuple(done), report=verify_run(store, run_id))


class _Mender:
    """Mends one claimed run.

    Args:
        store: the store's root.
        journal: of the run, claimed.
        done: sentences are added here.
    """

    def __init__(self, store: Store, journal: Journal, done: list[str]) -> None:
        self._root = store
        self._journal = journal
        self._done = done

    def choices(self) -> None:
        """Mark the end of what was chosen, and give up choices that cannot be read."""
        record = self._journal.record
        log = ChoiceLog(self._root, record.run_id, run_record=record.to_bytes())
        log.read()
        losses = log.losses(self._journal.given_up["choices"])
        if losses:
            self._journal.append("repair", choices=[*log.give_up()])
            self._done += losses
        tip = TIPS["choices"]
        if any(doubt.key == tip for doubt in verify_run(self._root, record.run_id).doubts):
            if self._journal.store.exists(tip):
                self._journal.store.set_aside(tip)
            log.mark_end()
            self._done.append(f"{tip} was written again")

    def objects(self) -> None:
        """Set damaged and alien objects aside, and give up the facts that they held."""
        store = self._journal.store
        there, lost = store.list(), set()
        for doubt in verify_run(self._root, self._journal.run_id).doubts:
            key = doubt.key
            if RECORD.fullmatch(key) or key in TIPS.values():
                continue  # the log is mended already, by the claim
            if key in there:
                why = doubt.message.split(":")[0]
                self._done.append(f"{key} {why}: moved to {store.set_aside(key)}")
            lost.add(key)
        self._give_up(lost)

    def _give_up(self, lost: set[str]) -> None:
        """Void the records that name lost objects; what they stand for is made again."""
        void = [
            event
            for event in self._journal.events
            if any((path or ref.key) in lost for ref, path in references(event))
        ]
        for numbers in _pieces([event.seq for event in void]):
            self._journal.append("repair", void=numbers)
        for event in void:
            self._done.append(
                f"record {event.seq} ({event.type}) is given up: what it names is missing or "
                "damaged, and made again where it is needed"
            )


def _pieces(numbers: list[int]) -> Iterable[list[Json]]:
    for first in range(0, len(numbers), _MAX_NUMBERS):
        yield [*numbers[first : first + _MAX_NUMBERS]]
