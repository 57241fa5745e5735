"""Files of other programs that are whole and odd: all of them is read, by what is in them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from musiccore.conversion import ConversionOptions, convert, open_sound
from musiccore.conversion.flac_frames import frame_at
from musiccore.conversion.memory import read
from musiccore.errors import AudioError, ConfigError, MissingProgram

RATE = 8000
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ID3 = b"ID3\x04\0\0\0\0\0\x14" + bytes(20)


def noise(frames: int = RATE, channels: int = 1, seed: int = 1) -> np.ndarray:
    return np.round(0.2 * np.random.default_rng(seed).standard_normal((frames, channels)), 3)


def made(kind: str, samples: np.ndarray, subtype: str = "PCM_16", rate: int = RATE) -> bytes:
    """A file of libsndfile; Ogg in blocks, which it needs."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, samples.shape[1], subtype, format=kind) as file:
        for at in range(0, len(samples), 4096):
            file.write(samples[at : at + 4096].astype(np.float32))
    return buffer.getvalue()


def ffmpeg(folder: Path, source: bytes, name: str, *words: str) -> bytes:
    (folder / "source.wav").write_bytes(source)
    target = folder / name
    command = [FFMPEG, "-v", "error", "-y", "-i", str(folder / "source.wav"), *words, str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return target.read_bytes()


def heard(path: Path, engine: str = "auto") -> np.ndarray:
    return np.concatenate(list(open_sound(path, engine=engine).blocks()))


# Lengths that were never written ----------------------------------------------------------------


def unfinished() -> dict[str, bytes]:
    """Every kind of header that waits for its length, in front of a second of sound."""
    files: dict[str, bytes] = {}
    wav = made("WAV", noise())
    at = wav.index(b"data") + 4
    for name, riff, size in (
        ("nought", wav[4:8], 0), ("both nought", bytes(4), 0), ("ones", b"\xff" * 4, 0xFFFFFFFF),
        ("half of ones", b"\xff\xff\xff\x7f", 0x7FFFFFFF), ("small riff", b"\xf8\x0f\0\0", 0),
        ("sox", b"\x24\0\0\x80", 0x7FFFFFFF - 36),
    ):  # fmt: skip
        files[f"wav, {name}"] = wav[:4] + riff + wav[8:at] + struct.pack("<I", size) + wav[at + 4 :]
    junk = b"JUNK" + struct.pack("<I", 28) + bytes(28)
    bare = files["wav, nought"]
    files["wav, junk in front"] = bare[:12] + junk + bare[12:]
    rf64 = made("RF64", noise())
    ds64, at = rf64.index(b"ds64") + 8, rf64.index(b"data") + 4
    for name, sizes in (("nought", bytes(24)), ("ones", b"\xff" * 24)):
        files[f"rf64, {name}"] = rf64[:ds64] + sizes + rf64[ds64 + 24 :]
    wave = made("WAV", noise())
    counted = wave[wave.index(b"data") + 4 :][:4]  # a long header around a short file
    files["rf64, short"] = files["rf64, nought"][:at] + counted + rf64[at + 4 :]
    files["bw64, nought"] = b"BW64" + files["rf64, nought"][4:]
    w64 = made("W64", noise())
    at = w64.index(b"data") + 16
    for name, size in (("nought", 0), ("head", 24)):
        files[f"w64, {name}"] = (
            w64[:16] + bytes(8) + w64[24:at] + struct.pack("<Q", size) + w64[at + 8 :]
        )
    aiff = made("AIFF", noise())
    comm, at = aiff.index(b"COMM") + 10, aiff.index(b"SSND") + 4
    nought = aiff[:comm] + bytes(4) + aiff[comm + 4 : at] + bytes(4) + aiff[at + 4 :]
    files["aiff, nought"] = nought
    files["aiff, all nought"] = nought[:4] + bytes(4) + nought[8:]
    au = made("AU", noise())
    files["au, nought"] = au[:8] + bytes(4) + au[12:]
    files["au, ones"] = au[:8] + b"\xff" * 4 + au[12:]
    caf = made("CAF", noise())
    at = caf.index(b"data") + 4
    files["caf, ones"] = caf[:at] + b"\xff" * 8 + caf[at + 8 :]
    files["caf, nought"] = caf[:at] + bytes(8) + caf[at + 8 :]
    flac = made("FLAC", noise())
    numbers = int.from_bytes(flac[18:26], "big") >> 36 << 36
    files["flac, nought"] = flac[:18] + numbers.to_bytes(8, "big") + flac[26:]
    return files


UNFINISHED = unfinished()
LAWFUL = ("au, ones", "caf, ones", "flac, nought", "rf64, short")  # their formats allow it


@pytest.mark.parametrize("name", UNFINISHED)
def test_a_length_that_was_never_written_is_what_is_there(tmp_path, name) -> None:
    path = tmp_path / f"a.{name.split(',')[0]}"
    path.write_bytes(UNFINISHED[name])
    expected = np.rint(noise() * 32768) / 32768
    np.testing.assert_allclose(heard(path, "soundfile")[: len(expected)], expected, atol=4e-5)
    result = convert(path, tmp_path / "b.wav", ConversionOptions(kind="wav", strict=True))
    assert round(result.seconds * RATE) == RATE
    said = [words for words in result.warnings if "never finished" in words]
    assert bool(said) == (name not in LAWFUL)
    assert read(UNFINISHED[name]).n_samples == RATE


def test_an_empty_wav_stays_empty(tmp_path) -> None:
    wav = made("WAV", noise(1))
    at = wav.index(b"data") + 4
    empty = wav[:at] + bytes(4)
    tagged = empty + b"LIST" + struct.pack("<I", 12) + b"INFOISFT" + bytes(4)
    for number, data in enumerate((empty, tagged)):
        whole = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
        (tmp_path / f"{number}.wav").write_bytes(whole)
        result = convert(
            tmp_path / f"{number}.wav", tmp_path / f"{number}-b.wav", ConversionOptions(kind="wav")
        )
        assert result.seconds == 0.0


def too_small(kind: str) -> bytes:
    """A second of sound whose header counts half of it."""
    whole = made(kind, noise())
    place, order, width, more = {
        "WAV": (whole.find(b"data") + 4, "little", 4, 0),
        "RF64": (whole.find(b"ds64") + 16, "little", 8, 0),
        "AIFF": (whole.find(b"SSND") + 4, "big", 4, 8),
        "AU": (8, "big", 4, 0),
        "CAF": (whole.find(b"data") + 4, "big", 8, 4),
    }[kind]
    half = (RATE + more).to_bytes(width, order)
    return whole[:place] + half + whole[place + width :]


def twice(kind: str) -> bytes:
    """A file with a second chunk of sound behind the first."""
    whole = made(kind, noise())
    at = whole.index(b"data" if kind == "WAV" else b"SSND")
    order = "little" if kind == "WAV" else "big"
    whole += whole[at:]
    return whole[:4] + (len(whole) - 8).to_bytes(4, order) + whole[8:]


@pytest.mark.parametrize(
    ("data", "words"),
    [(too_small(kind), "bytes behind its sound") for kind in ("WAV", "RF64", "AIFF", "AU", "CAF")]
    + [(twice(kind), "a second chunk of sound") for kind in ("WAV", "AIFF")],
    ids=["WAV", "RF64", "AIFF", "AU", "CAF", "second WAV", "second AIFF"],
)
def test_sound_that_the_header_does_not_count_is_said(tmp_path, data, words) -> None:
    (tmp_path / "a").write_bytes(data)
    result = convert(tmp_path / "a", tmp_path / "b.flac", ConversionOptions(kind="flac"))
    assert words in result.warnings[0]
    with pytest.raises(AudioError, match=words):
        convert(tmp_path / "a", tmp_path / "c.flac", ConversionOptions(kind="flac", strict=True))


def test_au_of_little_endian_machines_is_read(tmp_path) -> None:
    words = np.frombuffer(made("AU", noise()), ">u4", 6).astype("<u4").tobytes()
    samples = np.rint(noise() * 32768).astype("<i2")
    (tmp_path / "a.au").write_bytes(b"dns." + words[4:] + samples.tobytes())
    expected = samples / 32768
    np.testing.assert_array_equal(heard(tmp_path / "a.au", "soundfile"), expected)


# Ogg --------------------------------------------------------------------------------------------


def oggs(folder: Path, kind: str) -> list[bytes]:
    """Three recordings that differ in length, the last also in rate and channels."""
    takes = [(2 * RATE, 1, 16_000), (RATE, 1, 16_000), (48_000, 2, 48_000)]
    files = []
    for number, (frames, channels, rate) in enumerate(takes):
        samples = noise(frames, channels, number)
        if kind == "flac":
            wav = made("WAV", samples, rate=rate)
            files.append(ffmpeg(folder, wav, "a.oga", "-c:a", "flac", "-f", "ogg"))
        else:
            files.append(made("OGG", samples, kind.upper(), rate))
    return files


@pytest.mark.parametrize("kind", ["vorbis", "opus", "flac"])
@pytest.mark.parametrize("engine", ["auto", "soundfile"])
def test_all_links_of_a_chain_are_heard(tmp_path, kind, engine) -> None:
    links = oggs(tmp_path, kind)
    (tmp_path / "a.ogg").write_bytes(links[0] + links[1])
    alike = open_sound(tmp_path / "a.ogg", engine=engine)
    assert (alike.n_frames, alike.sample_rate) == (3 * RATE, 16_000)
    assert sum(map(len, alike.blocks())) == 3 * RATE
    assert "2 recordings" in " ".join(alike.warnings)
    parts = []
    for number, link in enumerate(links[:2]):
        (tmp_path / f"{number}.ogg").write_bytes(link)
        parts.append(heard(tmp_path / f"{number}.ogg", engine))
    np.testing.assert_array_equal(np.concatenate(parts), heard(tmp_path / "a.ogg", engine))

    (tmp_path / "b.ogg").write_bytes(b"".join(links))
    mixed = open_sound(tmp_path / "b.ogg", engine=engine)
    assert (mixed.sample_rate, mixed.channels) == (48_000, 2)
    assert sum(map(len, mixed.blocks())) == mixed.n_frames == 48_000 * 5 // 2
    assert "differ in rate or channels" in " ".join(mixed.warnings)
    assert mixed.damage is None


def test_damage_in_a_chain_does_not_cost_what_follows(tmp_path) -> None:
    links = oggs(tmp_path, "vorbis")
    hurt = bytearray(links[0])
    hurt[len(hurt) // 2] ^= 0xFF
    (tmp_path / "a.ogg").write_bytes(bytes(hurt) + links[1])
    sound = open_sound(tmp_path / "a.ogg")
    assert sum(map(len, sound.blocks())) > RATE  # all of the second, and some of the first
    assert "a checksum of Ogg is wrong" in sound.damage


def other_first_page(sound: bytes, codec: bytes) -> bytes:
    """The first page of an Ogg file for a stream of another codec."""
    page = bytearray(sound[: sound.index(b"OggS", 4)])
    page[14:18] = b"else"
    page[28 : 28 + len(codec)] = codec
    page[22:26] = bytes(4)
    page[22:26] = crc(bytes(page), 32, 0x04C11DB7).to_bytes(4, "little")
    return bytes(page)


def test_the_sound_of_a_film_in_ogg_needs_no_other_program(tmp_path) -> None:
    """Pages of another stream between those of the sound, as a film has them."""
    sound = made("OGG", noise(), "VORBIS")
    (tmp_path / "a.ogv").write_bytes(other_first_page(sound, b"\x80theora") + sound)
    np.testing.assert_array_equal(
        heard(tmp_path / "a.ogv", "soundfile"), soundfile.read(io.BytesIO(sound), always_2d=True)[0]
    )


# Alien tags in front, wrong names ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["FLAC", "WAV", "AIFF", "OGG", "AU", "CAF", "W64"])
@pytest.mark.parametrize("front", [ID3, ID3 + ID3, bytes(100), ID3 + bytes(500)])
def test_what_stands_in_front_of_a_file_is_passed_over(tmp_path, kind, front) -> None:
    data = made(kind, noise(), "VORBIS" if kind == "OGG" else "PCM_16")
    (tmp_path / "a.mp3").write_bytes(data)
    expected = heard(tmp_path / "a.mp3", "soundfile")
    (tmp_path / "a.mp3").write_bytes(front + data)
    np.testing.assert_array_equal(heard(tmp_path / "a.mp3", "soundfile"), expected)
    assert open_sound(tmp_path / "a.mp3").damage is None
    assert "by its content, not MP3" in open_sound(tmp_path / "a.mp3").warnings[0]


def test_aac_behind_id3_is_aac(tmp_path) -> None:
    data = ffmpeg(tmp_path, made("WAV", noise(4 * RATE)), "a.aac", "-c:a", "aac")
    (tmp_path / "b.mp3").write_bytes(ID3 + data)
    sound = open_sound(tmp_path / "b.mp3")
    assert sound.kind == "aac"
    assert sum(map(len, sound.blocks())) >= 4 * RATE


@pytest.mark.parametrize(("name", "codec"), [("a.aac", "aac"), ("a.ac3", "ac3")])
@pytest.mark.parametrize("front", ["half a frame", "zeros"])
def test_a_stream_recorded_from_the_middle_begins_with_its_first_frame(
    tmp_path, name, codec, front
) -> None:
    data = ffmpeg(tmp_path, made("WAV", noise(4 * RATE), rate=32_000), name, "-c:a", codec)
    (tmp_path / "late").write_bytes(data[77:] if front == "half a frame" else bytes(500) + data)
    sound = open_sound(tmp_path / "late")
    assert sound.kind == codec
    assert any("no whole frame of sound" in words for words in sound.warnings)
    lost = 4 if front == "half a frame" else 0  # frames at most
    assert sum(map(len, sound.blocks())) >= 4 * RATE - lost * 1536


def test_a_tag_behind_wavpack_is_no_damage(tmp_path) -> None:
    data = ffmpeg(tmp_path, made("WAV", noise(2 * RATE)), "a.wv", "-c:a", "wavpack")
    item = struct.pack("<II", 3, 0) + b"Title\0abc"
    head = struct.pack("<IIII", 2000, 32 + len(item), 1, 0xA0000000) + bytes(8)
    foot = struct.pack("<IIII", 2000, 32 + len(item), 1, 0x80000000) + bytes(8)
    (tmp_path / "a.wv").write_bytes(data + b"APETAGEX" + head + item + b"APETAGEX" + foot)
    sound = open_sound(tmp_path / "a.wv")
    assert (sum(map(len, sound.blocks())), sound.damage) == (2 * RATE, None)


# What only ffmpeg reads -------------------------------------------------------------------------

FOREIGN = {
    "a.mp2": ("-ar", "16000", "-c:a", "mp2"),
    "a.ac3": ("-ar", "32000", "-c:a", "ac3"),
    "a.eac3": ("-ar", "32000", "-c:a", "eac3"),
    "a.ts": ("-ar", "16000", "-c:a", "mp2", "-f", "mpegts"),
    "a.m2ts": ("-ar", "48000", "-c:a", "ac3", "-f", "mpegts"),
    "a.wav": ("-ar", "16000", "-c:a", "g722"),
    "b.wav": ("-ar", "16000", "-c:a", "libmp3lame"),
    "a.caf": ("-c:a", "alac"),
    "a.wv": ("-c:a", "wavpack"),
    "a.tta": ("-c:a", "tta"),
    "a.wma": ("-ar", "16000", "-c:a", "wmav2"),
    "a.mka": ("-c:a", "pcm_s24le"),
    "a.voc": ("-c:a", "pcm_s16le"),
    "a.avi": ("-ar", "16000", "-c:a", "mp2"),
    "a.dts": ("-ar", "48000", "-strict", "-2", "-c:a", "dca"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_ffmpeg_reads_is_read(tmp_path, name) -> None:
    ffmpeg(tmp_path, made("WAV", noise(2 * RATE)), name, *FOREIGN[name])
    result = convert(tmp_path / name, tmp_path / "out.w64", ConversionOptions(kind="w64"))
    assert 1.9 < result.seconds < 2.15
    assert not [words for words in result.warnings if "damage" in words]


@pytest.mark.parametrize("name", ["a.wv", "a.mp2", "a.wav", "a.caf"])
def test_without_ffmpeg_the_program_is_named(tmp_path, monkeypatch, name) -> None:
    ffmpeg(tmp_path, made("WAV", noise()), name, *FOREIGN[name])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    if name == "a.mp2":  # which soundfile happens to read
        assert len(heard(tmp_path / name)) > RATE
        return
    with pytest.raises(MissingProgram, match=f"'{name}'.* needs the program ffmpeg"):
        open_sound(tmp_path / name)


def test_speex_is_known_by_its_name(tmp_path, monkeypatch) -> None:
    speex = other_first_page(made("OGG", noise(), "VORBIS"), b"Speex   ")
    (tmp_path / "a.ogg").write_bytes(speex)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingProgram, match="OGG with speex inside, needs the program ffmpeg"):
        open_sound(tmp_path / "a.ogg")


def test_lossless_formats_of_ffmpeg_keep_their_bits(tmp_path) -> None:
    samples = noise(RATE, 2)
    wav = made("WAV", samples, "PCM_24")
    for name, words in (
        ("a.m4a", ("-c:a", "alac", "-sample_fmt", "s32p")),
        ("a.tta", ("-c:a", "tta", "-sample_fmt", "s32")),
        ("a.mka", ("-c:a", "pcm_s24le",)),
    ):  # fmt: skip
        ffmpeg(tmp_path, wav, name, *words)
        sound = open_sound(tmp_path / name)
        assert (sound.bits, sound.exact) == ("24", True), name
        convert(tmp_path / name, tmp_path / "b.wav", ConversionOptions(kind="wav"), force=True)
        after, _ = soundfile.read(tmp_path / "b.wav", dtype="int32")
        np.testing.assert_array_equal(soundfile.read(io.BytesIO(wav), dtype="int32")[0], after)


def test_several_tracks_are_said(tmp_path) -> None:
    (tmp_path / "source.wav").write_bytes(made("WAV", noise()))
    source = str(tmp_path / "source.wav")
    command = [FFMPEG, "-v", "error", "-i", source, "-i", source, "-map", "0", "-map", "1"]
    subprocess.run([*command, str(tmp_path / "a.mka")], check=True, timeout=60)
    assert "2 tracks of sound" in open_sound(tmp_path / "a.mka").warnings[0]
    with pytest.raises(ConfigError, match="2 tracks of sound"):
        convert(tmp_path / "a.mka", tmp_path / "b.wav", ConversionOptions(kind="wav", strict=True))


@pytest.mark.parametrize(("rate", "read_at"), [(2_822_400, 352_800), (5_644_800, 352_800)])
def test_dsd_is_read_at_a_rate_that_others_know(tmp_path, rate, read_at) -> None:
    per_channel = -(-rate // 8 // 4096) * 4096
    fmt = b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, 2, 2, rate, 1, rate, 4096, 0)
    data = b"data" + struct.pack("<Q", 12 + 2 * per_channel) + b"\x69" * (2 * per_channel)
    head = b"DSD " + struct.pack("<QQQ", 28, 28 + len(fmt) + len(data), 0)
    (tmp_path / "a.dsf").write_bytes(head + fmt + data)
    sound = open_sound(tmp_path / "a.dsf")
    assert (sound.kind, sound.sample_rate, sound.damage) == ("dsf", read_at, None)
    assert sum(map(len, sound.blocks())) == pytest.approx(read_at, rel=0.001)
    assert bool(sound.warnings) == (rate // 8 != read_at)


# FLAC that libFLAC reads wrongly ----------------------------------------------------------------


def crc(data: bytes, width: int, polynomial: int) -> int:
    value, top, mask = 0, 1 << (width - 1), (1 << width) - 1
    for byte in data:
        value ^= byte << (width - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
    return value


def coded(number: int) -> bytes:
    """A number as the heads of FLAC hold it, like a letter of UTF-8."""
    if number < 0x80:
        return bytes((number,))
    tail: list[int] = []
    while number >= 1 << (6 - len(tail)):
        tail.insert(0, 0x80 | number & 0x3F)
        number >>= 6
    lead = (0xFF00 >> (len(tail) + 1)) & 0xFF
    return bytes((lead | number, *tail))


def flac_frames(data: bytes) -> list[bytes]:
    starts = [at for at in range(42, len(data)) if data[at : at + 2] == b"\xff\xf8"
              and frame_at(data, at)]  # fmt: skip
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def variable_flac(folder: Path, sizes: tuple[int, ...]) -> tuple[bytes, np.ndarray]:
    """A FLAC whose blocks differ in size, put together of files with blocks of one size each."""
    blocks, pieces, first = [], [], b""
    for number, size in enumerate(sizes):
        samples = noise(size, 1, number)
        pieces.append(samples)
        words = ("-c:a", "flac", "-frame_size", str(max(size, 16)), "-map_metadata", "-1")
        data = ffmpeg(folder, made("WAV", samples), "part.flac", *words, "-fflags", "+bitexact")
        first = first or data[:42]
        (frame,) = flac_frames(data)
        blocks.append((size, frame))
    out, position = [], 0
    for size, frame in blocks:
        head = frame_at(frame, 0)
        assert head is not None
        old = 4 + len(coded(head.number))
        extra = {6: 1, 7: 2}.get(frame[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(frame[2] & 15, 0)
        new = b"\xff\xf9" + frame[2:4] + coded(position) + frame[old : old + extra]
        body = new + bytes((crc(new, 8, 0x07),)) + frame[old + extra + 1 : -2]
        out.append(body + crc(body, 16, 0x8005).to_bytes(2, "big"))
        position += size
    info = bytearray(first[:42])
    info[4] |= 0x80
    info[8:12] = struct.pack(">HH", max(16, min(sizes)), max(sizes))
    info[12:18] = bytes(6)
    info[18:26] = (int.from_bytes(info[18:26], "big") >> 36 << 36 | position).to_bytes(8, "big")
    info[26:42] = bytes(16)
    return bytes(info) + b"".join(out), np.concatenate(pieces)


def test_flac_with_blocks_of_many_sizes_loses_nothing(tmp_path) -> None:
    data, samples = variable_flac(tmp_path, (4096, 512, 1152, 4096, 576, 2304, 4608, 256) * 3)
    (tmp_path / "a.flac").write_bytes(data)
    sound = open_sound(tmp_path / "a.flac")
    after = np.concatenate(list(sound.blocks()))
    np.testing.assert_allclose(after, samples, atol=4e-5)
    assert (sound.bits, sound.damage) == ("16", None)


def test_flac_that_states_too_short_a_block_is_read(tmp_path) -> None:
    data = bytearray(made("FLAC", noise()))
    data[8:10] = b"\0\x01"
    (tmp_path / "a.flac").write_bytes(data)
    for engine in ("auto", "soundfile"):
        sound = open_sound(tmp_path / "a.flac", engine=engine)
        np.testing.assert_allclose(heard(tmp_path / "a.flac", engine), noise(), atol=4e-5)
        assert sound.damage is None


def test_where_the_first_decoder_stops_the_other_goes_on(tmp_path) -> None:
    data = bytearray(made("FLAC", noise(20 * RATE)))
    data[len(data) // 4 : len(data) // 4 + 40] = bytes(40)
    (tmp_path / "a.flac").write_bytes(data)
    alone, both = (len(heard(tmp_path / "a.flac", engine)) for engine in ("soundfile", "auto"))
    assert alone < 6 * RATE
    assert both > 19 * RATE
    with pytest.raises(AudioError, match=r"a\.flac"):
        convert(tmp_path / "a.flac", tmp_path / "b.wav", ConversionOptions(kind="wav", strict=True))


def test_flac_that_holds_more_than_it_states_is_read_to_its_end(tmp_path) -> None:
    data = made("FLAC", noise(5 * RATE))
    numbers = int.from_bytes(data[18:26], "big") >> 36 << 36 | 2 * RATE
    (tmp_path / "a.flac").write_bytes(data[:18] + numbers.to_bytes(8, "big") + data[26:])
    for engine in ("soundfile", "auto"):
        assert len(heard(tmp_path / "a.flac", engine)) == 5 * RATE
    assert "states 16000 samples" in open_sound(tmp_path / "a.flac").warnings[0]


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_files_that_were_put_behind_each_other_are_all_read(tmp_path, kind) -> None:
    pieces = [noise(RATE, 1, 1), noise(2 * RATE, 1, 2), noise(RATE // 2, 1, 3)]
    (tmp_path / "a.bin").write_bytes(b"".join(made(kind, each) for each in pieces))
    sound = open_sound(tmp_path / "a.bin")
    after = np.concatenate(list(sound.blocks()))
    np.testing.assert_allclose(after, np.concatenate(pieces), atol=4e-5)
    assert ("3 recordings" in " ".join(sound.warnings), sound.damage) == (True, None)
