"""What every store must do; each backend inherits this class and brings its `store`."""

from __future__ import annotations

import threading

import pytest

from musiccore.errors import ConfigError, Corrupt, NotFound, StorageError
from musiccore.journal.journal import Journal
from musiccore.journal.manifest import RunRecord
from musiccore.journal.runs import list_runs
from musiccore.runs.verify import verify_run
from musiccore.storage.store import AlreadyExists, BlobRef, Store

BOUNDARY = b"a\n--==0==\nb\r\n\x00\xff"


def run_record(run_id: str = "song", **changes: object) -> RunRecord:
    fields: dict[str, object] = {
        "run_id": run_id,
        "created": "2026-01-31T18:45:12+00:00",
        "request": {"seconds": 12.0, "lyrics": "la\n--==0==\nla"},
        "seed": 7,
        "rng": "philox4x64/v1",
        "models": {"top": "0" * 64},
        "numerics": {"dtype": "float32", "device": "cpu"},
    }
    return RunRecord(**{**fields, **changes})  # type: ignore[arg-type]


class StoreSuite:
    """Behaviour that the journal builds on."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_what_was_put_is_read(self, store: Store) -> None:
        store.put("a/b.json", BOUNDARY)
        assert store.get("a/b.json") == BOUNDARY

    def test_put_replaces(self, store: Store) -> None:
        store.put("a", b"long old content")
        store.put("a", b"new")
        assert store.get("a") == b"new"

    def test_nothing_there_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFound, match="nowhere"):
            store.get("nowhere")
        with pytest.raises(NotFound):
            store.delete("nowhere")
        assert not store.exists("nowhere")

    def test_a_created_object_is_never_overwritten(self, store: Store) -> None:
        store.create("log/00000001.json", b"first")
        with pytest.raises(AlreadyExists):
            store.create("log/00000001.json", b"second")
        assert store.get("log/00000001.json") == b"first"

    def test_one_of_many_threads_creates(self, store: Store) -> None:
        won: list[int] = []
        start = threading.Barrier(6)

        def create(number: int) -> None:
            start.wait()
            try:
                store.create("log/1", b"%d" % number)
                won.append(number)
            except AlreadyExists:
                pass

        threads = [threading.Thread(target=create, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get("log/1") == b"%d" % won[0]

    def test_a_listing_shows_what_was_just_written(self, store: Store) -> None:
        store.put("log/2", b"bb")
        store.put("log/1", b"a")
        store.put("blobs/ab/x", b"")
        assert store.list("log") == {"log/1": 1, "log/2": 2}
        assert list(store.list()) == ["blobs/ab/x", "log/1", "log/2"]
        assert store.list("empty") == {}
        assert store.children() == ("blobs", "log")

    def test_deleted_is_gone_from_the_listing(self, store: Store) -> None:
        store.put("a", b"1")
        store.delete("a")
        assert store.list() == {}

    def test_a_view_sees_its_folder_only(self, store: Store) -> None:
        store.put("one/a", b"1")
        store.put("two/a", b"2")
        view = store.at("one")
        assert view.list() == {"a": 1}
        assert view.get("a") == b"1"
        assert view.at("deep").list() == {}
        assert view.location("a").endswith("one/a")

    def test_an_object_larger_than_its_limit_is_corrupt(self, store: Store) -> None:
        store.put("a", b"12345")
        assert store.get("a", limit=5) == b"12345"
        with pytest.raises(Corrupt, match="4 bytes"):
            store.get("a", limit=4)

    @pytest.mark.parametrize(
        "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.tmp", "a\\b", "a\nb", "ä", "a b"]
    )
    def test_keys_cannot_leave_the_store(self, store: Store, key: str) -> None:
        with pytest.raises(StorageError, match="not a key"):
            store.put(key, b"")
        with pytest.raises(StorageError, match="not a key"):
            store.get(key)

    def test_blobs_are_named_by_their_content(self, store: Store) -> None:
        ref = store.put_blob(BOUNDARY)
        assert ref == BlobRef.of(BOUNDARY) == BlobRef.from_json(ref.to_json())
        assert store.put_blob(BOUNDARY) == ref
        assert store.get_blob(ref) == BOUNDARY
        assert list(store.list()) == [f"blobs/{ref.sha256[:2]}/{ref.sha256}"]

    def test_a_damaged_blob_is_corrupt_and_writing_it_again_heals_it(self, store: Store) -> None:
        ref = store.put_blob(b"codes")
        for damaged in (b"c0des", b"code", b"codes.", b""):
            store.put(ref.key, damaged)
            with pytest.raises(Corrupt):
                store.get_blob(ref)
        store.put_blob(b"codes")
        assert store.get_blob(ref) == b"codes"
        store.delete(ref.key)
        with pytest.raises(Corrupt, match="missing"):
            store.get_blob(ref)

    def test_the_probe_finds_exclusive_creation_and_leaves_nothing(self, store: Store) -> None:
        assert store.probe().writers == "multi-writer"
        assert store.at("song").probe().writers == "multi-writer"
        assert store.list() == {}

    def test_a_whole_run_lives_in_it(self, store: Store) -> None:
        with Journal.create(store, run_record()) as journal, journal.claimed():
            for index in range(3):
                journal.append_window(
                    level=2,
                    group=0,
                    index=index,
                    start=index * 8,
                    n_new=8,
                    takes=[0],
                    blob=journal.put_blob(b"codes %d" % index),
                    inputs="digest",
                )
        again = Journal.open(store, "song")
        event = again.window(level=2, group=0, index=1, inputs="digest")
        assert event is not None
        assert again.get_blob(BlobRef.from_json(event.fields["blob"])) == b"codes 1"
        assert again.window(level=2, group=0, index=1, inputs="other") is None
        assert verify_run(store, "song").sound
        assert list_runs(store) == ("song",)

    def test_a_run_is_created_once(self, store: Store) -> None:
        Journal.create(store, run_record())
        Journal.create(store, run_record())  # the same bytes: a reply was lost
        with pytest.raises(AlreadyExists, match="song exists already"):
            Journal.create(store, run_record(seed=8))

    def test_a_bad_run_creates_nothing(self, store: Store) -> None:
        with pytest.raises(ConfigError):
            Journal.create(store, run_record("../song"))
        with pytest.raises(ConfigError):
            Journal.create(store, run_record(request={"seconds": float("nan")}))
        with pytest.raises(NotFound, match=r"no run song|there is no folder"):
            Journal.open(store, "song")
        assert store.list() == {}
