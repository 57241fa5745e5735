"""Files of any place: looked at, listed, brought here, published."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from musiccore.errors import AudioError, ConfigError, MissingProgram, NotFound, StorageError
from musiccore.storage import files
from musiccore.storage.files import (
    fetch,
    is_folder,
    look,
    names,
    publish,
    remove,
    walk,
    write_small,
)
from musiccore.storage.places import Place, parse_place
from musiccore.storage.scratch import PREFIX, remove_ownerless, scratch
from tests.contracts.gcs_server import Bucketful, gcs_server, google_at

LARGE = os.urandom(6 << 20)  # gcsfs uploads it in another way than small files


@pytest.fixture(scope="module")
def cloud() -> Iterator[Bucketful]:
    with gcs_server() as server, google_at(server):
        yield server


@pytest.fixture(params=["folder", "memory", "gs"])
def home(request, tmp_path) -> Place:
    if request.param == "folder":
        return Place("", str(tmp_path / "place"))
    if request.param == "gs":
        request.getfixturevalue("cloud")
    return parse_place(f"{request.param}://{uuid.uuid4().hex}/place", "home")


def nothing(fraction: float) -> None:
    """Go on."""


def put(place: Place, data: bytes, tmp_path: Path, *, force: bool = False) -> None:
    beside = place.local.parent if place.local else tmp_path
    with scratch(beside) as folder:
        (folder / "made").write_bytes(data)
        publish(folder / "made", place, force=force)


def test_published_file_is_found_listed_and_fetched(home, tmp_path) -> None:
    put(home.under("b #1.wav"), b"one\n--==0==", tmp_path)
    put(home.under("sub/a.wav"), LARGE, tmp_path)
    put(home.under("sub/.hidden"), b"x", tmp_path)
    found = list(walk(home, print))
    assert [(f.place.relative_to(home), f.size) for f in found] == [
        ("b #1.wav", 11),
        ("sub/a.wav", len(LARGE)),
    ]
    assert [look(each.place) for each in found] == found
    with scratch() as folder:
        assert fetch(found[1], folder, nothing).read_bytes() == LARGE
    assert is_folder(home)
    assert not is_folder(home.under("none"))
    assert look(home) is None
    assert look(home.under("none.wav")) is None


def test_name_that_is_taken_is_not_written_over(home, tmp_path) -> None:
    place = home.under("a.wav")
    put(place, b"mine", tmp_path)
    before = look(place)
    with pytest.raises(ConfigError, match=r"out: .*a\.wav' exists"):
        put(place, b"theirs", tmp_path)
    assert look(place) == before
    time.sleep(0.02)  # clocks of file systems tick slowly
    put(place, b"ours", tmp_path, force=True)
    after = look(place)
    assert after.size == 4
    assert after.version != before.version


def test_small_facts_are_written_named_and_removed(home) -> None:
    place = home.under(".jukeflow/a.json")
    assert names(place.parent) == ()
    write_small(place, b"{}")
    write_small(place, b"{}")
    assert names(place.parent) == ("a.json",)
    remove(place)
    remove(place)
    assert names(place.parent) == ()


def test_file_of_a_store_that_goes_away_is_not_found(home, tmp_path) -> None:
    put(home.under("a.wav"), b"x", tmp_path)
    found = look(home.under("a.wav"))
    remove(found.place)
    if home.scheme:
        with scratch() as folder, pytest.raises(NotFound, match=r"a\.wav' does not exist"):
            fetch(found, folder, nothing)


def test_pipe_is_copied(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    threading.Thread(target=(tmp_path / "pipe.wav").write_bytes, args=(LARGE,)).start()
    with scratch() as folder:
        copy = fetch(look(Place("", str(tmp_path / "pipe.wav"))), folder, nothing)
        assert copy.is_relative_to(folder)
        assert copy.read_bytes() == LARGE


def test_file_too_large_to_copy_is_refused_before(tmp_path, monkeypatch) -> None:
    place = parse_place(f"memory://{uuid.uuid4().hex}/a.wav", "home")
    put(place, b"12345", tmp_path)
    monkeypatch.setattr(files, "FETCH_LIMIT", 4)
    with scratch() as folder, pytest.raises(AudioError, match="has 5 bytes; at most 4"):
        fetch(look(place), folder, nothing)
    monkeypatch.undo()
    monkeypatch.setattr(files, "_SPARE", 1 << 60)
    with scratch() as folder, pytest.raises(AudioError, match="are free in") as caught:
        fetch(look(place), folder, nothing)
    assert "TMPDIR" in caught.value.hint


def test_copying_can_be_stopped(tmp_path) -> None:
    place = parse_place(f"memory://{uuid.uuid4().hex}/a.wav", "home")
    put(place, LARGE, tmp_path)

    def stop(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), scratch(tmp_path) as folder:
        fetch(look(place), folder, stop)
    assert list(tmp_path.iterdir()) == []


def test_library_that_is_missing_is_named() -> None:
    with pytest.raises(MissingProgram, match=r"s3:// needs a library .* s3fs"):
        look(Place("s3", "bucket/a.wav"))


def test_refusal_of_a_store_names_the_address(cloud) -> None:
    place = Place("gs", "locked/a.wav")
    cloud.store("locked", "a.wav", b"x", create=True)
    cloud.refused.add("a.wav")
    with scratch() as folder, pytest.raises(StorageError, match=r"reading gs://locked/a\.wav"):
        fetch(look(place), folder, nothing)
    cloud.refused.clear()


def test_file_that_cannot_be_written_is_said(tmp_path) -> None:
    (tmp_path / "made").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"none/a\.wav' cannot be written: No such file"):
        publish(tmp_path / "made", Place("", str(tmp_path / "none/a.wav")), force=False)


HOLD = """
import sys, time
from pathlib import Path
from musiccore.storage.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"half")
    print("here", flush=True)
    time.sleep(60)
"""


def test_folder_of_a_killed_process_is_removed_and_of_a_living_one_kept(tmp_path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"here\n"
        assert remove_ownerless(tmp_path / "out") == 0
        (left,) = (tmp_path / "out").glob(f"{PREFIX}*")
        assert (left / "files" / "half").exists()
        other.kill()
    assert remove_ownerless(tmp_path / "out") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_folder_made_in_vain_is_removed(tmp_path) -> None:
    with scratch(tmp_path / "deep" / "out"):
        assert (tmp_path / "deep" / "out").is_dir()
    assert list(tmp_path.iterdir()) == []
    with scratch(tmp_path / "deep" / "out") as folder:
        (folder / "a").touch()
        (folder / "a").rename(tmp_path / "deep" / "out" / "a")
    assert [p.name for p in (tmp_path / "deep" / "out").iterdir()] == ["a"]
