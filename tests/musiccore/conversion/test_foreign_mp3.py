"""MP3 files as they lie about: none says how long it is, and all are read to their end."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musiccore.conversion import ConversionOptions, convert, open_sound
from musiccore.conversion.memory import read
from musiccore.errors import AudioError

FRAME = 1152
RATE = 44_100
ID3 = b"ID3\x04\0\0\0\0\0\x14" + bytes(20)


def encoded(frames: int, *, rate: int = RATE, channels: int = 2, level: float = 0.44) -> bytes:
    """A whole MP3: a frame that states the length, then the others."""
    wave = np.sin(np.arange(frames)[:, None] * (0.05 + 0.02 * np.arange(channels)))
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", rate, channels, "MPEG_LAYER_III", format="MP3",
        compression_level=level, bitrate_mode="CONSTANT",
    ) as file:  # fmt: skip
        file.write((0.4 * wave).astype(np.float32))
    return buffer.getvalue()


def frame_length(data: bytes, at: int) -> int:
    """Of a frame of layer III, by its first bytes."""
    version = data[at + 1] >> 3 & 3
    kbits = ((8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160) if version != 3 else
             (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320))  # fmt: skip
    rates = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
    rate = rates[version][data[at + 2] >> 2 & 3]
    samples = 1152 if version == 3 else 576
    return samples * 125 * kbits[(data[at + 2] >> 4) - 1] // rate + (data[at + 2] >> 1 & 1)


def split(data: bytes) -> list[bytes]:
    frames, at = [], data.index(b"\xff")
    while at + 4 <= len(data):
        length = frame_length(data, at)
        frames.append(data[at : at + length])
        at += length
    return frames


def bare(data: bytes) -> bytes:
    """Without the frame that states the length."""
    return b"".join(split(data)[1:])


def freely(data: bytes) -> bytes:
    """The same frames in free format, which does not say how long they are."""
    return b"".join(each[:2] + bytes((each[2] & 0x0F,)) + each[3:] for each in split(data)[1:])


WHOLE = encoded(3 * RATE)
N_FRAMES = len(split(WHOLE)) - 1
ALL = N_FRAMES * FRAME
VBR = b"".join(
    bare(encoded(RATE, level=level)) for level in (0.75, 0.0)
)  # its first frames are far smaller than the others
VBR_FRAMES = 2 * (len(split(encoded(RATE))) - 1)
JUNK = np.random.default_rng(4).bytes(700).replace(b"\xff", b"\0")
CASES: dict[str, tuple[bytes, int, str | None]] = {
    # name: bytes, samples per channel, words of what is lost
    "as it is": (WHOLE, 3 * RATE, None),
    "length nowhere": (bare(WHOLE), ALL, None),
    "length nowhere, quiet beginning": (VBR, VBR_FRAMES * FRAME, None),
    "joined": (WHOLE + encoded(2 * RATE), 5 * RATE, None),
    "joined without lengths": (bare(WHOLE) + bare(WHOLE), 2 * ALL, None),
    "joined with tags": (ID3 + WHOLE + b"TAG" + bytes(125) + ID3 + WHOLE, 6 * RATE, None),
    "joined, the second bare": (WHOLE + bare(WHOLE), 2 * ALL - 1105, None),
    "zeros in front": (bytes(5000) + WHOLE, 3 * RATE, None),
    "a third of a megabyte of zeros in front": (bytes(333_333) + bare(WHOLE), ALL, None),
    "few zeros in front": (bytes(3) + bare(WHOLE), ALL, None),
    "zeros behind": (WHOLE + bytes(9000), 3 * RATE, None),
    "several ID3 blocks": (ID3 + ID3 + ID3 + WHOLE, 3 * RATE, None),
    "ID3, then zeros": (ID3 + bytes(2048) + WHOLE, 3 * RATE, None),
    "APE tag behind": (
        bare(WHOLE) + b"APETAGEX" + (2000).to_bytes(4, "little") + (64).to_bytes(4, "little")
        + bytes(16) + b"x" * (64 - 32) + b"APETAGEX" + (2000).to_bytes(4, "little")
        + (64).to_bytes(4, "little") + (1).to_bytes(4, "little") + (1 << 31).to_bytes(4, "little")
        + bytes(8), ALL, None,
    ),
    "old tags behind": (
        bare(WHOLE) + b"LYRICSBEGININD0000200000000015LYRICS200" + b"TAG" + bytes(125), ALL, None,
    ),
    "junk between": (
        b"".join(split(WHOLE)[1:40]) + JUNK + b"".join(split(WHOLE)[40:]), ALL,
        "700 bytes between its frames are no sound",
    ),
    "zeros between": (
        WHOLE[: len(WHOLE) // 2] + bytes(4000) + WHOLE[len(WHOLE) // 2 :], 0, "no sound"
    ),
    "cut": (b"".join(split(WHOLE)[:58]), 57 * FRAME - 1105, "frames of sound that it promises"),
    "cut in a frame": (bare(WHOLE)[:-50], ALL - FRAME, "ends in the middle of a frame"),
    "begins in a frame": (bare(WHOLE)[100:], ALL - FRAME - 529, None),
    "mono, then stereo": (encoded(RATE, channels=1) + WHOLE, 4 * RATE, None),
    "two rates": (encoded(22_050, rate=22_050) + WHOLE, 4 * RATE, None),
    "free format": (freely(encoded(96_000, rate=48_000, level=0.6)), 85 * FRAME, None),
}  # fmt: skip


def heard(path: Path, engine: str) -> tuple[int, object]:
    sound = open_sound(path, engine=engine)
    return sum(map(len, sound.blocks())), sound


@pytest.mark.parametrize("engine", ["soundfile", "auto"])
@pytest.mark.parametrize("case", CASES)
def test_every_frame_is_heard_and_what_is_lost_is_said(tmp_path, case, engine) -> None:
    data, samples, lost = CASES[case]
    path = tmp_path / "a.mp3"
    path.write_bytes(data)
    n, sound = heard(path, engine)
    assert n == samples if samples else N_FRAMES * FRAME - 12 * FRAME <= n <= 3 * RATE, n
    assert (lost or "") in (sound.damage or "")
    assert bool(lost) == bool(sound.damage), sound.damage
    if lost:
        with pytest.raises(AudioError, match=lost.split(",")[0]):
            convert(path, tmp_path / "b.wav", ConversionOptions(kind="wav", strict=True))


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_rate_and_mode_is_counted(tmp_path, rate, channels) -> None:
    whole = encoded(rate, rate=rate, channels=channels)
    (tmp_path / "a.mp3").write_bytes(bare(whole))
    samples = 1152 if rate >= 32_000 else 576
    assert heard(tmp_path / "a.mp3", "soundfile")[0] == (len(split(whole)) - 1) * samples
    (tmp_path / "a.mp3").write_bytes(whole)
    assert heard(tmp_path / "a.mp3", "soundfile")[0] == rate


@pytest.mark.parametrize("frames", [1, 7, 100, 576, 1105, 1153])
def test_a_handful_of_samples_stays_one(tmp_path, frames) -> None:
    (tmp_path / "a.mp3").write_bytes(encoded(frames))
    assert heard(tmp_path / "a.mp3", "auto")[0] == frames
    (tmp_path / "b.mp3").write_bytes(bare(encoded(frames)))
    result = convert(tmp_path / "b.mp3", tmp_path / "b.wav", ConversionOptions(kind="wav"))
    assert frames <= round(result.seconds * RATE) <= frames + 4 * FRAME
    assert (tmp_path / "b.wav").read_bytes()[:4] == b"RIFF"


def test_padding_longer_than_the_sound_does_not_make_it_empty(tmp_path) -> None:
    frames = split(encoded(400))
    info = bytearray(frames[0])
    at = info.index(b"Info")
    flags = int.from_bytes(info[at + 4 : at + 8], "big")
    at += 8 + sum(n for bit, n in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit) + 21
    info[at : at + 3] = bytes((576 >> 4, (576 & 15) << 4 | 4095 >> 8, 4095 & 255))
    (tmp_path / "a.mp3").write_bytes(bytes(info) + b"".join(frames[1:]))
    result = convert(tmp_path / "a.mp3", tmp_path / "a.wav", ConversionOptions(kind="wav"))
    assert 400 < round(result.seconds * RATE) <= len(frames) * FRAME
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RIFF"


def test_a_bare_stream_decodes_to_the_samples_of_the_whole_one(tmp_path) -> None:
    (tmp_path / "a.mp3").write_bytes(WHOLE)
    (tmp_path / "b.mp3").write_bytes(bare(WHOLE))
    whole, plain = (
        np.concatenate(list(open_sound(tmp_path / name, engine="soundfile").blocks()))
        for name in ("a.mp3", "b.mp3")
    )
    delay = 1105  # of coder and decoder, which only the first file states
    np.testing.assert_array_equal(whole, plain[delay : delay + len(whole)])


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (44_100, 1), (22_050, 1)])
def test_small_frames_are_decoded_without_a_gap_between_blocks(tmp_path, rate, channels) -> None:
    path, at = tmp_path / "quiet.mp3", np.arange(4 * 44_100)
    wave = 0.4 * np.sin(at * 0.06) + 0.2 * np.sin(at * at * 4e-7)
    with soundfile.SoundFile(
        path, "w", rate, channels, "MPEG_LAYER_III", format="MP3",
        compression_level=0.5, bitrate_mode="VARIABLE",
    ) as file:  # fmt: skip
        file.write(np.column_stack([wave] * channels).astype(np.float32))
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)  # in one piece
    np.testing.assert_allclose(np.concatenate(list(open_sound(path).blocks())), expected, atol=1e-6)
    np.testing.assert_allclose(read(path).samples.T, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["a", "a.wav", "a.txt", "a.flac", "song.2024"])
def test_the_name_does_not_matter(tmp_path, name) -> None:
    (tmp_path / name).write_bytes(bare(WHOLE))
    result = convert(tmp_path / name, tmp_path / "b.w64", ConversionOptions(kind="w64"))
    assert (result.source_kind, round(result.seconds * RATE)) == ("mp3", ALL)


def test_memory_goes_through_the_same_door(tmp_path) -> None:
    data = bare(WHOLE) + bare(WHOLE)
    (tmp_path / "a.mp3").write_bytes(data)
    assert read(data).n_samples == read(tmp_path / "a.mp3").n_samples == 2 * ALL


def refused(make: Callable[[], bytes], path: Path) -> str:
    path.write_bytes(make())
    with pytest.raises(AudioError) as caught:
        heard(path, "auto")
    return caught.value.message


def test_what_only_begins_like_a_frame_is_no_sound(tmp_path) -> None:
    for make in (lambda: b"\xff\xfb\x90\x64", lambda: b"\xff\xfb\x90\x64" + b"text " * 900):
        assert "a.mp3" in refused(make, tmp_path / "a.mp3")
