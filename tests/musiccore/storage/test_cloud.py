"""A store in a bucket: the shared suite, and what a service may do to it."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator

import pytest

from musiccore.errors import NotFound, StorageError, Unavailable
from musiccore.journal.chain import record_key
from musiccore.journal.journal import Journal
from musiccore.journal.runs import list_runs
from musiccore.storage.store import Store, open_store
from tests.contracts.gcs_server import Bucketful, gcs_server, google_at
from tests.contracts.store_suite import BOUNDARY, StoreSuite, run_record


@pytest.fixture(scope="module")
def google() -> Iterator[Bucketful]:
    with gcs_server() as server, google_at(server):
        yield server


@pytest.fixture
def store(google: Bucketful) -> Store:
    return open_store(f"gs://bucket/{uuid.uuid4().hex}/runs")


class TestGoogleStore(StoreSuite):
    @pytest.fixture
    def store(self, google: Bucketful) -> Store:
        return open_store(f"gs://bucket/{uuid.uuid4().hex}/runs")


def test_an_object_is_found_by_its_whole_address(google: Bucketful) -> None:
    store = open_store("gs://bucket/songs/")
    store.put("one/a", b"1")
    assert google.objects["bucket", "songs/one/a"] == b"1"
    assert store.location("one/a") == "gs://bucket/songs/one/a"
    assert open_store("gs://bucket").at("songs/one").list() == {"a": 1}


def test_an_edge_inside_of_the_bytes_does_not_cut_them(store: Store) -> None:
    store.create("created", BOUNDARY * 3)
    store.put("put", BOUNDARY * 3)
    assert store.get("created") == store.get("put") == BOUNDARY * 3


def test_an_empty_object_is_there(store: Store) -> None:
    store.put("empty", b"")
    assert store.exists("empty")
    assert store.get("empty", limit=0) == b""


def test_names_are_listed_without_what_lies_below_them(google: Bucketful, store: Store) -> None:
    for index in range(20):
        store.put(f"song/blobs/{index}", b"x")
    google.requests.clear()
    assert store.children() == ("song",)
    assert len(google.requests) == 1


def test_a_service_that_is_busy_is_asked_again(google: Bucketful, store: Store) -> None:
    google.busy = 1
    store.create("a", b"1")
    assert store.get("a") == b"1"


def test_a_reply_that_got_lost_does_not_write_a_record_twice(
    google: Bucketful, store: Store
) -> None:
    with Journal.create(store, run_record(), retry_pause=0.0) as journal, journal.claimed():
        google.lost = 1
        journal.append("candidate", take=1)
        assert google.lost == 0
    again = Journal.open(store, "song")
    assert [event.type for event in again.events] == ["claim", "candidate", "release"]
    assert again.losses() == ()


def test_a_probe_whose_reply_got_lost_finds_its_own_object(google: Bucketful, store: Store) -> None:
    google.lost = 1
    assert store.probe().writers == "multi-writer"
    assert store.list() == {}


def test_the_records_of_a_run_are_read_several_at_once(google: Bucketful, store: Store) -> None:
    with Journal.create(store, run_record()) as journal, journal.claimed():
        for take in range(6):
            journal.append("candidate", take=take)
    keys = [record_key(seq) for seq in range(1, 9)]
    google.meeting = threading.Barrier(4, timeout=60)  # whoever comes alone waits in vain
    try:
        read = list(store.at("song").get_each(keys, limit=1 << 16))
    finally:
        google.meeting = None
    assert read == [store.at("song").get(key) for key in keys]
    assert len(Journal.open(store, "song").events) == len(keys)
    assert isinstance(next(store.get_each(["none"], limit=1)), NotFound)


def test_a_second_machine_fences_the_first(store: Store) -> None:
    with Journal.create(store, run_record()) as first:
        first.claim()
        first.append("candidate", take=1)
        with Journal.open(store, "song") as second, second.claimed(take_over=True):
            second.append("candidate", take=2)
            with pytest.raises(StorageError, match="took over run song"):
                first.append("candidate", take=3)
    takes = [event.fields["take"] for event in Journal.open(store, "song").events_of("candidate")]
    assert takes == [1, 2]


def test_a_bucket_that_is_missing_is_named(google: Bucketful) -> None:
    google.missing.add("nowhere")
    store = open_store("gs://nowhere/runs")
    with pytest.raises(StorageError, match="there is no bucket gs://nowhere") as caught:
        store.probe()
    assert caught.value.hint
    with pytest.raises(NotFound, match="no bucket of gs://nowhere/runs"):
        store.require()
    with pytest.raises(NotFound, match="no bucket of"):
        store.require_place()
    with pytest.raises(NotFound, match="no bucket of"):
        Journal.open(store, "song")


def test_a_bucket_without_a_run_is_a_store(google: Bucketful, store: Store) -> None:
    google.store("bucket", "other/object", b"x", create=False)
    store.require()
    store.require_place()
    assert list_runs(store) == ()
    assert store.list() == {}


def test_a_stranger_is_told_where_credentials_come_from(
    google: Bucketful, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    google.unknown = True
    try:
        with caplog.at_level(logging.DEBUG), pytest.raises(StorageError) as caught:
            store.probe()
    finally:
        google.unknown = False
    assert "is not allowed: Anonymous caller has no access" in caught.value.message
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(caught.value.hint)
    assert "\n" not in caught.value.message
    assert [record for record in caplog.records if record.name == "gcsfs"] == []


def test_an_object_that_may_not_be_read_is_named(google: Bucketful, store: Store) -> None:
    store.put("song/run.json", b"{}")
    google.refused.add(store.location("song/run.json").removeprefix("gs://bucket/"))
    with pytest.raises(StorageError, match=r"reading gs://.*song/run\.json is not allowed"):
        store.get("song/run.json")
    google.refused.clear()


def test_a_service_that_is_away_is_unavailable() -> None:
    with gcs_server() as server:
        pass
    with google_at(server), pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncio.sleep", _at_once)
        with pytest.raises(Unavailable, match="writing gs://bucket/runs/a got no answer"):
            open_store("gs://bucket/runs").create("a", b"1")


async def _at_once(seconds: float, result: object = None) -> object:
    return result
