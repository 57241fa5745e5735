"""The run record and the manifest: bytes, limits, schemas, comparison of numerics."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from musiccore.errors import ConfigError, Corrupt, StorageError
from musiccore.journal.manifest import (
    Deliverable,
    Manifest,
    RunRecord,
    numerics_differences,
    refuse_differences,
)
from musiccore.storage.sealed import seal, unseal
from tests.contracts.store_suite import run_record

MANIFEST = Manifest(
    rng="philox4x64/v1",
    run_id="song",
    created="2026-01-31T18:45:12+00:00",
    request_sha256="0" * 64,
    seed=7,
    models={"top": "1" * 64},
    versions={"jukeflow": "0.1.0"},
    licence="made with weights of one's own",
    inputs={"codes.0": "2" * 64},
    outputs=(
        Deliverable(
            path="export/master.wav", kind="master", sha256="3" * 64, size=9, pcm_sha256="4" * 64
        ),
    ),
)
RELEASED_RUN_RECORD = (  # schema 1 as first released: must stay readable for ever
    b'{"body":{"created":"2026-01-31T18:45:12+00:00","models":{"top":"00"},"numerics":{"dtype":'
    b'"float32"},"request":{"seconds":12.0},"rng":"philox4x64/v1","run_id":"song","schema":1,'
    b'"seed":7,"title":"A song","versions":{"torch":"2.13.0"}},"sha256":'
    b'"1759eab69d09e50d1f9bebe17a4f5023feda60595bf996fbd6fca66ce9afa30a","v":1}'
)


def test_a_run_record_is_read_as_it_was_written() -> None:
    record = run_record(title="Ünïcode \u202e</script>", versions={"torch": "2.13.0"})
    assert RunRecord.from_bytes(record.to_bytes(), run_id="song") == record


def test_frozen_mappings_and_tuples_are_written_as_plain_json() -> None:
    record = run_record(request=MappingProxyType({"window_hop": (1, 2), "inner": {"a": None}}))
    again = RunRecord.from_bytes(record.to_bytes(), run_id="song")
    assert again.request == {"window_hop": [1, 2], "inner": {"a": None}}
    assert again.to_bytes() == record.to_bytes()


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, "1", True, None])
def test_a_seed_out_of_range_is_named(seed: object) -> None:
    with pytest.raises(ConfigError, match=r"^seed: "):
        run_record(seed=seed)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}, Path("x")])
def test_values_that_json_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="JSON"):
        run_record(request={"value": value}).to_bytes()


def test_a_huge_request_is_refused() -> None:
    with pytest.raises(ConfigError, match="the limit is"):
        run_record(request={"lyrics": "x" * 5_000_000}).to_bytes()


def test_the_record_of_another_run_is_refused() -> None:
    with pytest.raises(Corrupt, match="belongs to run 'song'"):
        RunRecord.from_bytes(run_record().to_bytes(), run_id="other")


def test_a_newer_schema_is_refused_with_its_version() -> None:
    body = unseal(run_record().to_bytes(), what="run.json")
    with pytest.raises(StorageError, match="schema 99, this program reads up to 1"):
        RunRecord.from_bytes(seal({**body, "schema": 99, "mood": "blue"}), run_id="song")
    for broken in ({**body, "mood": "blue"}, {**body, "seed": -1}, {**body, "schema": 0}):
        with pytest.raises(Corrupt):
            RunRecord.from_bytes(seal(broken), run_id="song")


def test_the_released_schema_stays_readable() -> None:
    record = RunRecord.from_bytes(RELEASED_RUN_RECORD, run_id="song")
    assert (record.title, record.seed, record.request) == ("A song", 7, {"seconds": 12.0})
    assert record.to_bytes() == RELEASED_RUN_RECORD


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"{}", b"[" * 100_000, b"\xff" * 9])
def test_bytes_that_are_no_record_are_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        RunRecord.from_bytes(data, run_id="song")
    with pytest.raises(Corrupt):
        Manifest.from_bytes(data)


def test_equal_numerics_differ_in_nothing() -> None:
    in_force = run_record().numerics_in_force()
    assert in_force == {
        "rng": "philox4x64/v1",
        "dtype": "float32",
        "device": "cpu",
        "models.top": "0" * 64,
    }
    assert numerics_differences(in_force, dict(reversed(in_force.items()))) == ()
    refuse_differences("song", ())


def test_each_differing_field_is_named_with_both_values() -> None:
    differences = numerics_differences({"a": 1, "b": [1, 2], "c": True}, {"b": [1, 3], "c": 1})
    assert [item.field for item in differences] == ["a", "b", "c"]
    with pytest.raises(ConfigError, match=r"a \(the run has 1, here it is None\), b .*, c ") as e:
        refuse_differences("song", differences)
    assert e.value.hint


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.from_bytes(MANIFEST.to_bytes()) == MANIFEST
    body = unseal(MANIFEST.to_bytes(), what="manifest")
    with pytest.raises(StorageError, match="schema 2"):
        Manifest.from_bytes(seal({**body, "schema": 2}))
    for broken in (
        {**body, "extra": 1},
        {**body, "outputs": [{"path": 1}]},
        {**body, "outputs": 0},
    ):
        with pytest.raises(Corrupt):
            Manifest.from_bytes(seal(broken))
