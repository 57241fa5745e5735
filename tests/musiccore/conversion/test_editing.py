"""Audio files to other audio files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musiccore.audio.sound import EXPORTS, Audio, sniff, write
from musiccore.conversion import ConversionOptions, format_of, write_file
from musiccore.conversion import convert as convert_file
from musiccore.conversion.memory import read
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


def convert(source: Path, target: Path, *, force: bool = False) -> None:
    convert_file(source, target, ConversionOptions(kind=format_of(target)), force=force)


@pytest.mark.parametrize("before", EXPORTS)
@pytest.mark.parametrize("after", EXPORTS)
def test_every_format_becomes_every_other(tmp_path, before, after) -> None:
    source = put(tmp_path / f"a.{before}")
    target = tmp_path / "out" / f"b.{after}"
    convert(source, target)
    assert sniff(target.read_bytes()) == after
    was, is_now = read(source), read(target)
    assert is_now.sample_rate == was.sample_rate
    assert is_now.n_samples == pytest.approx(was.n_samples, abs=1200)
    assert is_now.peak == pytest.approx(was.peak, abs=0.03)


def test_lossless_formats_keep_every_sample(tmp_path) -> None:
    source = put(tmp_path / "a.wav")
    for kind in ("flac", "aiff"):
        convert(source, tmp_path / f"a.{kind}")
        np.testing.assert_array_equal(read(tmp_path / f"a.{kind}").samples, read(source).samples)


def test_rate_that_mp3_cannot_hold_is_raised_to_the_next(tmp_path) -> None:
    source = put(tmp_path / "a.wav", sound(rate=96000))
    convert(source, tmp_path / "a.mp3")
    assert read(tmp_path / "a.mp3").sample_rate == 48000
    source = put(tmp_path / "b.wav", sound(rate=18000))
    convert(source, tmp_path / "b.mp3")
    assert read(tmp_path / "b.mp3").sample_rate == 22050


@pytest.mark.parametrize("after", ["wav", "flac", "mp3"])
def test_tags_come_along(tmp_path, after) -> None:
    source = put(tmp_path / "a.flac", title="Air", licence="CC0", seed=7)
    convert(source, tmp_path / f"b.{after}")
    tags = read_tags(tmp_path / f"b.{after}")
    assert tags["title"] == "Air"
    provenance = tags["provenance"]
    assert isinstance(provenance, dict)
    assert provenance.pop("conversions")[0]["options"] == {"kind": after}
    assert provenance == {"title": "Air", "licence": "CC0", "seed": 7}


def test_existing_file_is_not_written_over(tmp_path) -> None:
    source, target = put(tmp_path / "a.wav"), tmp_path / "a.flac"
    target.write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"a\.flac' exists"):
        convert(source, target)
    assert target.read_bytes() == b"mine"
    convert(source, target, force=True)
    assert sniff(target.read_bytes()) == "flac"


def test_file_never_becomes_itself(tmp_path) -> None:
    source = put(tmp_path / "a.wav")
    link = tmp_path / "b.wav"
    link.hardlink_to(source)
    for target in (source, link, tmp_path / "x" / ".." / "a.wav"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(ConfigError, match="the source itself"):
            convert(source, target, force=True)


def test_failed_write_leaves_nothing(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AudioError, match="cannot be written"):
        write_file(tmp_path / "file" / "a.wav", b"data")
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        write_file(tmp_path / "a.wav", b"data", force=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "file"]


def test_name_must_say_the_format() -> None:
    with pytest.raises(ConfigError, match="does not say which format"):
        format_of(Path("song"))
    with pytest.raises(ConfigError, match="does not say which format"):
        format_of(Path("song.xyz"))
    assert format_of(Path("song.AIF")) == "aiff"
