"""The journal: chain, claims, fencing, lost replies, kills, faults at every call, mutations."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from musiccore.errors import (
    ConfigError,
    Corrupt,
    Fenced,
    Gone,
    MusicCoreError,
    NotFound,
    StorageError,
    Unavailable,
)
from musiccore.journal import heartbeat
from musiccore.journal.chain import record_key
from musiccore.journal.journal import Journal
from musiccore.journal.records import Event, Replay, encode_record
from musiccore.journal.runs import list_runs
from musiccore.runs.verify import verify_run
from musiccore.storage.backends import LocalBackend
from musiccore.storage.sealed import seal
from musiccore.storage.store import AlreadyExists, BlobRef, Store, open_store
from tests.contracts.store_faults import Faults
from tests.contracts.store_suite import run_record

N_WINDOWS = 4
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one: thousands of small files, none to be kept."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="jukeflow-test-") as folder:
        yield Path(folder)


@pytest.fixture
def store() -> Store:
    return open_store(f"memory://test-{uuid.uuid4().hex}")


@pytest.fixture
def journal(store: Store) -> Iterator[Journal]:
    with Journal.create(store, run_record(), retry_pause=0.001) as journal:
        yield journal


def codes(index: int) -> bytes:
    return b"codes of window %d " % index * 40


def work(journal: Journal, *, pause: float = 0.0, n_windows: int = N_WINDOWS) -> int:
    """Do what a run does: find what is missing, make it, commit it; return how much was made."""
    made = 0
    for index in range(n_windows):
        if journal.window(level=0, group=0, index=index, inputs="i") is None:
            time.sleep(pause)
            journal.append_window(
                level=0,
                group=0,
                index=index,
                start=index,
                n_new=1,
                takes=[0],
                blob=journal.put_blob(codes(index)),
                inputs="i",
            )
            made += 1
    if not journal.events_of("level_done"):
        journal.append("level_done", level=0)
    return made


def assert_complete(store: Store, *, n_windows: int = N_WINDOWS) -> None:
    journal = Journal.open(store, "song")
    windows = journal.events_of("window")
    assert [event.fields["index"] for event in windows] == list(range(n_windows))
    for index, event in enumerate(windows):
        assert journal.get_blob(BlobRef.from_json(event.fields["blob"])) == codes(index)
    assert len(journal.events_of("level_done")) == 1
    assert verify_run(store, "song").doubts == ()


SCHEME = "philox4x64/v1"

# ------------------------------------------------------------------------------------ the log


def test_what_was_appended_is_replayed(store: Store, journal: Journal) -> None:
    with journal.claimed():
        journal.append("selection", takes=[1, 2], note="\ud800 \x00 </script> \n--==0==")
        journal.acknowledge("candidate", take=3)
    again = Journal.open(store, "song")
    assert again.events == journal.events
    assert [event.type for event in again.events] == ["claim", "selection", "candidate", "release"]
    assert [event.seq for event in again.events] == [1, 2, 3, 4]
    assert again.record == run_record()


def test_reading_writes_nothing(store: Store, journal: Journal) -> None:
    before = store.list()
    verify_run(store, "song")
    assert store.list() == before
    assert list_runs(store) == ("song",)


def test_a_record_holds_at_most_64_kib(journal: Journal) -> None:
    with journal.claimed():
        journal.append("candidate", text="x" * 65_000)
        with pytest.raises(ConfigError, match="the limit is 65536"):
            journal.append("candidate", text="x" * 66_000)
        journal.append("candidate", text="after")


def test_fields_must_be_json_and_types_known(journal: Journal) -> None:
    with journal.claimed():
        with pytest.raises(ConfigError, match="not a record type"):
            journal.append("windwo")
        with pytest.raises(ConfigError, match="its own epoch"):
            journal.append("window", epoch=9)
        with pytest.raises(ConfigError, match="JSON"):
            journal.append("window", value=float("inf"))
        assert journal.append("window", value=1).seq == 2


def test_work_is_found_by_its_inputs(journal: Journal) -> None:
    with journal.claimed():
        work(journal)
        assert work(journal) == 0
        branch = journal.append_window(
            level=0,
            group=0,
            index=1,
            start=1,
            n_new=1,
            takes=[0],
            blob=journal.put_blob(b"of another take"),
            inputs="j",
        )
    assert journal.window(level=0, group=0, index=1, inputs="j") == branch
    assert journal.window(level=0, group=0, index=1, inputs="i") != branch
    assert journal.window(level=0, group=1, index=1, inputs="i") is None


def test_appending_needs_a_claim(journal: Journal) -> None:
    with pytest.raises(StorageError, match="not claimed"):
        journal.append("window")
    with journal.claimed():
        pass
    with pytest.raises(StorageError, match="not claimed"):
        journal.append("window")


def test_a_lost_record_between_sound_ones_is_passed_over_and_said(
    store: Store, journal: Journal
) -> None:
    with journal.claimed():
        work(journal)
    store.delete("song/" + record_key(3))
    again = Journal.open(store, "song")
    assert [event.seq for event in again.events] == [1, 2, 4, 5, 6, 7]
    assert again.losses() == ("record 3 of the log is missing: what it held is made again",)
    assert _probing_reader(store) == 2  # negative control: it takes the gap for the end
    said: list[str] = []
    with again.claimed(say=said.append):
        assert work(again) == 1  # the window of the lost record, and nothing else
    assert said == [f"run song: {sentence}" for sentence in (SENTENCE_3,)]
    assert Journal.open(store, "song").losses() == ()
    assert verify_run(store, "song").sound


SENTENCE_3 = "record 3 of the log is missing: what it held is made again"


def test_a_lost_claim_is_known_by_the_records_under_it(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
    with Journal.open(store, "song") as second, second.claimed():
        second.append("selection", takes=[1])
    store.put("song/" + record_key(8), b"")
    again = Journal.open(store, "song")
    assert [event.type for event in again.events][-2:] == ["selection", "release"]
    assert (again.epoch, again.claim_in_force) == (2, None)


TAILS: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda data: None,
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "zeroed": lambda data: bytes(len(data)),
    "garbage": lambda data: b"\xff" * 70_000,
}


@pytest.mark.parametrize("hurt", TAILS.values(), ids=TAILS)
@pytest.mark.parametrize("n_lost", [1, 3])
def test_a_hurt_end_of_the_log_costs_what_it_held_and_nothing_else(
    store: Store, journal: Journal, hurt: Callable[[bytes], bytes | None], n_lost: int
) -> None:
    journal.claim()
    work(journal)
    journal._claim.end()  # killed: nothing says goodbye
    for seq in range(7 - n_lost, 7):
        key = "song/" + record_key(seq)
        data = hurt(store.get(key))
        if data is None:
            store.delete(key)
        else:
            store.put(key, data)
    before = store.list()
    again = Journal.open(store, "song")
    assert store.list() == before  # looking repairs nothing
    assert [event.seq for event in again.events] == list(range(1, 7 - n_lost))
    assert len(again.losses()) == 1
    assert f"it goes on after record {6 - n_lost}" in again.losses()[0]
    with again.claimed(take_over=True):
        assert work(again) == n_lost - 1  # the last record was that of the level
    assert_complete(store)


def test_a_record_of_another_branch_of_history_ends_the_log(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal, n_windows=2)
    other = Journal.open(store, "song")._chain.encode("claim", {}, epoch=2, owner="other")
    with journal.claimed():
        journal.append("selection", takes=[1])
    store.put("song/" + record_key(6), other)  # a synced folder kept the record of the other side
    again = Journal.open(store, "song")
    assert again.events[-1].seq == 6
    assert "records 7 to 8 do not follow" in again.losses()[0]
    with again.claimed(take_over=True):
        work(again)
    assert_complete(store)


def test_a_record_that_comes_late_is_not_lost(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
    key = "song/" + record_key(7)
    data = store.get(key)
    store.delete(key)
    reader = Journal.open(store, "song")
    assert reader.losses()
    store.put(key, data)  # the folder was still being synced
    reader.refresh()
    assert (reader.losses(), reader.events) == ((), journal.events)


def _probing_reader(store: Store) -> int:
    seq = 0
    while store.exists("song/" + record_key(seq + 1)):
        seq += 1
    return seq


def test_a_stale_or_damaged_hint_does_not_stop_a_run(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
        first = journal.events[0]
    for tip in (seal({"seq": 1, "record_sha256": first.sha256}), b"{", b""):
        store.put("song/tip.json", tip)
        Journal.open(store, "song")
        assert [doubt.key for doubt in verify_run(store, "song").doubts] == ["tip.json"]
    with Journal.open(store, "song") as again, again.claimed():
        pass
    assert verify_run(store, "song").sound


def test_newer_records_are_refused_with_the_version(store: Store, journal: Journal) -> None:
    store.put("song/" + record_key(1), seal({"seq": 1}, version=99))
    with pytest.raises(StorageError, match="version 99, this program reads up to 1"):
        Journal.open(store, "song")


def test_replay_excludes_records_of_a_lost_claim() -> None:
    def event(seq: int, epoch: int, owner: str, kind: str) -> Event:
        return Event(seq=seq, epoch=epoch, owner=owner, at="", type=kind, fields={}, sha256="")

    log = [
        event(1, 1, "a", "claim"),
        event(2, 1, "a", "window"),
        event(3, 2, "b", "claim"),
        event(4, 1, "a", "window"),  # written by a worker that was asleep
        event(5, 2, "a", "window"),
        event(6, 1, "a", "release"),
        event(7, 2, "b", "window"),
        event(8, 2, "c", "claim"),  # its number was taken
        event(9, 2, "b", "release"),
        event(10, 2, "b", "window"),
    ]
    replay = Replay()
    facts = [item.seq for item in log if replay.add(item)]
    assert facts == [1, 2, 3, 7, 9]
    assert [item.seq for item in replay.excluded] == [4, 5, 6, 8, 10]
    assert (replay.epoch, replay.claim) == (2, None)
    with pytest.raises(Corrupt):
        replay.add(event(11, 4, "d", "claim"))


# ------------------------------------------------------------------------------- a store goes


@pytest.mark.parametrize("then", ["nothing", "an empty store", "an empty run"])
def test_nothing_is_written_where_a_store_was(tmp_path: Path, then: str) -> None:
    root = tmp_path / "runs"
    with Journal.create(open_store(root), run_record(), heartbeat=0.01) as journal:
        journal.claim()
        work(journal, n_windows=2)
        root.rename(tmp_path / "away")
        if then != "nothing":
            (root / "song" if then == "an empty run" else root).mkdir(parents=True)
        with pytest.raises(Gone, match="the store went away"):
            journal.put_blob(b"codes")
        with pytest.raises(Gone, match="the store went away"):
            journal.append("window", n=3)
        with pytest.raises(Gone, match="the store went away"):
            journal.check_held()
        if then != "an empty run":
            with pytest.raises(Gone, match="the store went away"):
                journal.store.put("export/master.wav", b"RIFF")
    assert [path for path in tmp_path.rglob("runs/**/*") if path.is_file()] == []
    if then == "nothing":
        (tmp_path / "away").rename(root)
        with Journal.open(open_store(root), "song") as again, again.claimed(take_over=True):
            work(again)
        assert_complete(open_store(root))


# ------------------------------------------------------------------------------------ claims


def test_a_second_worker_is_told_and_a_takeover_fences_the_first(
    store: Store, journal: Journal
) -> None:
    journal.claim()
    journal.append("window", n=1)
    second = Journal.open(store, "song")
    with pytest.raises(Fenced, match=f"seems active on run song: process {os.getpid()}") as caught:
        second.claim()
    assert "--take-over" in str(caught.value)
    assert second.claim(take_over=True) == 2
    for _ in range(2):
        with pytest.raises(Fenced, match="took over"):
            journal.append("window", n=2)
    second.append("window", n=3)
    with pytest.raises(Fenced):
        journal.check_held()
    second.release()
    again = Journal.open(store, "song")
    assert [event.fields["n"] for event in again.events_of("window")] == [1, 3]
    assert verify_run(store, "song").sound


def test_a_worker_learns_of_a_takeover_between_records(store: Store, journal: Journal) -> None:
    journal.claim()
    journal.check_held()
    with Journal.open(store, "song") as second:
        second.claim(take_over=True)
        with pytest.raises(Fenced, match="claim 2, this one held 1"):
            journal.check_held()


def test_a_released_run_is_claimed_at_once(store: Store, journal: Journal) -> None:
    with pytest.raises(ZeroDivisionError), journal.claimed():
        raise ZeroDivisionError
    assert journal.claim_in_force is None
    with Journal.open(store, "song") as second:
        assert second.claim() == 2
        assert second.claim() == 2


def test_a_worker_takes_up_its_own_claim(journal: Journal) -> None:
    journal.claim()
    journal._claim.end()  # as after a release that did not reach the store
    assert journal.claim() == 1
    journal.append("window")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that moves this process to a machine of another name."""

    def move(name: str) -> None:
        monkeypatch.setattr(platform, "node", lambda: name)
        heartbeat._host.cache_clear()

    yield move
    monkeypatch.undo()
    heartbeat._host.cache_clear()


