"""Mending a run that was hurt from outside: what is damaged is set aside, what is lost given up.

Nothing is deleted and nothing is guessed. Damaged bytes go to `quarantine/` of the run; what they
held is written down as given up, so that the next worker makes it again from the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from musiccore.errors import Corrupt, StorageError
from musiccore.journal.chain import record_key
from musiccore.journal.journal import Journal
from musiccore.journal.keys import COPY_KEY, RECORD, RUN_KEY
from musiccore.journal.manifest import MAX_RUN_RECORD_BYTES, RunRecord
from musiccore.journal.records import MAX_RECORD_BYTES, link_of
from musiccore.runs.verify import TIPS, Verification, references, verify_run
from musiccore.storage.sealed import Json, sha256
from musiccore.storage.store import Store
from musiccore.takes.choice_log import ChoiceLog

_MAX_NUMBERS: Final = 4000  # of one record; each takes up to eight of its 64 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What was done to a run.

    Attributes:
        done: one sentence each.
        report: the run as it is now.
    """

    done: tuple[str, ...]
    report: Verification


def mend_run(
    store: Store,
    run_id: str,
    *,
    take_over: bool,
    say: Callable[[str], None],
    told: Callable[[], Iterable[RunRecord]] = tuple,
) -> Mended:
    """Go back to the last sound record, and set aside or give up whatever is damaged.

    Args:
        store: the store's root.
        run_id: the run.
        take_over: claim it although another worker seems to be at work.
        say: told in one sentence if its last worker has to be waited for.
        told: asked only if `run.json` and its copy are lost: what it may have held, by whatever
            the files of the run tell. The log says which of them is right.

    Raises:
        ConfigError: if the run id is not one.
        NotFound: if there is no such run.
        Corrupt: if `run.json` is lost, and nothing that is left tells what it held.
        Fenced: if another worker is at work on the run.
    """
    done = _put_back(store, run_id, told)
    with Journal.open(store, run_id) as journal:
        losses = journal.losses()
        journal.claim(take_over=take_over, say=say)
        done += losses
        mender = _Mender(store, journal, done)
        mender.choices()
        mender.objects()
        journal.release()
    return Mended(done=tuple(done), report=verify_run(store, run_id))


def _put_back(store: Store, run_id: str, told: Callable[[], Iterable[RunRecord]]) -> list[str]:
    """Write `run.json` again where it is lost; return what was done in sentences."""
    report, folder = verify_run(store, run_id), store.at(run_id)
    wrong = [doubt.message for doubt in report.doubts if doubt.key == RUN_KEY]
    head = first_link(folder)
    if not wrong and head in ("", sha256(folder.get(RUN_KEY))):
        return []
    for data in _candidates(folder, run_id, told):
        if head in ("", sha256(data)):
            aside = ""
            if folder.exists(RUN_KEY):
                aside = f"; what was there lies in {folder.set_aside(RUN_KEY)}"
            folder.create(RUN_KEY, data)
            return [f"run.json was put back as the run began with it{aside}"]
    raise Corrupt(
        f"run.json of {run_id} is missing or damaged; nothing else says what was asked for, so "
        "that the run cannot go on",
        hint="put back a copy of it; the log, the codes and what was delivered stay as they are",
    )


def _candidates(
    folder: Store, run_id: str, told: Callable[[], Iterable[RunRecord]]
) -> Iterator[bytes]:
    """Yield what `run.json` may have held."""
    with suppress(StorageError):
        data = folder.get(COPY_KEY, limit=MAX_RUN_RECORD_BYTES)
        RunRecord.from_bytes(data, run_id=run_id)
        yield data
    if first_link(folder):  # without the log nothing tells a guess from the truth
        for record in told():
            yield record.to_bytes()


def first_link(folder: Store) -> str:
    """Return the digest of `run.json` as the first record has it; empty if that is lost.

    Args:
        folder: of a run.
    """
    with suppress(StorageError):
        return link_of(folder.get(record_key(1), limit=MAX_RECORD_BYTES))
    return ""


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
            if key == COPY_KEY:
                self._copy(there=key in there)
                continue
            if RECORD.fullmatch(key) or key in TIPS.values():
                continue  # the log is mended already, by the claim
            if key in there:
                why = doubt.message.split(":")[0]
                self._done.append(f"{key} {why}: moved to {store.set_aside(key)}")
            lost.add(key)
        self._give_up(lost)

    def _copy(self, *, there: bool) -> None:
        store = self._journal.store
        if there:
            store.set_aside(COPY_KEY)
        store.put(COPY_KEY, self._journal.record.to_bytes())
        self._done.append(f"{COPY_KEY} was written again")

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
