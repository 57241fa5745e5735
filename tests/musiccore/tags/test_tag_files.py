"""Tags of files on disk: copied between all formats, in place, in parts, read in old forms."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import subprocess
import zlib

import numpy as np
import pytest
import soundfile

from musiccore.errors import AudioError
from musiccore.tags import copy_tags, load_tags, read_tags, save_tags, tag_file, write_tags
from musiccore.tags.fields import Tags
from musiccore.tags.names import VORBIS

KINDS = {
    "wav": ("WAV", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "aiff": ("AIFF", "PCM_16"),
    "caf": ("CAF", "ALAC_16"),
    "au": ("AU", "PCM_16"),
    "m4a": ("", ""),
}
LYRICS = ("Çağlayan ırmak, şöyle güzel\n春眠不覚暁 🎶\n" * 800)[:20_000]
SHOWN = {
    "title": "Ağustos böceği",
    "artist": "歌手",
    "album": "Albüm 🎶",
    "date": "2026-02-03",
    "genre": "halk",
    "track": "3/12",
    "comment": "iyi",
    "licence": "CC0",
    "software": "jukeflow 0.1.0",
    "lyrics": LYRICS,
}
PROVENANCE = {**SHOWN, "seed": 7, "run": "song"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, bytes]:
    """One short clip in every format."""
    samples = np.random.default_rng(1).uniform(-0.3, 0.3, 12_000).astype(np.float32)
    found = {}
    for kind, (container, subtype) in KINDS.items():
        if container:
            buffer = io.BytesIO()
            soundfile.write(buffer, samples, 48_000, format=container, subtype=subtype)
            found[kind] = buffer.getvalue()
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    folder = tmp_path_factory.mktemp("m4a")
    (folder / "a.wav").write_bytes(found["wav"])
    command = [program, "-v", "error", "-i", str(folder / "a.wav"), "-movflags", "+faststart"]
    subprocess.run([*command, str(folder / "a.m4a")], check=True, timeout=60)
    return {**found, "m4a": (folder / "a.m4a").read_bytes()}


def shown(tags: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in tags.items() if name in SHOWN}


@pytest.mark.parametrize("there", KINDS)
def test_tags_survive_every_conversion(plain, there, tmp_path):
    here = list(KINDS)[list(KINDS).index(there) - 4]  # every format is a source and a target
    source, target = tmp_path / f"a.{here}", tmp_path / f"b.{there}"
    source.write_bytes(write_tags(plain[here], PROVENANCE))
    target.write_bytes(write_tags(plain[there], {"title": "old", "note": "gone"}))
    assert copy_tags(source, target, extra={"conversion": {"kind": there}}) == ()
    tags = read_tags(target)
    assert tags["provenance"] == {**PROVENANCE, "conversions": [{"kind": there}]}
    assert shown(tags) == SHOWN
    copy_tags(target, source, extra={"conversion": {"kind": here}, "album": "Other"})
    tags = read_tags(source)
    assert tags["provenance"]["conversions"] == [{"kind": there}, {"kind": here}]
    assert shown(tags) == {**SHOWN, "album": "Other"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{here}", f"b.{there}"]


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "m4a", "caf", "au"])
def test_every_field_that_has_a_name_of_its_own_comes_back(plain, kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    numbered = {"track", "disc", "track_total", "disc_total"}
    fields = {name: ("7",) if name in numbered else (f"a {name}",) for name in VORBIS}
    for name in sorted(numbered) if kind == "m4a" else ():  # each without the other
        path.write_bytes(plain[kind])
        save_tags(path, Tags(fields={name: ("7",)}))
        assert load_tags(path).tags.fields[name] == ("7",)
    path.write_bytes(plain[kind])
    assert save_tags(path, Tags(fields=fields)) == ()
    found = dict(load_tags(path).tags.fields)
    if kind in ("mp3", "m4a"):  # which hold number and total in one
        wanted = {**fields, "track": ("7/7",), "disc": ("7/7",)}
        fields = {
            name: wanted[name] for name in wanted if name not in ("track_total", "disc_total")
        }
    assert found == fields


def test_frames_of_itunes_are_texts_and_its_sizes_are_believed(plain, tmp_path):
    frames = [(b"TIT2", b"\3" + b"x" * 300), (b"MVNM", b"\3Mov"), (b"MVIN", b"\x031/3")]
    frames.append((b"GRP1", b"\3Group"))
    body = b"".join(name + struct.pack(">I", len(text)) + b"\0\0" + text for name, text in frames)
    head = b"ID3\4\0\0" + struct.pack(">I", len(body) >> 7 << 8 | len(body) & 127)
    (tmp_path / "a.mp3").write_bytes(head + body + plain["mp3"])
    assert load_tags(tmp_path / "a.mp3").tags.fields == {
        "title": ("x" * 300,), "movement_name": ("Mov",), "movement_number": ("1/3",),
        "grouping": ("Group",),
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_file_on_disk_is_the_same_as_bytes(plain, kind, tmp_path):
    path = tmp_path / "song"
    path.write_bytes(write_tags(plain[kind], {"title": "a longer one", "lyrics": "la " * 5000}))
    tag_file(path, PROVENANCE)
    assert path.read_bytes() == write_tags(plain[kind], PROVENANCE)


@pytest.mark.parametrize("kind", ["ogg", "opus"])
@pytest.mark.parametrize("length", [8_000, 64_900, 65_025, 300_000])
def test_comment_over_many_pages_is_read_everywhere(plain, kind, length):
    mutagen = pytest.importorskip("mutagen")
    tagged = write_tags(plain[kind], {"comment": "ş" * (length // 2)})
    with soundfile.SoundFile(io.BytesIO(tagged)) as file:
        assert len(file.comment) == length // 2
        assert file.frames == 12_000
        samples = file.read()
    assert np.array_equal(samples, soundfile.read(io.BytesIO(plain[kind]))[0])
    assert len(mutagen.File(io.BytesIO(tagged))["comment"][0]) == length // 2


def test_tags_of_mp4_are_read_by_others_and_sound_is_where_it_was(plain, tmp_path):
    mutagen = pytest.importorskip("mutagen")
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    sound = []
    for name, data in (("a", plain["m4a"]), ("b", write_tags(plain["m4a"], PROVENANCE))):
        (tmp_path / f"{name}.m4a").write_bytes(data)
        command = [program, "-v", "error", "-xerror", "-i", str(tmp_path / f"{name}.m4a")]
        done = subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        sound.append(done.stdout)
    assert sound[0] == sound[1]
    tags = mutagen.File(tmp_path / "b.m4a").tags
    assert tags["\xa9nam"] == [SHOWN["title"]]
    assert tags["\xa9lyr"] == [LYRICS]
    assert tags["trkn"] == [(3, 12)]
    assert json.loads(tags["----:jukeflow:JUKEFLOW_PROVENANCE"][0]) == PROVENANCE


def test_format_without_tags_gets_a_file_beside_it(plain, tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "b.webm"
    source.write_bytes(write_tags(plain["wav"], PROVENANCE))
    target.write_bytes(b"\x1a\x45\xdf\xa3 not really")
    (warning,) = copy_tags(source, target)
    assert "b.webm.json" in warning
    beside = json.loads((tmp_path / "b.webm.json").read_text())
    assert beside == {**SHOWN, "provenance": PROVENANCE}
    assert target.read_bytes() == b"\x1a\x45\xdf\xa3 not really"


def test_source_without_tags_changes_nothing(plain, tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "b.flac"
    source.write_bytes(plain["w64"])
    target.write_bytes(plain["flac"])
    assert copy_tags(source, target) == ()
    assert target.read_bytes() == plain["flac"]


def test_damaged_tags_are_left_behind_with_a_warning(plain, tmp_path):
    source, target = tmp_path / "a.flac", tmp_path / "b.flac"
    source.write_bytes(plain["flac"][:60])
    target.write_bytes(plain["flac"])
    (warning,) = copy_tags(source, target)
    assert "damaged" in warning
    tagged = write_tags(plain["wav"], {"title": "x"})
    source.write_bytes(tagged.replace(b'{"title":"x"}', b'["title","x"]'))
    (warning,) = copy_tags(source, target)
    assert "provenance is damaged" in warning
    assert read_tags(target)["title"] == "x"
    with pytest.raises(AudioError, match="does not exist"):
        copy_tags(tmp_path / "none", target)


def test_pictures_come_along(plain, tmp_path):
    mutagen = pytest.importorskip("mutagen")
    from mutagen.id3 import APIC, TIT2

    source, target = tmp_path / "a.mp3", tmp_path / "b.flac"
    source.write_bytes(plain["mp3"])
    target.write_bytes(plain["flac"])
    file = mutagen.File(source)
    file.add_tags()
    file.tags.add(APIC(encoding=3, mime="image/png", type=3, desc="", data=b"x" * 100_000))
    file.tags.add(TIT2(encoding=3, text="Song"))
    file.save()
    assert copy_tags(source, target) == ()
    assert read_tags(target)["title"] == "Song"
    (picture,) = mutagen.File(target).pictures
    assert (picture.data, picture.mime, picture.type) == (b"x" * 100_000, "image/png", 3)


def test_large_file_is_tagged_in_place_and_in_little_memory(tmp_path):
    path, gigabytes = tmp_path / "long.wav", 3 << 30
    size = struct.pack("<I", gigabytes)
    with path.open("wb") as file:  # sparse: it takes no room
        file.write(b"RIFF" + struct.pack("<I", gigabytes + 36) + b"WAVEfmt \x10\0\0\0")
        file.write(struct.pack("<HHIIHH", 1, 2, 48_000, 192_000, 4, 16) + b"data" + size)
        file.truncate(44 + gigabytes)
    before, node = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, path.stat().st_ino
    tag_file(path, PROVENANCE)
    assert read_tags(path)["provenance"] == PROVENANCE
    assert path.stat().st_ino == node
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    tag_file(path, {"title": "short"})
    assert path.stat().st_size < 44 + gigabytes + 1000


def test_wav_that_would_be_too_large_is_refused(tmp_path):
    path, size = tmp_path / "long.wav", (1 << 32) - 60
    with path.open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\xffWAVEdata" + struct.pack("<I", size))
        file.truncate(20 + size)
    with pytest.raises(AudioError, match="4 GiB"):
        tag_file(path, PROVENANCE)
    assert path.stat().st_size == 20 + size
    assert os.listdir(tmp_path) == ["long.wav"]


# ------------------------------------------------------------------------- ID3 in all its forms


def synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def tag(version: int, flags: int, body: bytes) -> bytes:
    return b"ID3" + bytes([version, 0, flags]) + synchsafe(len(body)) + body


def frame(name: str, body: bytes, *, version: int = 3, flags: int = 0) -> bytes:
    if version == 2:
        return name.encode() + len(body).to_bytes(3, "big") + body
    size = synchsafe(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name.encode() + size + bytes([0, flags]) + body


UTF16 = b"\x01" + "ÿ Ağ".encode("utf-16")  # holds FF FE, which unsynchronisation takes apart
OLD_TAGS = {
    "version 2.2": (tag(2, 0, frame("TT2", b"\x00Song", version=2)), {"title": "Song"}),
    "version 2.2, comment": (
        tag(2, 0, frame("COM", b"\x00eng\x00Hi", version=2) + frame("TCO", b"\x00(8)", version=2)),
        {"comment": "Hi", "genre": "Jazz"},
    ),
    "unsynchronised 2.3": (
        tag(3, 0x80, frame("TIT2", UTF16).replace(b"\xff", b"\xff\x00")),
        {"title": "ÿ Ağ"},
    ),
    "unsynchronised frame of 2.4": (
        tag(4, 0, frame("TIT2", UTF16.replace(b"\xff", b"\xff\x00"), version=4, flags=2)),
        {"title": "ÿ Ağ"},
    ),
    "extended header 2.3": (
        tag(3, 0x40, struct.pack(">IHI", 6, 0, 0) + frame("TALB", b"\x00A")),
        {"album": "A"},
    ),
    "extended header 2.4": (
        tag(4, 0x40, synchsafe(6) + b"\x01\x00" + frame("TDRC", b"\x032026", version=4)),
        {"date": "2026"},
    ),
    "compressed 2.3": (
        tag(3, 0, frame("TPE1", struct.pack(">I", 7) + zlib.compress(b"\x00Nobody"), flags=0x80)),
        {"artist": "Nobody"},
    ),
    "ordinary sizes in 2.4": (
        tag(4, 0, frame("TIT2", b"\x00" + b"x" * 200) + frame("TRCK", b"\x007", version=4)),
        {"title": "x" * 200, "track": "7"},
    ),
    "genre by number": (tag(3, 0, frame("TCON", b"\x00(17)(4)")), {"genre": "Rock; Disco"}),
    "year of 2.3": (tag(3, 0, frame("TYER", b"\x001999")), {"date": "1999"}),
    "UTF-8 that claims to be Latin-1": (
        tag(3, 0, frame("TIT2", b"\x00" + "Ağ".encode())),
        {"title": "Ağ"},
    ),
    "lists of 2.4": (
        tag(4, 0, frame("TPE1", b"\x03A\x00B", version=4)),
        {"artist": "A; B"},
    ),
    "two tags": (
        tag(3, 0, frame("TIT2", b"\x00One")) + tag(4, 0, frame("TALB", b"\x03Two", version=4)),
        {"title": "One", "album": "Two"},
    ),
    "a compressed bomb": (
        tag(3, 0, frame("TIT2", struct.pack(">I", 9) + zlib.compress(b"\0" * 10**8), flags=0x80)),
        {},
    ),
}


@pytest.mark.parametrize("name", OLD_TAGS)
def test_old_forms_of_id3_are_read_and_replaced(plain, name):
    head, expected = OLD_TAGS[name]
    sound = plain["mp3"][plain["mp3"].index(b"\xff\xfb") :]
    assert shown(read_tags(head + sound)) == expected
    assert write_tags(head + sound, PROVENANCE) == write_tags(sound, PROVENANCE)


def test_tag_at_the_end_counts_where_the_front_says_nothing(plain):
    fields = (b"Old title".ljust(30, b"\0"), b"Old artist".ljust(30, b" "), b"\0" * 30, b"1987")
    old = b"TAG" + b"".join(fields) + b"hello".ljust(28, b"\0") + b"\0\x05\x08"
    sound = plain["mp3"][plain["mp3"].index(b"\xff\xfb") :]
    tags = read_tags(tag(3, 0, frame("TIT2", b"\x00New")) + sound + old)
    assert shown(tags) == {
        "title": "New",
        "artist": "Old artist",
        "date": "1987",
        "genre": "Jazz",
        "comment": "hello",
        "track": "5",
    }
    assert write_tags(sound + old, PROVENANCE) == write_tags(sound, PROVENANCE)


def test_tag_in_front_of_flac_makes_no_mp3_of_it(plain):
    data = tag(3, 0, frame("TIT2", b"\x00Song")) + plain["flac"]
    assert read_tags(data) == {"format": "flac", "title": "Song", **own(plain["flac"])}
    assert write_tags(data, PROVENANCE) == write_tags(plain["flac"], PROVENANCE)


def own(data: bytes) -> dict[str, object]:
    return {name: value for name, value in read_tags(data).items() if name == "software"}


def test_absurd_files_take_no_time(plain):
    chunks = b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 300_000
    with pytest.raises(AudioError, match="chunks"):
        read_tags(chunks)
    huge = b"\xff\xff\xff\xff"
    assert "title" not in read_tags(b"RIFF" + huge + b"WAVELIST" + huge + b"INFOINAM" + huge)
    head = plain["flac"][:42]
    with pytest.raises(AudioError, match="damaged"):
        read_tags(head[:4] + b"\x84\x00\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff" + b"\xff\xf8")
