"""Mending: what is damaged is set aside, what is lost is given up, and the run verifies again."""

from __future__ import annotations

import uuid

import pytest

from musiccore.errors import Corrupt, Fenced
from musiccore.journal.chain import record_key
from musiccore.journal.journal import Journal
from musiccore.journal.runs import list_runs
from musiccore.runs.mend import mend_run
from musiccore.runs.verify import verify_run
from musiccore.storage.store import BlobRef, Store, open_store
from musiccore.takes.choice import Choice
from musiccore.takes.choice_log import ChoiceLog
from tests.contracts.store_suite import run_record

MASTER = b"RIFF of the song"


@pytest.fixture
def store() -> Store:
    """A store with the run `song`: three windows, one delivery, two choices."""
    store = open_store(f"memory://test-{uuid.uuid4().hex}")
    with Journal.create(store, run_record()) as journal, journal.claimed():
        for index in range(3):
            blob = journal.put_blob(codes(index))
            journal.append("window", level=0, group=0, index=index, inputs="i", blob=blob.to_json())
        journal.store.put("export/master.wav", MASTER)
        file = {"path": "export/master.wav", **BlobRef.of(MASTER).to_json()}
        journal.append("exported", rendition=1, folder="export", files=[file])
    for take in (1, 2):
        choice = Choice(action="note", takes=(take,), stars=take)
        choices_of(store).append(choice, round_number=1, by="command")
    assert verify_run(store, "song").sound
    return store


def codes(index: int) -> bytes:
    return b"codes %d " % index * 40


def choices_of(store: Store) -> ChoiceLog:
    return ChoiceLog(store, "song", run_record=run_record().to_bytes())


def mend(store: Store) -> tuple[str, ...]:
    mended = mend_run(store, "song", take_over=False, say=lambda _: None)
    assert mended.report.doubts == ()
    return mended.done


def quarantined(store: Store) -> list[bytes]:
    run = store.at("song")
    return [run.get(key) for key in run.list("quarantine")]


def test_a_sound_run_is_left_as_it_is(store):
    assert mend(store) == ()
    assert quarantined(store) == []


@pytest.mark.parametrize("data", [b"", b'{"half', b"\0" * 500])
def test_a_damaged_end_of_the_log_is_set_aside(store, data):
    store.put("song/" + record_key(6), data)
    done = mend(store)
    assert len(done) == 1
    assert "record 6 is damaged: it goes on after record 5" in done[0]
    assert quarantined(store) == [data]


def test_a_damaged_record_in_the_middle_costs_itself_alone(store):
    store.put("song/" + record_key(3), b"damage")
    assert "record 3 of the log is damaged" in mend(store)[0]
    with Journal.open(store, "song") as journal:
        assert [e.fields["index"] for e in journal.events_of("window")] == [0, 2]


def test_a_damaged_blob_is_set_aside_and_what_names_it_is_no_fact_any_more(store):
    ref = BlobRef.of(codes(1))
    store.put(f"song/{ref.key}", b"damage")
    done = mend(store)
    assert any("moved to quarantine/" in sentence for sentence in done)
    assert any("record 3 (window) is given up" in sentence for sentence in done)
    assert quarantined(store) == [b"damage"]
    with Journal.open(store, "song") as journal:
        assert journal.window(level=0, group=0, index=1, inputs="i") is None
        assert journal.window(level=0, group=0, index=2, inputs="i") is not None


def test_facts_given_up_during_the_work_are_not_found_again(store):
    with Journal.open(store, "song") as journal, journal.claimed():
        assert journal.window(level=0, group=0, index=1, inputs="i") is not None
        journal.append("repair", void=[3])
        assert journal.window(level=0, group=0, index=1, inputs="i") is None


def test_a_missing_song_is_given_up_so_that_it_is_delivered_again(store):
    store.delete("song/export/master.wav")
    assert "record 5 (exported) is given up" in mend(store)[0]