def test_a_beating_heart_elsewhere_is_respected_and_a_still_one_is_not(
    store: Store, elsewhere: Callable[[str], None]
) -> None:
    elsewhere("far-away")
    first = Journal.create(store, run_record(), heartbeat=0.05)
    first.claim()
    elsewhere("here")
    second = Journal.open(store, "song", patience=600.0)  # it ends at the first beat
    with pytest.raises(Fenced, match="on far-away"):
        second.claim()
    first._claim.end()
    third = Journal.open(store, "song", patience=0.2)
    assert third.claim() == 2
    third.release()


def test_several_runs_are_watched_together_and_it_is_said_at_once(
    store: Store, elsewhere: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(heartbeat, "time", clock)
    elsewhere("far-away")
    for name in ("one", "two", "three"):
        with Journal.create(store, run_record(name)) as journal:
            journal.claim()
            journal._claim.end()
    elsewhere("here")
    lookout, said, waited = heartbeat.Lookout(40.0), [], []
    journals = [Journal.open(store, name) for name in ("one", "two", "three")]
    assert [journal.holder(lookout) for journal in journals] == [None] * 3
    for journal in journals:
        journal.claim(lookout=lookout, say=said.append)
        waited.append(sum(slept))
        journal.release()
    assert waited == [pytest.approx(40.0)] * 3  # the others had been watched long enough by then
    assert len(said) == 1
    assert "run one: its last worker, on far-away" in said[0]
    assert "`jukeflow resume one --take-over` does not wait" in said[0]


def test_a_machine_that_was_started_anew_delays_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_machine", lambda: "m")
    with Journal.create(store, run_record()) as journal:
        for host, boot in (("a", "before"), ("b", "now")):
            monkeypatch.setattr(heartbeat, "_host", lambda host=host: host)
            monkeypatch.setattr(heartbeat, "_boot", lambda boot=boot: boot)
            if boot == "before":
                journal.claim()
                journal._claim.end()
    assert Journal.open(store, "song").holder() is False
    monkeypatch.setattr(heartbeat, "_machine", lambda: "another")
    assert Journal.open(store, "song").holder() is None


@contextlib.contextmanager
def child(
    target: Callable[..., None], *args: object
) -> Iterator[multiprocessing.process.BaseProcess]:
    process = FORK.Process(target=target, args=args)
    process.start()
    try:
        yield process
    finally:
        if process.is_alive():
            process.kill()
        process.join()


def _claim_and_sleep(root: Path) -> None:
    journal = Journal.open(open_store(root), "song")
    journal.claim()
    time.sleep(60)


def test_a_killed_worker_of_this_machine_delays_nobody(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    journal = Journal.create(store, run_record())
    with child(_claim_and_sleep, tmp_path) as worker:
        while journal.claim_in_force is None:
            time.sleep(0.01)
            journal.refresh()
        with pytest.raises(Fenced, match=f"process {worker.pid}"):
            journal.claim()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)  # nobody reaps it: it stays as a zombie
        end = time.monotonic() + 60.0
        while time.monotonic() < end:
            with contextlib.suppress(Fenced):
                assert journal.claim() == 2
                break
        assert journal.claim_in_force is not None
        assert journal.claim_in_force.epoch == 2
        journal.release()


def _resume(root: Path, start: object, results: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    try:
        with Journal.open(open_store(root), "song") as journal, journal.claimed():
            work(journal, pause=0.02)
        results.put("finished")  # type: ignore[attr-defined]
    except Fenced as error:
        results.put(error.message)  # type: ignore[attr-defined]


def test_of_three_resumers_exactly_one_finishes(tmp_path: Path) -> None:
    for number in range(4):
        root = tmp_path / str(number)
        Journal.create(open_store(root), run_record())
        start, results = FORK.Barrier(3), FORK.SimpleQueue()
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(child(_resume, root, start, results))
            told = sorted(results.get() for _ in range(3))
        assert told.count("finished") == 1
        assert all("another worker" in line for line in told if line != "finished")
        assert_complete(open_store(root))


def _work_slowly(root: Path) -> None:
    with Journal.open(open_store(root), "song") as journal, journal.claimed():
        work(journal, pause=0.005)


def test_kills_at_random_moments_lose_nothing_finished(tmp_path: Path) -> None:
    rng = random.Random(5)
    for number in range(5):
        root = tmp_path / str(number)
        store = open_store(root)
        Journal.create(store, run_record())
        finished = 0
        for _ in range(3):
            with child(_work_slowly, root) as worker:
                worker.join(rng.uniform(0.0, 0.25))
            journal = Journal.open(store, "song")
            assert len(journal.events_of("window")) >= finished
            finished = len(journal.events_of("window"))
        with journal.claimed():
            assert work(journal) == N_WINDOWS - finished
        assert_complete(store)


def _die_at(root: Path, at: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Faults(patch, number=Faults.KILL, forever=False).arm(at)
        with Journal.create(open_store(root), run_record()) as journal, journal.claimed():
            work(journal, n_windows=1)
    os._exit(0)


def test_a_kill_at_any_call_loses_nothing_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Faults(monkeypatch, number=errno.EIO, forever=False)  # never armed: only spares us the fsyncs
    killed = 0
    for at in range(1, 1000):
        root = tmp_path / str(at)
        with child(_die_at, root, at) as worker:
            worker.join(30)
            died = worker.exitcode == -signal.SIGKILL
        store = open_store(root)
        with Journal.create(store, run_record()) as journal, journal.claimed():
            work(journal, n_windows=1)
        assert_complete(store, n_windows=1)
        if not died:
            break
        killed += 1
    assert killed > 30


# ------------------------------------------------------------------------- a store that fails


class LossyBackend(LocalBackend):
    """Writes, then loses the reply; or does not answer at all. `plan` says which, per create."""

    def __init__(self, root: str, plan: list[str]) -> None:
        super().__init__(root)
        self.plan = plan

    def create(self, key: str, data: bytes) -> None:
        fate = self.plan.pop(0) if self.plan and key.startswith("song/log/") else "pass"
        if fate == "refuse":
            raise ConnectionRefusedError("refused")
        super().create(key, data)
        if fate == "lose":
            raise ConnectionResetError("reply lost")


@pytest.mark.parametrize("plan", [["lose"], ["refuse"], ["pass", "lose"], ["refuse", "lose"] * 3])
def test_lost_replies_are_recognised_as_our_own(tmp_path: Path, plan: list[str]) -> None:
    store = Store(LossyBackend(str(tmp_path), list(plan)), writers="multi-writer")
    with Journal.create(store, run_record(), retry_pause=0.0) as journal, journal.claimed():
        work(journal)
    assert_complete(store)


def test_an_unknown_outcome_is_settled_before_anything_else(tmp_path: Path) -> None:
    backend = LossyBackend(str(tmp_path), [])
    store = Store(backend, writers="multi-writer")
    journal = Journal.create(store, run_record(), retry_pause=0.0)
    journal.claim()
    backend.plan[:] = ["refuse"] * 4
    with pytest.raises(Unavailable):
        journal.append("candidate", take=1)
    journal.append("candidate", take=1)  # the same call again: one record
    backend.plan[:] = ["refuse"] * 4
    with pytest.raises(Unavailable):
        journal.append("candidate", take=2)
    journal.append("candidate", take=3)  # another call: both, in order
    backend.plan[:] = ["refuse", "refuse", "refuse", "lose"]
    with pytest.raises(Unavailable):
        journal.append("candidate", take=4)
    journal.check_held()  # reads it: it arrived after all
    journal.append("candidate", take=4)
    journal.release()
    takes = [event.fields["take"] for event in Journal.open(store, "song").events_of("candidate")]
    assert takes == [1, 2, 3, 4]


def test_an_acknowledgement_needs_the_hint_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_replace(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = open_store(tmp_path)
    with Journal.create(store, run_record()) as journal, journal.claimed():
        journal.acknowledge("selection", takes=[1])
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", no_replace)
            journal.append("candidate", take=9)
            with pytest.raises(StorageError, match=r"tip\.json"):
                journal.acknowledge("selection", takes=[2])
    assert len(Journal.open(store, "song").events_of("selection")) == 2


@pytest.mark.parametrize(("number", "forever"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_fault_at_any_call_of_a_run_leaves_a_run_that_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, forever: bool
) -> None:
    faults = Faults(monkeypatch, number=number, forever=forever)
    failed, messages = 0, set()
    for at in range(1, 1000):
        root = tmp_path / str(at)
        store = open_store(root)
        faults.arm(at)
        try:
            with Journal.create(store, run_record()) as journal, journal.claimed():
                work(journal, n_windows=2)
        except StorageError as error:
            failed += 1
            messages.add(str(root) in error.message)
        fired = faults.fired
        faults.arm(0)
        assert not list(root.rglob(".tmp-*"))
        with Journal.create(store, run_record()) as journal, journal.claimed():
            work(journal, n_windows=2)
        assert_complete(store, n_windows=2)
        if not fired:
            break
    assert failed > 30
    assert messages == {True}


def test_a_missing_blob_is_healed_only_by_its_own_bytes(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
        ref = BlobRef.of(codes(1))
        store.put(f"song/{ref.key}", b"damaged")
        with pytest.raises(Corrupt):
            journal.get_blob(ref)
        with pytest.raises(Corrupt, match="cannot be healed"):
            journal.heal_blob(ref, b"other numbers")
        journal.heal_blob(ref, codes(1))
        assert journal.get_blob(ref) == codes(1)
    kept = [key for key in store.list("song") if "quarantine" in key]
    assert [store.get(key) for key in kept] == [b"damaged"]
    assert verify_run(store, "song").sound


# ---------------------------------------------------------------------------------- numerics


def test_a_resume_with_other_numerics_names_each_field(store: Store, journal: Journal) -> None:
    same = {"rng": SCHEME, "dtype": "float32", "device": "cpu"}
    models = {"top": "0" * 64}
    journal.check_numerics(same, models)
    with pytest.raises(
        ConfigError, match=r"device .*cpu.*cuda.*dtype .*threads \(.*None"
    ) as caught:
        journal.check_numerics(
            {"rng": SCHEME, "dtype": "float16", "device": "cuda", "threads": 2}, models
        )
    assert caught.value.hint
    with pytest.raises(ConfigError, match="rng"):
        journal.check_numerics({**same, "rng": "other/v2"}, models)
    with pytest.raises(ConfigError, match=r"models\.top"):
        journal.check_numerics(same, {"top": "1" * 64})


def test_by_consent_a_change_is_recorded_and_holds(store: Store, journal: Journal) -> None:
    other, models = {"rng": SCHEME, "dtype": "float16", "device": "cpu"}, {"top": "0" * 64}
    with journal.claimed():
        journal.check_numerics(other, models, consent=True)
        journal.check_numerics(other, models, consent=True)
    again = Journal.open(store, "song")
    changes = again.events_of("numerics_change")
    assert [event.fields["current"] for event in changes] == [{"dtype": "float16"}]
    again.check_numerics(other, models)
    with pytest.raises(ConfigError, match="dtype"):
        again.check_numerics({"rng": SCHEME, "dtype": "float32", "device": "cpu"}, models)


# -------------------------------------------------------------------------------- mutations


def test_verify_reports_what_it_read(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
        journal.put_blob(b"of a window that was never committed")
        master = b"RIFF"
        store.put("song/export/master.wav", master)
        ref = BlobRef.of(master)
        journal.append("exported", files=[{"path": "export/master.wav", **ref.to_json()}])
    report = verify_run(store, "song")
    assert report.sound
    assert (report.n_records, report.n_blobs, report.n_unreferenced) == (8, 5, 1)
    store.put("song/export/master.wav", b"RIFX")
    assert [doubt.key for doubt in verify_run(store, "song").doubts] == ["export/master.wav"]
    store.put("song/export/master.wav", master)
    store.put("song/stray.txt", b"of another tool")
    assert [doubt.key for doubt in verify_run(store, "song").doubts] == ["stray.txt"]
    with pytest.raises(NotFound):
        verify_run(store, "other")


def test_verify_goes_on_after_a_gap(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
    store.delete("song/" + record_key(3))
    store.delete("song/" + BlobRef.of(codes(3)).key)
    doubted = {doubt.key for doubt in verify_run(store, "song").doubts}
    assert doubted == {record_key(3), BlobRef.of(codes(3)).key}


def _mutate(rng: random.Random, files: dict[str, bytes]) -> tuple[str, dict[str, bytes | None]]:
    """Return what was done and the objects that changed, None for deleted ones."""
    key = rng.choice(sorted(files))
    data = files[key]
    at = rng.randrange(len(data))
    kind = rng.choice(["flip", "truncate", "empty", "zero", "append", "delete", "swap", "byte"])
    if kind == "swap":
        other = rng.choice(sorted(name for name in files if files[name] != data))
        return f"swap {key} and {other}", {key: files[other], other: data}
    changed: dict[str, bytes | None] = {
        "flip": data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
        "truncate": data[:at],
        "empty": b"",
        "zero": data[:at] + bytes(len(data) - at),
        "append": data + rng.randbytes(3),
        "delete": None,
        "byte": data[:at] + data[at + 1 :],
    }
    return f"{kind} {key} at {at}", {key: changed[kind]}


def test_every_mutation_of_a_run_is_detected(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
    view = store.at("song")
    files = {key: view.get(key) for key in view.list() if not key.startswith("heartbeat/")}
    assert verify_run(store, "song").sound
    rng = random.Random(20)
    for _ in range(320):
        what, changes = _mutate(rng, files)
        for key, data in changes.items():
            if data is None:
                view.delete(key)
            else:
                view.put(key, data)
        assert not verify_run(store, "song").sound, what
        if any(key.startswith("run.json") for key in changes):
            with pytest.raises(MusicCoreError):
                Journal.open(store, "song")
        elif any(key.startswith("log/") for key in changes):
            assert Journal.open(store, "song").losses(), what
        for key in changes:
            view.put(key, files[key])
    assert verify_run(store, "song").sound


def test_a_log_of_another_run_is_detected(store: Store, journal: Journal) -> None:
    with journal.claimed():
        work(journal)
    with Journal.create(store, run_record("other", seed=8)) as other, other.claimed():
        work(other)
    store.put("song/" + record_key(1), store.get("other/" + record_key(1)))
    assert "not the one that was written" in Journal.open(store, "song").losses()[0]
    for key in store.at("other").list("log"):
        store.put(f"song/{key}", store.get(f"other/{key}"))
    with pytest.raises(Corrupt, match="that of another run"):
        Journal.open(store, "song")
    store.put("song/run.json", store.get("other/run.json"))
    with pytest.raises(Corrupt, match="belongs to run 'other'"):
        Journal.open(store, "song")


def test_the_modules_of_the_store_are_light() -> None:
    heavy = "{'torch', 'numpy', 'pydantic', 'prefect', 'fsspec'}"
    code = f"import sys, musiccore.journal.journal; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_record_is_canonical_json() -> None:
    data = encode_record(
        {"b": 1, "a": "ä"}, seq=1, prev="p", epoch=1, owner="o", nonce="n", at="t", type="window"
    )
    outer = json.loads(data)
    assert list(outer) == ["body", "sha256", "v"]
    assert list(outer["body"]) == sorted(outer["body"])
    assert data.isascii()


def test_a_run_cannot_be_created_over_another(store: Store, journal: Journal) -> None:
    with pytest.raises(AlreadyExists, match="song exists already"):
        Journal.create(store, run_record(title="another"))
