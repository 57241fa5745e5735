"""Tags go with the sound, from every format into every other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musiccore.conversion import KINDS, ConversionOptions, convert, find_ffmpeg
from musiccore.conversion.ffmetadata import foreign_tags
from musiccore.errors import AudioError
from musiccore.tags import read_tags, tag_file

SHOWN = {
    "title": "Şarkı 歌 🎵",
    "artist": "Öğretmen; a=b # c\\d",
    "album": "две строки",
    "comment": "first line\nsecond line",
}
LYRICS = "güneş 太陽 ☀️\n" * 1600  # over 20 000 characters
OTHERS = ("wma", "webm")  # ffmpeg alone reads and writes their tags


@pytest.fixture
def source(tmp_path) -> Path:
    t = np.arange(44100) / 44100
    soundfile.write(tmp_path / "a.flac", 0.3 * np.sin(2 * np.pi * 440 * t), 44100)
    tag_file(tmp_path / "a.flac", {**SHOWN, "lyrics": LYRICS, "seed": 7})
    return tmp_path / "a.flac"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (*OTHERS, "aac", "flac")])
def test_long_and_foreign_words_and_the_provenance_survive_there_and_back(source, kind) -> None:
    there, back = source.with_name(f"b.{kind}"), source.with_name("c.flac")
    first = convert(source, there, ConversionOptions(kind=kind))
    second = convert(there, back, ConversionOptions(kind="flac"))
    assert not [words for words in (*first.warnings, *second.warnings) if "tag" in words]
    for path in (there, back):
        tags = read_tags(path)
        assert {name: tags[name] for name in SHOWN} == SHOWN, path.name
        assert tags["lyrics"] == LYRICS
        assert tags["provenance"]["seed"] == 7
    conversions = read_tags(back)["provenance"]["conversions"]
    assert [entry["options"] for entry in conversions] == [{"kind": kind}, {"kind": "flac"}]
    assert soundfile.info(back).frames in (44100, 48000)


@pytest.mark.parametrize("kind", OTHERS)
def test_formats_of_ffmpeg_show_tags_and_keep_the_provenance_beside(source, kind) -> None:
    there, back = source.with_name(f"b.{kind}"), source.with_name("c.flac")
    result = convert(source, there, ConversionOptions(kind=kind))
    assert [words for words in result.warnings if f"they are in b.{kind}.json" in words]
    assert dict(foreign_tags(there, None).rows()).items() >= SHOWN.items()
    whole = json.loads(there.with_name(f"b.{kind}.json").read_text(encoding="utf-8"))
    assert (whole["lyrics"], whole["provenance"]["seed"]) == (LYRICS, 7)
    convert(there, back, ConversionOptions(kind="flac"))
    tags = read_tags(back)
    assert {name: tags[name] for name in SHOWN} == SHOWN
    assert (tags["lyrics"], tags["provenance"]["seed"]) == (LYRICS, 7)


def test_files_of_others_get_no_second_file(tmp_path) -> None:
    t = np.arange(48000) / 48000
    soundfile.write(tmp_path / "a.wav", 0.3 * np.sin(2 * np.pi * 440 * t), 48000)
    for kind in ("webm", "aac"):
        result = convert(tmp_path / "a.wav", tmp_path / f"a.{kind}", ConversionOptions(kind=kind))
        assert result.warnings == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.aac", "a.wav", "a.webm"]


def test_tags_and_sound_of_a_video_are_taken(tmp_path) -> None:
    film = tmp_path / "film.mkv"
    subprocess.run(
        [find_ffmpeg(None, "test"), "-v", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=64x64",
         "-f", "lavfi", "-i", "sine=440:d=1:r=48000", "-metadata", "title=Film 映画", film],
        check=True,
    )  # fmt: skip
    result = convert(film, tmp_path / "a.mp3", ConversionOptions(kind="mp3"))
    assert (result.source_kind, result.channels) == ("webm", 1)
    assert result.seconds == pytest.approx(1.0, abs=0.05)
    assert read_tags(tmp_path / "a.mp3")["title"] == "Film 映画"
    silent = tmp_path / "silent.mkv"
    subprocess.run(
        [find_ffmpeg(None, "test"), "-v", "error", "-i", film, "-an", "-c", "copy", silent],
        check=True,
    )  # fmt: skip
    with pytest.raises(AudioError, match=r"silent\.mkv' cannot be decoded"):
        convert(silent, tmp_path / "b.mp3", ConversionOptions(kind="mp3"))
