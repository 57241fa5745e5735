"""Converting many files: places, order, faults, and the memory of what was done."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from musiccore.audio.sound import Audio, sniff, write
from musiccore.conversion.batch_combine import Joining, Siding, combine_files, plan_combination
from musiccore.conversion.batch_convert import (
    Row,
    Unwatched,
    Watch,
    convert_files,
    find_news,
    memory_of,
    worker_count,
)
from musiccore.conversion.listing import plan_conversions
from musiccore.conversion.options import ConversionOptions
from musiccore.errors import ConfigError
from musiccore.storage.files import look
from musiccore.storage.places import parse_place
from musiccore.tags import tag_file
from musiccore.work.stop import Interrupted
from tests.contracts.gcs_server import gcs_server, google_at


def sound(path: Path, seconds: float = 0.2, frequency: float = 440.0) -> Path:
    t = np.arange(int(seconds * 16000)) / 16000
    wave = (0.3 * np.sin(2 * np.pi * frequency * t)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write(Audio(samples=wave[None], sample_rate=16000), "wav"))
    return path


@pytest.fixture
def album(tmp_path) -> Path:
    for name in ("1.wav", "sub/2.wav", "sub/3.wav"):
        sound(tmp_path / "album" / name)
    (tmp_path / "album" / "broken.wav").write_bytes(b"RIFF not really WAVE")
    return tmp_path / "album"


@pytest.fixture
def memory() -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def gs() -> Iterator[str]:
    with gcs_server() as server, google_at(server):
        yield f"gs://{uuid.uuid4().hex}"


def convert(source: str, kind: str, out: str, **how: object) -> list[Row]:
    listing = plan_conversions([source], kind, out)
    return convert_files(listing.conversions, ConversionOptions(kind=kind), **how)


def news(
    source: str, out: str, *, quiet: float = 0.0, watch: Watch | None = None, **how: object
) -> dict[str, str]:
    """Convert what is new; how each file ended."""
    listing = plan_conversions([source], "flac", out and f"{out}/", may_be_empty=True)
    options = ConversionOptions(kind="flac", **how)
    memory = memory_of(source, out)
    found = find_news(listing, memory, options, quiet)
    rows = convert_files(found.conversions, options, remember=memory, watch=watch)
    return {row["source"].split("/")[-1]: row["result"] for row in [*rows, *found.waiting]}


def test_rows_come_in_the_order_asked_for_and_a_fault_is_one_of_them(album) -> None:
    rows = convert(str(album), "flac", str(album.parent / "out"), jobs=4)
    names = [Path(row["source"]).name for row in rows]
    assert names == ["1.wav", "broken.wav", "2.wav", "3.wav"]
    assert [row["result"] for row in rows] == ["written", "failed", "written", "written"]
    assert rows[0]["format"] == "flac, 24 bit, 16000 Hz, mono"
    assert rows[1]["problem"] == "source"
    assert "broken.wav" in rows[1]["error"]
    left = sorted(p.name for p in (album.parent / "out").rglob("*"))
    assert left == ["1.flac", "2.flac", "3.flac", "sub"]


def test_file_that_breaks_the_program_is_a_row_too(album) -> None:
    class Breaks(Unwatched):
        def moved(self, index: int, fraction: float) -> None:
            if index == 0:
                raise ZeroDivisionError("odd")

    rows = convert(str(album / "sub"), "flac", "", watch=Breaks())
    assert [row["problem"] for row in rows] == ["fault", None]
    assert rows[0]["error"] == "ZeroDivisionError: odd"
    assert [path.name for path in album.rglob("*.flac")] == ["3.flac"]


@pytest.mark.parametrize("store", ["memory", "gs"])
def test_stores_are_read_and_written(store, album, request) -> None:
    root = request.getfixturevalue(store)
    up = convert(str(album / "sub"), "flac", f"{root}/a", jobs=2)
    assert [row["destination"] for row in up] == [f"{root}/a/2.flac", f"{root}/a/3.flac"]
    across = convert(f"{root}/a/**/*.flac", "ogg", f"{root}/b")
    assert [row["result"] for row in across] == ["written"] * 2
    (down,) = convert(f"{root}/b/2.ogg", "wav", f"file://{album}/back.wav")
    assert down["seconds"] == pytest.approx(0.2, abs=0.01)
    assert sniff((album / "back.wav").read_bytes()) == "wav"
    again = convert(str(album / "sub"), "flac", f"{root}/a")
    assert [row["result"] for row in again] == ["exists"] * 2


def test_error_of_a_store_names_its_address(memory) -> None:
    path = f"{memory.removeprefix('memory:/')}/bad.wav"
    MemoryFileSystem().pipe_file(path, b"RIFF nonsense")
    (row,) = convert(f"{memory}/bad.wav", "flac", f"{memory}/out")
    assert f"{memory}/bad.wav" in row["error"]
    assert "/tmp" not in row["error"]
    assert row["problem"] == "source"


def test_tags_that_a_format_cannot_hold_come_along_beside_it(tmp_path, memory) -> None:
    source = sound(tmp_path / "a.wav")
    tag_file(source, {"title": "Air", "licence": "CC0"})
    (row,) = convert(str(source), "aac", f"{memory}/b.aac")
    assert row["warnings"] == ["b.aac cannot hold tags; they are in b.aac.json"]
    path = f"{memory.removeprefix('memory:/')}/b.aac.json"
    assert json.loads(MemoryFileSystem().cat_file(path))["title"] == "Air"


def test_folder_that_cannot_be_written_is_the_destinations_fault(album) -> None:
    (row,) = convert(str(album / "1.wav"), "flac", str(album / "1.wav" / "x.flac"))
    assert row["problem"] == "destination"
    assert f"'{album}/1.wav/x.flac' cannot be written" in row["error"]


def test_files_get_the_rights_of_any_new_file(album) -> None:
    convert(str(album / "1.wav"), "flac", "")
    (album / "plain").touch()
    assert (album / "1.flac").stat().st_mode == (album / "plain").stat().st_mode


@pytest.mark.parametrize("store", ["folder", "memory"])
def test_second_look_finds_nothing_new_and_a_changed_file_is_news(store, album, request) -> None:
    source, out = str(album), str(album.parent / "out")
    if store == "memory":
        root = request.getfixturevalue("memory")
        convert(source, "wav", f"{root}/in")
        source, out = f"{root}/in", f"{root}/out"
        path = f"{root.removeprefix('memory:/')}/in/sub"
        change = sound(album / "other.wav", 0.5).read_bytes()
        rewrite = lambda: MemoryFileSystem().pipe_file(f"{path}/3.wav", change)  # noqa: E731
        everything = {"1.wav": "written", "2.wav": "written", "3.wav": "written"}
    else:
        rewrite = lambda: sound(album / "sub/3.wav", 0.5)  # noqa: E731
        everything = {"1.wav": "written", "broken.wav": "failed"}
        everything |= {"2.wav": "written", "3.wav": "written"}
    assert news(source, out) == everything
    assert news(source, out) == {}
    rewrite()
    assert news(source, out) == {"3.wav": "written"}
    assert news(source, out) == {}
    there = look(parse_place(f"{out}/sub/3.flac", "out"))
    assert there.size > look(parse_place(f"{out}/sub/2.flac", "out")).size


def test_memory_says_what_was_left_out_and_gives_a_mended_file_another_chance(album) -> None:
    out = str(album.parent / "out")
    news(str(album), out)
    listing = plan_conversions([str(album)], "flac", out)
    options = ConversionOptions(kind="flac")
    found = find_news(listing, memory_of(str(album), out), options, 0.0)
    assert found.notes == ("1 could not be read before and did not change.",)
    sound(album / "broken.wav")
    assert news(str(album), out) == {"broken.wav": "written"}


def test_other_options_make_everything_new(album) -> None:
    out = str(album.parent / "out")
    news(str(album / "sub"), out)
    assert news(str(album / "sub"), out, channels=2) == {"2.wav": "written", "3.wav": "written"}
    assert news(str(album / "sub"), out) == {"2.wav": "written", "3.wav": "written"}
    assert news(str(album / "sub"), out) == {}


def test_files_beside_their_sources_are_remembered_there(album) -> None:
    assert news(str(album / "sub" / "*.wav"), "") == {"2.wav": "written", "3.wav": "written"}
    assert news(str(album / "sub"), "") == {}
    assert news(str(album / "sub" / "2.wav"), "") == {}
    sound(album / "sub" / "2.wav", 0.5)
    assert news(str(album / "sub" / "2.wav"), "") == {"2.wav": "written"}


def test_lost_target_is_made_again_and_a_foreign_one_left_alone(album) -> None:
    out = album.parent / "out"
    out.mkdir()
    (out / "2.flac").write_bytes(b"mine")
    assert news(str(album / "sub"), str(out)) == {"2.wav": "exists", "3.wav": "written"}
    (out / "3.flac").unlink()
    assert news(str(album / "sub"), str(out)) == {"2.wav": "exists", "3.wav": "written"}
    assert (out / "2.flac").read_bytes() == b"mine"


def test_own_output_is_never_converted(album) -> None:
    (album / "broken.wav").unlink()
    assert set(news(str(album), "").values()) == {"written"}
    listing = plan_conversions([str(album)], "mp3", "")
    options = ConversionOptions(kind="mp3")
    found = find_news(listing, memory_of(str(album), ""), options, 0.0)
    sources = [Path(str(each.source.place)).name for each in found.conversions]
    assert sources == ["1.wav", "2.wav", "3.wav"]


def test_file_that_changed_lately_waits(album) -> None:
    old = (album / "1.wav").stat().st_mtime - 3600
    os.utime(album / "1.wav", (old, old))
    ended = news(str(album), str(album.parent / "out"), quiet=60)
    assert ended["1.wav"] == "written"
    assert ended["2.wav"] == ended["3.wav"] == "changing"


def test_file_that_grows_meanwhile_is_left_for_the_next_time(album) -> None:
    class Grows(Unwatched):
        def moved(self, index: int, fraction: float) -> None:
            with (album / "1.wav").open("ab") as file:
                file.write(b"more")

    out = album.parent / "out"
    assert news(str(album / "1.wav"), str(out), watch=Grows()) == {"1.wav": "changing"}
    assert not list(out.rglob("*.flac"))
    sound(album / "1.wav")
    assert news(str(album / "1.wav"), str(out)) == {"1.wav": "written"}


def test_empty_inbox_is_no_mistake(tmp_path, memory) -> None:
    (tmp_path / "inbox").mkdir()
    assert news(str(tmp_path / "inbox"), str(tmp_path / "out")) == {}
    assert news(f"{memory}/inbox", str(tmp_path / "out")) == {}
    with pytest.raises(ConfigError, match="does not exist"):
        news(str(tmp_path / "none"), str(tmp_path / "out"))


def test_signal_drops_what_is_begun_and_leaves_nothing(album, tmp_path) -> None:
    for n in range(6):
        sound(album / f"long-{n}.wav", seconds=200)
    begun = threading.Event()

    class Stops(Unwatched):
        def moved(self, index: int, fraction: float) -> None:
            if not begun.is_set():
                begun.set()
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        convert(str(album), "mp3", str(tmp_path / "out"), jobs=2, watch=Stops())
    assert not list(tmp_path.rglob(".*"))
    assert len(list((tmp_path / "out").rglob("*.mp3"))) < 4


def test_number_of_jobs_is_checked() -> None:
    assert worker_count(3, 2) == 2
    assert worker_count(0, 1000) >= 1
    for wrong in (-1, 65):
        with pytest.raises(ConfigError, match=f"jobs is {wrong}"):
            worker_count(wrong, 1)


def test_files_of_two_places_are_joined(album, memory) -> None:
    convert(str(album / "1.wav"), "flac", f"{memory}/1.flac")
    sources = [f"{memory}/1.flac", str(album / "sub" / "*.wav")]
    asked = plan_combination(
        sources, None, f"{memory}/all.ogg", Joining(crossfade=0.1), force=False
    )
    options = ConversionOptions(kind=asked.kind)
    row = combine_files(asked, options, force=False, watch=Unwatched())
    assert row["result"] == "written"
    assert row["seconds"] == pytest.approx(3 * 0.2 - 2 * 0.1, abs=0.01)
    assert look(asked.target).size > 0
    with pytest.raises(ConfigError, match=r"all\.ogg' exists"):
        plan_combination(sources, None, f"{memory}/all.ogg", Joining(), force=False)


def test_two_takes_become_left_and_right(album) -> None:
    asked = plan_combination(
        [str(album / "1.wav"), str(sound(album / "low.wav", frequency=110))],
        None,
        str(album / "wide.wav"),
        Siding(delays=(0.0, 20.0)),
        force=False,
    )
    row = combine_files(asked, ConversionOptions(kind="wav"), force=False, watch=Unwatched())
    assert (row["channels"], row["seconds"]) == (2, pytest.approx(0.22, abs=0.001))


@pytest.mark.parametrize(
    ("sources", "out", "how", "named"),
    [
        (["1.wav"], "x.flac", Joining(), "1 file is not enough to join"),
        (["1.wav"] * 4, "x.flac", Siding(), "4 files cannot be left, centre and right"),
        (["1.wav"] * 2, "x.flac", Siding(delays=(1.0,)), "delays: 1 numbers for 2 files"),
        (["1.wav", "none.wav"], "x.flac", Joining(), "source: 'none.wav' does not exist"),
        (["1.wav", "sub"], "x.flac", Joining(), "source: 'sub' is a folder"),
        (["1.wav", "sub/2.wav"], "1.wav", Joining(), "out: '1.wav' is one of the sources"),
        (["1.wav", "sub/2.wav"], "x", Joining(), "out: 'x' does not say which format"),
    ],
)
def test_combination_that_cannot_be_is_refused(
    album, monkeypatch, sources, out, how, named
) -> None:
    monkeypatch.chdir(album)
    with pytest.raises(ConfigError, match=named):
        plan_combination(sources, None, out, how, force=True)
