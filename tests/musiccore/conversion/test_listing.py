"""What becomes what: files, folders, patterns and addresses, before any work."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from musiccore.conversion.listing import Listing, plan_conversions
from musiccore.errors import ConfigError


@pytest.fixture(params=["folder", "memory"])
def home(request, tmp_path) -> str:
    """A folder of this machine, or one of a store."""
    return str(tmp_path) if request.param == "folder" else f"memory://{uuid.uuid4().hex}"


def put(home: str, *names: str) -> None:
    for name in names:
        if home.startswith("memory://"):
            MemoryFileSystem().pipe_file(f"{home.removeprefix('memory:/')}/{name}", b"x")
        else:
            path = Path(home, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")


def pairs(listing: Listing, home: str) -> dict[str, str]:
    def short(place: object) -> str:
        return str(place).removeprefix(f"{home}/")

    return {short(each.source.place): short(each.target) for each in listing.conversions}


def test_folder_keeps_its_shape(home) -> None:
    put(home, "in/a.wav", "in/sub/b.MP3", "in/sub/.hidden.wav", "in/.git/c.wav", "in/notes.txt")
    listing = plan_conversions([f"{home}/in"], "flac", f"{home}/out")
    assert pairs(listing, home) == {"in/a.wav": "out/a.flac", "in/sub/b.MP3": "out/sub/b.flac"}
    assert not listing.single


def test_pattern_takes_what_it_says_and_keeps_the_shape_below_it(home) -> None:
    put(home, "in/a.wav", "in/b.flac", "in/sub/deep/c.wav", "in/sub/d.txt")
    assert pairs(plan_conversions([f"{home}/in/**/*.wav"], "mp3", f"{home}/out"), home) == {
        "in/a.wav": "out/a.mp3",
        "in/sub/deep/c.wav": "out/sub/deep/c.mp3",
    }
    listing = plan_conversions([f"{home}/in/*"], "mp3", f"{home}/out")  # as a shell hands it over
    assert pairs(listing, home) == {
        "in/a.wav": "out/a.mp3",
        "in/b.flac": "out/b.mp3",
        "in/sub/deep/c.wav": "out/sub/deep/c.mp3",
    }
    with pytest.raises(ConfigError, match="source: nothing matches"):
        plan_conversions([f"{home}/in/*.ogg"], "mp3")


def test_name_that_looks_like_a_pattern_is_a_name(tmp_path) -> None:
    put(str(tmp_path), "take [1].wav", "take 1.wav")
    listing = plan_conversions([str(tmp_path / "take [1].wav")], "flac")
    assert pairs(listing, str(tmp_path)) == {"take [1].wav": "take [1].flac"}


def test_places_mix(tmp_path) -> None:
    store = f"memory://{uuid.uuid4().hex}"
    put(store, "x.wav")
    put(str(tmp_path), "in/y.wav", "z.aiff")
    sources = [f"{store}/x.wav", f"file://{tmp_path}/in", str(tmp_path / "z.aiff")]
    listing = plan_conversions(sources, "flac", f"{store}/out")
    assert [str(each.target) for each in listing.conversions] == [
        f"{store}/out/x.flac",
        f"{store}/out/y.flac",
        f"{store}/out/z.flac",
    ]


def test_files_of_one_name_both_get_their_own(home) -> None:
    put(home, "a.mp3", "a.wav", "b.wav")
    wanted = {"a.mp3": "a.mp3.flac", "a.wav": "a.wav.flac", "b.wav": "b.flac"}
    assert pairs(plan_conversions([home], "flac"), home) == wanted
    put(home, *wanted.values())  # done: the second time means the same
    assert pairs(plan_conversions([home], "flac"), home) == wanted


def test_output_is_never_a_source(home) -> None:
    put(home, "a.wav", "done/old.mp3", "done/a.flac", "b.flac")
    assert pairs(plan_conversions([home], "flac", f"{home}/done"), home) == {
        "a.wav": "done/a.flac",
        "b.flac": "done/b.flac",
    }
    assert "b.flac" not in pairs(plan_conversions([home], "flac"), home)


def test_destination_is_a_file_where_its_name_says_a_format(home) -> None:
    put(home, "a.wav")
    source = f"{home}/a.wav"
    for out, goal in [
        ("b.ogg", "b.ogg"), ("b", "b/a.ogg"), ("b.ogg/", "b.ogg/a.ogg"), ("v1.2", "v1.2/a.ogg"),
    ]:  # fmt: skip
        listing = plan_conversions([source], "ogg", f"{home}/{out}")
        assert pairs(listing, home) == {"a.wav": goal}
        assert listing.single
    assert plan_conversions([source], None, f"{home}/b.oga").conversions[0].kind == "ogg"
    assert plan_conversions([source], "opus", f"{home}/b.ogg").conversions[0].kind == "opus"
    assert pairs(plan_conversions([source], "rf64"), home) == {"a.wav": "a.rf64"}


@pytest.mark.parametrize(
    ("sources", "kind", "out", "named"),
    [
        (["missing.wav"], "flac", "", "source: .*missing.wav' does not exist"),
        (["empty"], "flac", "", "source: no audio file"),
        (["a.wav"], "xyz", "", "to: 'xyz' is unknown"),
        (["a.wav"], None, "b", "to: which format is wanted is not said"),
        (["a.wav"], None, "b.txt", "out: .*b.txt' does not say which format"),
        (["a.wav"], None, "mp3", "out: 'mp3' is a format, not a file"),
        (["a.wav"], "flac", "b.mp3", "out: 'b.mp3' ends like mp3, and --to is flac"),
        (["a.wav"], "wav", "", "out: .*a.wav' is the source itself"),
        (["a.wav"], "wav", "x/../a.wav", "is the source itself"),
        (["a.wav"], "wav", "link.wav", "is the source itself"),
        (["."], None, "all.flac", "out: .*all.flac' is one file, and several"),
        (["a.wav", "d/a.wav"], "flac", "out", "two files would get the same name"),
        (["http://x/a.wav"], "flac", "", "source: .* is an address that is not known here"),
        (["s3://key:hunter2@b/a.wav"], "flac", "", "source: the address holds credentials"),
        (["gs://b/../a.wav"], "flac", "", "source: .* is no file or folder of a store"),
        (["file:a"], "flac", "", "does not exist"),
        (["file://host/a"], "flac", "", "source: .* is no path"),
        ([""], "flac", "", "source: the address is empty"),
        ([], "flac", "", "source: nothing is named"),
    ],
)
def test_bad_request_names_its_field(tmp_path, monkeypatch, sources, kind, out, named) -> None:
    monkeypatch.chdir(tmp_path)
    put(".", "a.wav", "d/a.wav")
    Path("link.wav").symlink_to("a.wav")
    Path("empty").mkdir()
    Path("x").mkdir()
    with pytest.raises(ConfigError, match=named) as caught:
        plan_conversions(sources, kind, out)
    assert "hunter2" not in str(caught.value)


def test_folder_that_may_not_be_read_is_a_note(tmp_path, monkeypatch) -> None:
    put(str(tmp_path), "in/a.wav", "in/lost+found/b.wav")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = plan_conversions([str(tmp_path / "in")], "flac")
    assert len(listing.conversions) == 1
    assert "lost+found': Permission denied" in listing.notes[0]
