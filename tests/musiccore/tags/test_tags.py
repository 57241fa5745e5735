"""Tags come back as written, other readers see them, and the samples stay as they are."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from musiccore.audio.sound import Audio, pcm_sha256
from musiccore.errors import AudioError
from musiccore.tags import read_tags, write_tags

CONTAINERS = {
    "wav": ("WAV", "PCM_24"),
    "rf64": ("RF64", "PCM_24"),
    "w64": ("W64", "PCM_24"),
    "flac": ("FLAC", "PCM_24"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "aiff": ("AIFF", "PCM_24"),
    "caf": ("CAF", "PCM_24"),
    "au": ("AU", "PCM_24"),
}
FORMATS = tuple(CONTAINERS)
LOSSY = ("mp3", "ogg", "opus")
WITHOUT_TITLE = ("w64", "au")  # libsndfile shows no texts of these
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
    "album": "Ağustos böceği 🦗",
    "date": "2026-02-03",
    "track": "3/12",
    "comment": "第一の歌",
}
SHOWN = (
    *("title", "artist", "album", "date", "genre", "track", "comment"),
    *("licence", "software", "lyrics"),
)


def clip(n: int = 16001, channels: int = 1) -> Audio:
    values = np.random.default_rng(3).uniform(-0.3, 0.3, (channels, n))
    return Audio(samples=values.astype(np.float32), sample_rate=16000)


def write(audio: Audio, kind: str) -> bytes:
    container, subtype = CONTAINERS[kind]
    whole = kind not in LOSSY  # the upper 24 of 32 bits, so that nothing is rounded
    scaled = np.rint(audio.samples.T.astype(np.float64) * (1 << 23)).astype(np.int32) << 8
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", audio.sample_rate, audio.n_channels, subtype, format=container
    ) as file:
        file.write(scaled if whole else audio.samples.T)
    return buffer.getvalue()


def read(data: bytes) -> Audio:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        samples = np.ascontiguousarray(file.read(dtype="float32", always_2d=True).T)
        return Audio(samples=samples, sample_rate=file.samplerate)


@pytest.mark.parametrize("kind", FORMATS)
def test_tags_come_back_as_written(kind, tmp_path):
    tagged = write_tags(write(clip(), kind), PROVENANCE)
    (tmp_path / "song").write_bytes(tagged)
    for source in (tagged, tmp_path / "song", str(tmp_path / "song")):
        tags = read_tags(source)
        assert tags["format"] == ("wav" if kind == "rf64" else kind)
        assert tags["provenance"] == PROVENANCE
        assert {key: tags[key] for key in SHOWN} == {key: PROVENANCE[key] for key in SHOWN}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("n", "channels"), [(16001, 1), (16000, 2), (1, 1), (7, 3)])
def test_samples_stay_as_they_are(kind, n, channels):
    channels = min(channels, 2) if kind == "mp3" else channels
    plain = write(clip(n, channels), kind)
    tagged = write_tags(plain, PROVENANCE)
    assert np.array_equal(read(plain).samples, read(tagged).samples)
    if kind not in LOSSY:
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
        assert file.title == ("" if kind in WITHOUT_TITLE else PROVENANCE["title"])


def ffmpeg(*arguments: str) -> bytes:
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    done = subprocess.run([program, "-v", "error", *arguments], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@pytest.mark.parametrize("kind", FORMATS)
def test_ffmpeg_reads_tagged_files(kind, tmp_path):
    audio = clip(16000)  # it complains of the pad byte of an odd AIFF, tagged or not
    path, plain = tmp_path / f"song.{kind}", tmp_path / f"plain.{kind}"
    plain.write_bytes(write(audio, kind))
    path.write_bytes(write_tags(plain.read_bytes(), PROVENANCE))
    sound = [ffmpeg("-xerror", "-i", str(p), "-f", "f32le", "-") for p in (plain, path)]
    assert len(sound[0]) > 0
    assert sound[0] == sound[1]
    place = ("-map_metadata", "0:s:0") if kind in ("ogg", "opus") else ()
    shown = ffmpeg("-i", str(path), *place, "-f", "ffmetadata", "-").decode().lower()
    if kind != "w64":  # it reads no texts there
        assert f"title={PROVENANCE['title']}".lower() in shown
        assert f"album={PROVENANCE['album']}".lower() in shown


@pytest.mark.parametrize(
    "kind", [kind for kind in FORMATS if kind not in ("rf64", "w64", "caf", "au")]
)
def test_a_strict_reader_agrees(kind):
    mutagen = pytest.importorskip("mutagen")
    tagged = mutagen.File(io.BytesIO(write_tags(write(clip(), kind), PROVENANCE)))
    if kind in ("flac", "ogg", "opus"):
        assert tagged["title"] == [PROVENANCE["title"]]
        assert tagged["tracknumber"] == [PROVENANCE["track"]]
        assert tagged["lyrics"] == [LYRICS]
        assert json.loads(tagged["jukeflow_provenance"][0]) == PROVENANCE
    else:
        assert tagged["TIT2"].text == [PROVENANCE["title"]]
        assert str(tagged["TDRC"]) == PROVENANCE["date"]
        assert tagged.tags.getall("USLT")[0].text == LYRICS
        assert json.loads(tagged["TXXX:JUKEFLOW_PROVENANCE"].text[0]) == PROVENANCE


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "aiff", "ogg", "opus"])
def test_a_foreign_writer_is_understood(kind):
    mutagen = pytest.importorskip("mutagen")
    from mutagen.id3 import TIT2, TPE1, USLT

    buffer = io.BytesIO(write(clip(), kind))
    file = mutagen.File(buffer)
    if kind in ("flac", "ogg", "opus"):
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
    with pytest.raises(AudioError, match="unknown data"):
        write_tags(b"", PROVENANCE)
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
        for _ in range(100):
            bad = bytearray(good)
            for place in random.integers(0, len(bad), 4):
                bad[place] = random.integers(0, 256)
            cut = bytes(bad[: random.integers(1, len(bad))])
            for data in (bytes(bad), cut):
                with contextlib.suppress(AudioError):
                    read_tags(data)
                with contextlib.suppress(AudioError):
                    write_tags(data, PROVENANCE)


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
