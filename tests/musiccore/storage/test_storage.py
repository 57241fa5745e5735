"""Stores: the shared suite on each backend, addresses and run ids, faults of the disk, races."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from musiccore.errors import ConfigError, Corrupt, NotFound, StorageError
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import new_run_id
from musiccore.storage.backends import LocalBackend
from musiccore.storage.run_ids import validate_run_id
from musiccore.storage.store import AlreadyExists, Store, open_store
from tests.contracts.store_faults import Faults
from tests.contracts.store_suite import StoreSuite

BAD_RUN_IDS: list[object] = [
    *("", ".", "..", "../x", "a/../b", "a/b", "a\\b", "/etc/passwd", "C:\\x", "~root", "a\0b"),
    *("a\n", "\na", "%2e%2e", "..%2f", "a\u202eb", "a\u200bb", "\uff41", "\u00e9", "A", "a" * 65),
    *("-rf", "a.", ".a", "con", "nul.txt", "com1", "lpt9.x", "aux.tar.gz", "a:b", "gs://x", "a?b"),
    *("a#1", "a*", "a[1]", "{x}", "$(id)", "`id`", "${HOME}", "{{7*7}}", "<script>", "a b", " "),
    *("\ufeffa", "a..b", "\ud800", "x" * 100_000, None, 1, True, 1.0, b"a", ["a"], {"a": 1}),
]
BAD_ROOTS: list[object] = [
    *("", " ", None, 1, b"runs", "//", "//host/x", "http://127.0.0.1:4200/api", "ftp://x/y"),
    *("http://169.254.169.254/latest", "simplecache::gs://b", "zip://x::file:///y", "data:,x"),
    *("s3://key:secret@b/x", "gs://user@b/x", "file://host/x", "file:x", "file:////x", "file://"),
    *("file:///a/../../etc/passwd", "../x", "a/../b", "gs://b/../../c", "gs://b/%2e%2e", "a\nb"),
    *(
        "FILE:///tmp/x",
        "Memory://x",
        "github://o:r@/x",
        "memory://",
        "memory:///x",
        "memory://a//b",
    ),
    *("x?y=1", "x#12", "file:///x?y", "a\\b", "C:\\x", "~root/x", "a\0b", "a\u202eb", "x" * 5000),
]


class TestLocalStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return open_store(tmp_path / "deep" / "runs")


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def store(self) -> Store:
        return open_store(f"memory://test-{uuid.uuid4().hex}/runs")


@pytest.mark.parametrize("run_id", BAD_RUN_IDS, ids=lambda value: ascii(value)[:20])
def test_bad_run_ids_are_refused_by_name(run_id: object) -> None:
    with pytest.raises(ConfigError, match=r"^run: ") as caught:
        validate_run_id(run_id)
    assert len(str(caught.value)) < 1200
    assert str(caught.value).isascii()


@pytest.mark.parametrize("run_id", ["a", "0", "song-1", "a.b_c-d", "a" * 64, "console", "nully"])
def test_good_run_ids_are_kept(run_id: str) -> None:
    assert validate_run_id(run_id) == run_id


def test_new_run_ids_are_good() -> None:
    run_id = new_run_id(GenerationRequest(title="Winter, again"))
    assert validate_run_id(run_id) == run_id


@pytest.mark.parametrize("root", BAD_ROOTS, ids=lambda value: ascii(value)[:20])
def test_bad_roots_are_refused_by_name(root: object) -> None:
    with pytest.raises(ConfigError, match=r"^store: "):
        open_store(root)


def test_credentials_in_an_address_are_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        open_store("s3://key:hunter2@bucket/x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("root", ["az://bucket/runs", "abfs://bucket"])
def test_clouds_without_a_store_say_when_they_come(root: str) -> None:
    with pytest.raises(StorageError, match="later release"):
        open_store(root)


def test_a_folder_has_three_spellings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for root in ("./runs", "runs", f"file://{tmp_path}/runs", tmp_path / "runs", "~/runs"):
        assert open_store(root).location() == str(tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_store_names_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = open_store(tmp_path / "file" / "runs")
    with pytest.raises(StorageError, match="file/runs") as caught:
        store.probe()
    assert caught.value.hint
    with pytest.raises(StorageError, match=r"cannot be written|does not exist|failed"):
        open_store("/proc/no-such-folder/runs").probe()


def test_a_pipe_or_link_in_place_of_an_object_is_corrupt(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/hostname")
    (tmp_path / "loop").symlink_to("loop")
    for key in ("pipe", "link", "loop"):
        with pytest.raises(Corrupt, match="not a regular file"):
            store.get(key)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        store.get("folder")


def test_old_temps_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for name, age in ((".tmp-old", 2 * 86400), (".tmp-new", 60)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert store.list() == {}
    assert store.remove_stale_temps() == 1
    assert [path.name for path in tmp_path.iterdir()] == [".tmp-new"]


@pytest.fixture(params=[(errno.ENOSPC, True), (errno.ENOSPC, False), (errno.EIO, False)])
def faults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Faults:
    number, forever = request.param
    return Faults(monkeypatch, number=number, forever=forever)


class InPlaceBackend(LocalBackend):
    """Negative control: what most programs do."""

    def replace(self, key: str, data: bytes) -> None:
        fd = os.open(self._path(key), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)


def _survives_every_fault(root: Path, store: Store, faults: Faults) -> bool:
    """Replace and create under a fault at every call; old or new content must be there, whole."""
    for at in range(1, 100):
        faults.arm(0)
        store.put("kept", b"old content")
        faults.arm(at)
        outcomes = []
        for write in (
            lambda: store.put("kept", b"new"),
            lambda n=at: store.create(f"log/{n}", b"record"),  # type: ignore[misc]
        ):
            try:
                write()
                outcomes.append(True)
            except StorageError:
                outcomes.append(False)
        fired = faults.fired
        faults.arm(0)
        kept = store.get("kept")
        record = store.get(f"log/{at}") if store.exists(f"log/{at}") else None
        if kept not in (b"old content", b"new") or record not in (None, b"record"):
            return False
        if (outcomes[0] and kept != b"new") or (outcomes[1] and record is None):
            return False
        if list(root.rglob(".tmp-*")):
            return False
        if not fired:
            return all(outcomes)
    return False


def test_a_fault_at_any_call_leaves_old_or_new_and_no_temp(tmp_path: Path, faults: Faults) -> None:
    assert _survives_every_fault(tmp_path, open_store(tmp_path), faults)


def test_saving_in_place_does_not_survive_the_faults(tmp_path: Path, faults: Faults) -> None:
    store = Store(InPlaceBackend(str(tmp_path)), writers="multi-writer")
    assert not _survives_every_fault(tmp_path, store, faults)


def test_a_full_disk_names_path_and_free_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(monkeypatch, number=errno.ENOSPC, forever=True)
    faults.arm(1)
    with pytest.raises(StorageError, match=r"full: writing 5 bytes to .*song/a failed, \d+ bytes"):
        open_store(tmp_path).put("song/a", b"12345")


def test_a_store_without_hard_links_is_refused_unless_single_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", no_link)
    with pytest.raises(StorageError, match="cannot make hard links"):
        open_store(tmp_path).probe()
    single = open_store(tmp_path, single_writer=True)
    assert single.probe().writers == "single-writer"
    single.create("a", b"1")
    with pytest.raises(AlreadyExists):
        single.create("a", b"2")
    assert single.list() == {"a": 1}


class ForgetfulBackend(LocalBackend):
    """A store that ignores the condition of a conditional write."""

    def create(self, key: str, data: bytes) -> None:
        self.replace(key, data)


def test_the_probe_refuses_a_store_that_lets_two_create(tmp_path: Path) -> None:
    store = Store(ForgetfulBackend(str(tmp_path)), writers="multi-writer")
    with pytest.raises(StorageError, match="two writers create one name"):
        store.probe()
    assert store.list() == {}


class NaiveBackend(LocalBackend):
    """Negative control: look, then write."""

    def create(self, key: str, data: bytes) -> None:
        if os.path.exists(self._path(key)):
            raise FileExistsError(key)
        time.sleep(0.001)
        self.replace(key, data)


def _race(backend: LocalBackend, *, rounds: int) -> Iterator[tuple[int, bool]]:
    """Yield per round how many of three processes created, and whether one's bytes are there."""
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(3)
    results = fork.SimpleQueue()

    def race(number: int) -> None:
        store = Store(backend, writers="multi-writer")
        for index in range(rounds):
            start.wait(timeout=30)
            try:
                store.create(f"log/{index}", b"%d" % number * 1000)
                results.put((index, number))
            except AlreadyExists:
                pass
        results.put(None)

    racers = [fork.Process(target=race, args=(number,)) for number in range(3)]
    for racer in racers:
        racer.start()
    won: dict[int, list[int]] = {index: [] for index in range(rounds)}
    running = len(racers)
    while running:
        result = results.get()
        if result is None:
            running -= 1
        else:
            won[result[0]].append(result[1])
    for racer in racers:
        racer.join()
    store = Store(backend, writers="multi-writer")
    for index, winners in won.items():
        content = store.get(f"log/{index}")
        yield len(winners), content in [b"%d" % number * 1000 for number in winners]


def test_exactly_one_of_three_processes_creates(tmp_path: Path) -> None:
    assert set(_race(LocalBackend(str(tmp_path)), rounds=40)) == {(1, True)}


def test_looking_before_writing_loses_the_race(tmp_path: Path) -> None:
    assert any(n > 1 for n, _ in _race(NaiveBackend(str(tmp_path)), rounds=40))


def test_a_missing_store_is_empty(tmp_path: Path) -> None:
    store = open_store(tmp_path / "none")
    assert store.list() == {}
    assert store.children() == ()
    with pytest.raises(NotFound):
        store.get("a")
    assert not (tmp_path / "none").exists()
