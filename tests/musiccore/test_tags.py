"""Tags come back as written, other readers see them, and the samples stay as they are."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from musiccore.audio import Audio, pcm_sha256, read, write
from musiccore.errors import AudioError
from musiccore.tags import read_tags, write_tags

FORMATS = ("wav", "flac", "mp3")
LYRICS = (
    "Ein Männlein steht im Walde\nГде-то далеко\n春眠不覚暁\nשלום\n🎶 </script>\n\x1b[31mred\n"
    * 120
)
PROVENANCE = {
    "title": "Chorale in C – №1",
    "artist": "bach",
    "genre": "piano major",
    "licence": "Made by a model; free to use, CC0.",
    "software": "jukeflow 0.1.0",
    "lyrics": LYRICS,
    "seed": 2**63 - 1,
    "recipe_sha256": "ab" * 32,
    "model": "nano",
    "run": "2024-01-01-first-song",
    "options": {"temperature": [1.0, 0.98], "primer": None},
}


def clip(n: int = 16001, channels: int = 1) -> Audio:
    values = np.random.default_rng(3).uniform(-0.3, 0.3, (channels, n))
    return Audio(samples=values.astype(np.float32), sample_rate=16000)


@pytest.mark.parametrize("kind", FORMATS)
def test_tags_come_back_as_written(kind, tmp_path):
    tagged = write_tags(write(clip(), kind), PROVENANCE)
    (tmp_path / "song").write_bytes(tagged)
    for source in (tagged, tmp_path / "song", str(tmp_path / "song")):
        tags = read_tags(source)
        assert tags["format"] == kind
        assert tags["provenance"] == PROVENANCE
        for key in ("title", "artist", "genre", "licence", "software", "lyrics"):
            assert tags[key] == PROVENANCE[key]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("n", "channels"), [(16001, 1), (16000, 2), (1, 1), (7, 3)])
def test_samples_stay_as_they_are(kind, n, channels):
    if kind == "mp3" and channels > 2:
        pytest.skip("MP3 has two channels at most")
    plain = write(clip(n, channels), kind)
    tagged = write_tags(plain, PROVENANCE)
    assert np.array_equal(read(plain).samples, read(tagged).samples)
    if kind != "mp3":
        assert pcm_sha256(read(tagged)) == pcm_sha256(clip(n, channels))


@pytest.mark.parametrize("kind", FORMATS)
def test_tagging_is_repeatable_and_replaces(kind):
    plain = write(clip(), kind)
    once = write_tags(plain, PROVENANCE)
    assert write_tags(plain, dict(reversed(PROVENANCE.items()))) == once
    assert write_tags(write_tags(plain, {"title": "Old", "lyrics": "old"}), PROVENANCE) == once
    assert write_tags(once, PROVENANCE) == once


@pytest.mark.parametrize("kind", FORMATS)
def test_soundfile_reads_tagged_files(kind):
    tagged = io.BytesIO(write_tags(write(clip(), kind), PROVENANCE))
    with soundfile.SoundFile(tagged) as file:
        assert file.frames == 16001
        assert len(file.read()) == 16001
        assert file.title == PROVENANCE["title"]


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("kind", FORMATS)
def test_ffmpeg_reads_tagged_files(kind, tmp_path):
    path = tmp_path / f"song.{kind}"
    path.write_bytes(write_tags(write(clip(), kind), PROVENANCE))
    command = ["ffprobe", "-v", "error", "-show_format", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr == ""
    shown = json.loads(done.stdout)["format"]
    tags = {key.lower(): value for key, value in shown["tags"].items()}
    assert tags["title"] == PROVENANCE["title"]
    if kind == "wav":  # older ones do not look into the `id3 ` chunk
        assert json.loads(tags["comment"]) == {k: v for k, v in PROVENANCE.items() if k != "lyrics"}
    else:
        assert json.loads(tags["jukeflow_provenance"]) == PROVENANCE
    assert float(shown["duration"]) == pytest.approx(16001 / 16000, abs=0.15)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"],
        check=True,
        timeout=30,
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_a_strict_reader_agrees(kind):
    mutagen = pytest.importorskip("mutagen")
    tagged = mutagen.File(io.BytesIO(write_tags(write(clip(), kind), PROVENANCE)))
    if kind == "flac":
        assert tagged["title"] == [PROVENANCE["title"]]
        assert tagged["lyrics"] == [LYRICS]
        assert json.loads(tagged["jukeflow_provenance"][0]) == PROVENANCE
    else:
        assert tagged["TIT2"].text == [PROVENANCE["title"]]
        assert tagged.tags.getall("USLT")[0].text == LYRICS
        assert json.loads(tagged["TXXX:JUKEFLOW_PROVENANCE"].text[0]) == PROVENANCE


@pytest.mark.parametrize("kind", FORMATS)
def test_a_foreign_writer_is_understood(kind):
    mutagen = pytest.importorskip("mutagen")
    from mutagen.id3 import TIT2, TPE1, USLT

    buffer = io.BytesIO(write(clip(), kind))
    file = mutagen.File(buffer)
    if kind == "flac":
        file["Title"], file["ARTIST"], file["lyrics"] = "Häuser", "Někdo", "la\nla"
        buffer.seek(0)
        file.save(buffer)
    else:
        if file.tags is None:
            file.add_tags()
        for frame in (
            TIT2(encoding=1, text="Häuser"),
            TPE1(encoding=3, text="Někdo"),
            USLT(encoding=2, lang="deu", desc="x", text="la\nla"),
        ):
            file.tags.add(frame)
        buffer.seek(0)
        file.save(buffer, v2_version=3 if kind == "mp3" else 4)
    tags = read_tags(buffer.getvalue())
    assert (tags["title"], tags["artist"], tags["lyrics"]) == ("Häuser", "Někdo", "la\nla")
    assert "provenance" not in tags


def test_untagged_files_have_only_a_format():
    for kind in FORMATS:
        tags = read_tags(write(clip(), kind))
        assert tags["format"] == kind
        assert "provenance" not in tags
        assert "title" not in tags


@pytest.mark.parametrize("kind", FORMATS)
def test_odd_text_does_no_harm(kind):
    odd = {
        "title": "a\0b\ud800c",
        "artist": "",
        "lyrics": "\u202e\x1b[2J\n" + "x" * 100_001,
        "note": "\ud800\0",
    }
    tags = read_tags(write_tags(write(clip(), kind), odd))
    assert tags["provenance"] == odd
    assert tags["title"] == "a b?c"
    assert "artist" not in tags


def test_what_cannot_be_tagged_is_refused():
    with pytest.raises(AudioError, match="unknown data"):
        write_tags(b"hello", PROVENANCE)
    with pytest.raises(AudioError, match="JSON"):
        write_tags(write(clip(), "wav"), {"seed": float("nan")})
    with pytest.raises(AudioError, match="JSON"):
        write_tags(write(clip(), "wav"), {"seed": object()})
    with pytest.raises(AudioError, match="too long"):
        write_tags(write(clip(), "flac"), {"lyrics": "x" * 10_000_000})


def test_files_without_tags_to_read_are_refused(tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    for path in (tmp_path / "text.wav", tmp_path / "none.wav", tmp_path, "a\0b"):
        with pytest.raises(AudioError):
            read_tags(path)


def test_damaged_tags_never_raise_anything_else():
    random = np.random.default_rng(0)
    for kind in FORMATS:
        good = write_tags(write(clip(50), kind), {**PROVENANCE, "lyrics": "la"})
        for _ in range(300):
            bad = bytearray(good)
            for place in random.integers(0, len(bad), 4):
                bad[place] = random.integers(0, 256)
            cut = bytes(bad[: random.integers(1, len(bad))])
            for data in (bytes(bad), cut):
                with contextlib.suppress(AudioError):
                    read_tags(data)


def test_provenance_that_is_no_object_is_damage():
    tagged = write_tags(write(clip(), "mp3"), {"a": 1})
    with pytest.raises(AudioError, match="damaged"):
        read_tags(tagged.replace(b'{"a":1}', b"[1,2,3]"))


def test_wav_with_odd_data_chunk_stays_aligned():
    tagged = write_tags(write(clip(3), "wav"), {"title": "x"})
    assert struct.unpack("<I", tagged[4:8])[0] == len(tagged) - 8
    position = 12
    names = []
    while position < len(tagged):
        name, size = struct.unpack("<4sI", tagged[position : position + 8])
        names.append(name)
        position += 8 + size + size % 2
    assert position == len(tagged)
    assert names == [b"fmt ", b"data", b"LIST", b"id3 "]
