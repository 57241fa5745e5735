"""What a run gave to people and was lost is made again, and called missing until then."""

from __future__ import annotations

import uuid
from functools import partial

import pytest

from musiccore.journal.journal import Journal
from musiccore.runs.deliveries import hurt_runs, is_hurt
from musiccore.runs.mend import mend_run
from musiccore.runs.restore import told_records
from musiccore.runs.status import describe_run
from musiccore.runs.verify import references, verify_run
from tests.flows.plain_steps import Talk, plain_steps


@pytest.fixture(scope="module")
def steps():
    with plain_steps() as sampled:
        yield sampled


@pytest.fixture(scope="module")
def talk(steps) -> Talk:
    """Two takes to choose from, a stretch of one of them, and two songs."""
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(formats=("wav", "mp3"))
    talk.work()
    talk.go("audition", 1, start=0.2, end=0.26)
    talk.go("upsample", 1)
    talk.go("upsample", 2)
    assert describe_run(talk.store, "song").state == "done"
    assert verify_run(talk.store, "song").sound
    return talk


def given(talk: Talk) -> list[str]:
    """Everything that somebody can hear or see."""
    events = talk.events("candidate", "exported")
    keys = [path or ref.key for event in events for ref, path in references(event)]
    return [*dict.fromkeys(keys), "rounds/001/index.html"]


def hurt(talk: Talk) -> bool:
    with Journal.open(talk.store, "song") as journal:
        return is_hurt(journal, talk.tree)


@pytest.mark.parametrize("how", ["deleted", "half", "empty", "another"])
def test_every_file_that_was_given_out_is_made_again(talk, how):
    store, before = talk.store.at("song"), describe_run(talk.store, "song")
    masters = [one.pcm_sha256 for one in before.masters]
    for key in given(talk):
        whole = store.get(key)
        if how == "deleted" or (how == "another" and key.endswith("index.html")):
            store.delete(key)
        else:
            bad = {"half": whole[: len(whole) // 2], "empty": b""}
            store.put(key, bad.get(how, whole[:-1] + bytes([whole[-1] ^ 1])))
        if how != "half" or key != "rounds/001/index.html":  # of a page no digest is kept
            assert hurt(talk), key
    assert talk.work() == []  # no window is sampled again
    assert verify_run(talk.store, "song").doubts == ()
    assert not hurt(talk)
    after = describe_run(talk.store, "song")
    assert [one.pcm_sha256 for one in after.masters] == masters
    assert (after.state, after.missing) == ("done", ())
    assert set(given(talk)) <= set(store.list())


@pytest.mark.parametrize("data", [None, b"short"])
def test_missing_files_of_every_song_and_take_are_named(talk, data):
    store = talk.store.at("song")
    keys = [key for key in given(talk) if key.startswith(("export/", "rounds/"))]
    assert {"export/master.mp3", "export/take-2/master.wav", "rounds/001/take-1.wav"} <= set(keys)
    try:
        for key in keys:
            if data is None:
                store.delete(key)
            elif not key.endswith("rounds/001/index.html"):
                store.put(key, data)
        named = set(keys) if data is None else set(keys) - {"rounds/001/index.html"}
        assert set(describe_run(talk.store, "song").missing) == {store.location(k) for k in named}
        assert set(hurt_runs(talk.store)["song"]) == {store.location(key) for key in named}
    finally:
        talk.work()
    assert hurt_runs(talk.store) == {}


def test_preview_alone_counts_as_hurt_too(talk):
    preview = talk.events("candidate")[0].fields["preview"]
    key = f"blobs/{preview['sha256'][:2]}/{preview['sha256']}"
    talk.store.at("song").delete(key)
    assert talk.store.at("song").location(key) in hurt_runs(talk.store)["song"]
    talk.work()
    assert hurt_runs(talk.store) == {}


def test_sound_that_comes_out_otherwise_leaves_a_run_that_verifies(talk, monkeypatch):
    """Another encoder writes other bytes: the record of the old ones is given up."""
    from musiccore.delivery import impression

    old = talk.events("candidate")[0].fields["preview"]["sha256"]
    talk.store.at("song").delete(f"blobs/{old[:2]}/{old}")
    real = impression.audio.write_preview
    monkeypatch.setattr(impression.audio, "write_preview", lambda sound: real(sound) + b"\0")
    talk.work()
    assert verify_run(talk.store, "song").doubts == ()


def test_killed_between_publishing_and_giving_up_the_next_worker_finishes(talk, monkeypatch):
    """The sound comes out otherwise, and the process ends before the old record is given up."""
    from musiccore.delivery import impression

    old = talk.tree.rounds[1].published[2].fields["preview"]["sha256"]
    talk.store.at("song").delete(f"blobs/{old[:2]}/{old}")
    real, append = impression.audio.write_preview, Journal.append

    def dying(journal, type, /, **fields):
        if "void" in fields:
            raise KeyboardInterrupt
        return append(journal, type, **fields)

    monkeypatch.setattr(impression.audio, "write_preview", lambda sound: real(sound) + b"\1")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", dying)
        with pytest.raises(KeyboardInterrupt):
            talk.work()
    assert hurt(talk)
    talk.work()
    assert not hurt(talk)
    assert verify_run(talk.store, "song").doubts == ()


def test_removed_takes_are_not_missed(steps):
    from musiccore.runs.purge import purge_takes

    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin()
    talk.work()
    talk.choose("drop", 2)
    talk.go("upsample", 1)
    assert purge_takes(talk.store, "song").takes == (2,)
    assert hurt_runs(talk.store) == {}
    assert describe_run(talk.store, "song").missing == ()
    talk.store.at("song").delete("rounds/001/index.html")  # it held what was removed
    assert talk.work() == []
    assert hurt_runs(talk.store) == {}


@pytest.mark.parametrize("kept", ["export/master.mp3", "rounds/001/take-1.wav"])
def test_request_is_put_back_from_a_file_that_is_left(talk, kept):
    run = talk.store.at("song")
    whole, files = run.get("run.json"), {key: run.get(key) for key in run.list("export")}
    files |= {key: run.get(key) for key in run.list("rounds")}
    try:
        run.delete("run.json")
        run.put("copies/run.json", b"")
        for key in files:
            if key != kept:
                run.delete(key)
        mend_run(
            talk.store,
            "song",
            take_over=False,
            say=print,
            told=partial(told_records, talk.store, "song"),
        )
        assert run.get("run.json") == run.get("copies/run.json") == whole
    finally:
        talk.work()
    assert not hurt(talk)