def test_lost_choices_are_marked_and_said(store):
    store.put("song/choices/00000002.json", b"")
    assert "please choose again" in mend(store)[0]
    assert [made.choice.action for made in choices_of(store).read()] == ["note", "lost", "lost"]
    assert choices_of(store).losses(frozenset({2})) == ()


def test_hints_and_alien_files_are_put_right(store):
    store.put("song/tip.json", b"{")
    store.put("song/choices/tip.json", b"{")
    store.put("song/log/00000003.json.orig", b"of a sync program")
    assert len(mend(store)) == 2
    assert set(quarantined(store)) == {b"{", b"of a sync program"}


def test_names_that_no_object_of_ours_has_are_set_aside_too(tmp_path):
    store = open_store(tmp_path / "runs")
    Journal.create(store, run_record())
    stray = tmp_path / "runs" / "song" / "log" / "00000001 (conflicted copy).json"
    stray.parent.mkdir()
    stray.write_bytes(b"copy")
    mend(store)
    assert not stray.exists()
    assert quarantined(store) == [b"copy"]


LOSSES = [None, b"", b"{", run_record().to_bytes()[:-9], run_record(seed=8).to_bytes()]


@pytest.mark.parametrize("data", LOSSES, ids=["gone", "empty", "cut", "half", "another"])
def test_what_was_asked_for_is_put_back_from_its_copy(store, data):
    whole = store.get("song/run.json")
    if data is None:
        store.delete("song/run.json")
    else:
        store.put("song/run.json", data)
    with pytest.raises(Corrupt) as error:
        Journal.open(store, "song")
    assert "verify song --repair" in str(error.value.hint)
    assert "song" in list_runs(store)
    assert "run.json was put back" in mend(store)[0]
    assert store.get("song/run.json") == whole
    assert quarantined(store) == ([] if data is None else [data])
    with Journal.open(store, "song") as journal:
        assert len(journal.events_of("window")) == 3


def test_what_was_asked_for_is_put_back_from_what_files_tell(store):
    whole = store.get("song/run.json")
    for key in ("run.json", "copies/run.json"):
        store.put(f"song/{key}", b"")
    guesses = [run_record(seed=1), run_record(title="x"), run_record()]
    mended = mend_run(store, "song", take_over=False, say=print, told=lambda: guesses)
    assert mended.report.sound
    assert store.get("song/run.json") == store.get("song/copies/run.json") == whole


def test_a_lost_copy_is_written_again(store):
    for data in (None, b"", run_record(seed=8).to_bytes()):
        if data is None:
            store.delete("song/copies/run.json")
        else:
            store.put("song/copies/run.json", data)
        assert any("copies/run.json" in doubt.key for doubt in verify_run(store, "song").doubts)
        mend(store)


def test_no_run_is_begun_where_another_one_lost_its_request(store):
    store.delete("song/run.json")
    with pytest.raises(Corrupt, match=r"run\.json of song is missing"):
        Journal.create(store, run_record())
    assert not store.exists("song/run.json")


def test_without_its_request_a_run_is_not_touched(store):
    store.put("song/run.json", b"{")
    store.delete("song/copies/run.json")
    before = store.list()
    with pytest.raises(Corrupt, match="nothing else says what was asked for"):
        mend(store)
    assert store.list() == before


def test_a_run_at_work_is_left_alone(store):
    with Journal.open(store, "song") as journal, journal.claimed(), pytest.raises(Fenced):
        mend(store)


def test_a_file_that_was_delivered_twice_is_compared_with_the_last_record(store):
    with Journal.open(store, "song") as journal, journal.claimed():
        journal.store.put("export/master.wav", MASTER + b"!")
        file = {"path": "export/master.wav", **BlobRef.of(MASTER + b"!").to_json()}
        journal.append("exported", rendition=1, folder="export", files=[file])
    assert verify_run(store, "song").sound
