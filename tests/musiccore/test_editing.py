"""Audio files to other audio files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musiccore.audio import EXPORTS, Audio, read, sniff, write
from musiccore.editing import (
    Conversion,
    ConversionOptions,
    format_of,
    plan_conversions,
    write_file,
)
from musiccore.editing import convert as convert_file
from musiccore.errors import AudioError, ConfigError
from musiccore.tags import read_tags, write_tags


def sound(rate: int = 44100, channels: int = 2, seconds: float = 0.2) -> Audio:
    t = np.arange(int(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 440 * t)
    return Audio(samples=np.tile(wave, (channels, 1)).astype(np.float32), sample_rate=rate)


def put(path: Path, audio: Audio | None = None, **tags: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = write(audio or sound(), format_of(path))
    path.write_bytes(write_tags(data, tags) if tags else data)
    return path


def one(source: Path, target: Path) -> Conversion:
    return Conversion(source=source, target=target, kind=format_of(target))


def convert(each: Conversion, *, force: bool = False) -> None:
    convert_file(each.source, each.target, ConversionOptions(kind=each.kind), force=force)


@pytest.mark.parametrize("before", EXPORTS)
@pytest.mark.parametrize("after", EXPORTS)
def test_every_format_becomes_every_other(tmp_path, before, after) -> None:
    source = put(tmp_path / f"a.{before}")
    target = tmp_path / "out" / f"b.{after}"
    convert(one(source, target))
    assert sniff(target.read_bytes()) == after
    was, is_now = read(source), read(target)
    assert is_now.sample_rate == was.sample_rate
    assert is_now.n_samples == pytest.approx(was.n_samples, abs=1200)
    assert is_now.peak == pytest.approx(was.peak, abs=0.03)


def test_lossless_formats_keep_every_sample(tmp_path) -> None:
    source = put(tmp_path / "a.wav")
    for kind in ("flac", "aiff"):
        convert(one(source, tmp_path / f"a.{kind}"))
        np.testing.assert_array_equal(read(tmp_path / f"a.{kind}").samples, read(source).samples)


def test_rate_that_mp3_cannot_hold_is_raised_to_the_next(tmp_path) -> None:
    source = put(tmp_path / "a.wav", sound(rate=96000))
    convert(one(source, tmp_path / "a.mp3"))
    assert read(tmp_path / "a.mp3").sample_rate == 48000
    source = put(tmp_path / "b.wav", sound(rate=18000))
    convert(one(source, tmp_path / "b.mp3"))
    assert read(tmp_path / "b.mp3").sample_rate == 22050


@pytest.mark.parametrize("after", ["wav", "flac", "mp3"])
def test_tags_come_along(tmp_path, after) -> None:
    source = put(tmp_path / "a.flac", title="Air", licence="CC0", seed=7)
    convert(one(source, tmp_path / f"b.{after}"))
    tags = read_tags(tmp_path / f"b.{after}")
    assert tags["title"] == "Air"
    assert tags["provenance"] == {"title": "Air", "licence": "CC0", "seed": 7}


def test_existing_file_is_not_written_over(tmp_path) -> None:
    source, target = put(tmp_path / "a.wav"), tmp_path / "a.flac"
    target.write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"a\.flac' exists"):
        convert(one(source, target))
    assert target.read_bytes() == b"mine"
    convert(one(source, target), force=True)
    assert sniff(target.read_bytes()) == "flac"


def test_file_never_becomes_itself(tmp_path) -> None:
    source = put(tmp_path / "a.wav")
    link = tmp_path / "b.wav"
    link.hardlink_to(source)
    for target in (source, link, tmp_path / "x" / ".." / "a.wav"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(ConfigError, match="the source itself"):
            plan_conversions(source, "wav", target)
        with pytest.raises(ConfigError, match="the source itself"):
            convert(one(source, target), force=True)


def test_failed_write_leaves_nothing(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AudioError, match="cannot be written"):
        write_file(tmp_path / "file" / "a.wav", b"data")
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        write_file(tmp_path / "a.wav", b"data", force=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "file"]


def test_folder_keeps_its_shape(tmp_path) -> None:
    for name in ("a.wav", "sub/b.mp3", "sub/.hidden.wav", "notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    planned = plan_conversions(tmp_path / "in", "flac", tmp_path / "out")
    assert [p.target.relative_to(tmp_path / "out").as_posix() for p in planned] == [
        "a.flac",
        "sub/b.flac",
    ]


def test_files_of_one_name_do_not_collide(tmp_path) -> None:
    for name in ("a.mp3", "a.wav"):
        (tmp_path / name).write_bytes(b"x")
    planned = plan_conversions(tmp_path, "flac", None)
    assert [p.target.name for p in planned] == ["a.flac", "a.wav.flac"]


def test_files_that_are_already_converted_are_not_converted_again(tmp_path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "old.mp3").write_bytes(b"x")
    planned = plan_conversions(tmp_path, "flac", tmp_path / "done")
    assert [p.source.name for p in planned] == ["a.wav"]
    (tmp_path / "b.flac").write_bytes(b"x")
    assert "b.flac" not in [p.source.name for p in plan_conversions(tmp_path, "flac", None)]


@pytest.mark.parametrize(
    ("source", "kind", "named"),
    [
        ("missing.wav", "flac", "source: .*missing.wav' does not exist"),
        ("empty", "flac", "source: no audio file"),
        ("a.wav", "xyz", "to: 'xyz' is unknown"),
    ],
)
def test_bad_request_names_its_field(tmp_path, source, kind, named) -> None:
    put(tmp_path / "a.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=named):
        plan_conversions(tmp_path / source, kind, None)


def test_name_must_say_the_format() -> None:
    with pytest.raises(ConfigError, match="does not say which format"):
        format_of(Path("song"))
    with pytest.raises(ConfigError, match="does not say which format"):
        format_of(Path("song.xyz"))
    assert format_of(Path("song.AIF")) == "aiff"
