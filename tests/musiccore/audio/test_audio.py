"""Reading refuses every bad file with one line; writing is exact and repeatable."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import sys
import wave

import numpy as np
import pytest
import soundfile

from musiccore.audio import sound as door
from musiccore.audio.sound import Audio, pcm_sha256, resample, to_mono, write
from musiccore.conversion.memory import read
from musiccore.errors import AudioError


def sound(seconds: float = 1.0, *, rate: int = 16000, channels: int = 1) -> Audio:
    t = np.arange(round(seconds * rate)) / rate
    rows = [0.4 * np.sin(2 * np.pi * 440 * (c + 1) * t) for c in range(channels)]
    return Audio(samples=np.stack(rows).astype(np.float32), sample_rate=rate)


def snr(reference, candidate) -> float:
    return float(10 * np.log10((reference**2).sum() / ((reference - candidate) ** 2).sum()))


def one_line(error: AudioError) -> str:
    assert "\n" not in error.message
    return error.message


# Writing and reading back


@pytest.mark.parametrize("kind", ["wav", "flac"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_lossless_formats_keep_the_24_bits(kind, channels, rate):
    original = sound(rate=rate, channels=channels)
    back = read(write(original, kind))
    assert (back.sample_rate, back.samples.shape) == (rate, original.samples.shape)
    assert np.abs(back.samples - original.samples).max() <= 2.0**-24
    assert pcm_sha256(back) == pcm_sha256(original)


@pytest.mark.parametrize("kind", door.FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_same_audio_gives_the_same_bytes(kind, channels):
    clip = sound(4.3, channels=channels)
    assert write(clip, kind) == write(clip, kind)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_mp3_keeps_length_and_sound(channels, rate):
    original = sound(5, rate=rate, channels=channels)
    back = read(write(original, "mp3"))
    assert back.samples.shape == original.samples.shape
    assert snr(original.samples, back.samples) > 20


def test_preview_is_smaller_and_takes_any_rate():
    clip = sound(5, rate=96000, channels=2)
    back = read(door.write_preview(clip))
    assert back.sample_rate == 48000
    assert back.seconds == pytest.approx(5, abs=1e-4)
    half = sound(5)
    assert len(door.write_preview(half)) < 0.6 * len(write(half, "mp3"))


def test_pcm_sha256_is_of_24_bit_little_endian_interleaved_pcm():
    samples = np.array([[0.0, 0.5, -1.0, 1.5], [2**-23, -(2**-23), 0.25, 1.0]], np.float32)
    clip = Audio(samples=samples, sample_rate=16000)
    integers = [0, 1, 1 << 22, -1, -(1 << 23), 1 << 21, (1 << 23) - 1, (1 << 23) - 1]
    pcm = b"".join(struct.pack("<i", i)[:3] for i in integers)
    assert pcm_sha256(clip) == hashlib.sha256(pcm).hexdigest()
    with wave.open(io.BytesIO(write(clip, "wav"))) as file:
        assert (file.getsampwidth(), file.getnchannels(), file.getframerate()) == (3, 2, 16000)
        assert file.readframes(4) == pcm


def test_one_changed_sample_changes_the_sha256():
    clip = sound()
    samples = clip.samples.copy()
    samples[0, 77] += 2.0**-22
    assert pcm_sha256(Audio(samples=samples, sample_rate=16000)) != pcm_sha256(clip)


def test_loud_samples_are_clipped_and_do_not_wrap():
    loud = Audio(samples=np.array([[2.0, -2.0] * 4000], np.float32), sample_rate=16000)
    for kind in ("wav", "flac"):
        back = read(write(loud, kind)).samples
        assert back[0, 0] > 0.999
        assert back[0, 1] == -1.0


def test_unknown_format_and_impossible_mp3_are_refused():
    with pytest.raises(AudioError, match="'opus'"):
        write(sound(), "opus")
    with pytest.raises(AudioError, match="96000"):
        write(sound(rate=96000), "mp3")
    with pytest.raises(AudioError, match="3 channels"):
        write(sound(channels=3), "mp3")


def test_a_path_can_be_read(tmp_path):
    (tmp_path / "ton ü.wav").write_bytes(write(sound(), "wav"))
    assert read(tmp_path / "ton ü.wav").seconds == 1.0
    assert read(str(tmp_path / "ton ü.wav")).seconds == 1.0


@pytest.mark.parametrize("container", ["OGG", "AIFF", "CAF"])
def test_other_containers_can_be_read(container):
    buffer = io.BytesIO()
    soundfile.write(buffer, sound().samples.T, 16000, format=container)
    assert read(buffer.getvalue()).n_samples == 16000


def test_the_name_of_the_file_does_not_matter(tmp_path):
    (tmp_path / "song.mp3").write_bytes(write(sound(), "wav"))
    assert read(tmp_path / "song.mp3").n_samples == 16000


# Audio


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros(5, np.float32), 16000, "want float32"),
        (np.zeros((1, 5)), 16000, "want float32"),
        (np.zeros((1, 0), np.float32), 16000, "no samples"),
        (np.full((1, 5), np.nan, np.float32), 16000, "NaN"),
        (np.zeros((1, 5), np.float32), 0, "0 Hz"),
        (np.zeros((32, 5), np.float32), 16000, "32 channels"),
    ],
)
def test_impossible_audio_is_refused(samples, rate, words):
    with pytest.raises(AudioError, match=words):
        Audio(samples=samples, sample_rate=rate)


def test_to_mono_averages():
    clip = Audio(samples=np.array([[1.0, 0.5], [0.0, -0.5]], np.float32), sample_rate=16000)
    assert to_mono(clip).samples.tolist() == [[0.5, 0.0]]


@pytest.mark.parametrize(("rate", "wanted"), [(16000, 44100), (44100, 16000), (48000, 16000)])
def test_resampling_keeps_pitch_level_and_length(rate, wanted):
    there = resample(sound(2, rate=rate), wanted)
    direct = sound(2, rate=wanted)
    assert there.samples.shape == direct.samples.shape
    middle = slice(wanted // 4, -wanted // 4)
    assert snr(direct.samples[:, middle], there.samples[:, middle]) > 80


def test_limit_peak_only_turns_down():
    loud = Audio(samples=np.array([[0.1, -2.0]], np.float32), sample_rate=16000)
    assert door.limit_peak(loud).peak == pytest.approx(0.98)
    assert door.limit_peak(sound()) is not None
    assert door.limit_peak(sound()).peak == sound().peak


# Bad files: durability section "Untrusted input"


def test_files_that_are_no_files(tmp_path):
    fifo, loop, empty = tmp_path / "pipe.wav", tmp_path / "loop.wav", tmp_path / "empty.wav"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    empty.touch()
    cases = {
        tmp_path: "is a folder",
        fifo: "is a pipe",
        loop: "cannot be read",
        empty: "0 bytes",
        tmp_path / "none.wav": "does not exist",
        tmp_path / "a\0b.wav": "cannot be read",
        tmp_path / ("x" * 5000): "cannot be read",
    }
    for path, words in cases.items():
        with pytest.raises(AudioError, match=words) as caught:
            read(path)
        one_line(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    (tmp_path / "secret.wav").write_bytes(write(sound(), "wav"))
    (tmp_path / "secret.wav").chmod(0)
    with pytest.raises(AudioError, match="ermission"):
        read(tmp_path / "secret.wav")


def riff(frames: bytes, *, rate=16000, channels=1, bits=16, promised: int | None = None) -> bytes:
    width = channels * bits // 8
    header = struct.pack("<HHIIHH", 1, channels, rate, rate * width & 0xFFFFFFFF, width, bits)
    size = len(frames) if promised is None else promised
    body = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(len(body) + size, 0xFFFFFFFF)) + body + frames


def float_wav(values) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.asarray(values, np.float32), 16000, "FLOAT", format="WAV")
    return buffer.getvalue()


def endless_flac() -> bytes:
    """A FLAC whose encoder was killed before it wrote the number of samples."""
    data = bytearray(write(sound(2), "flac"))
    data[21] |= 0x0F  # 36 bits of total samples: as large as they go
    data[22:26] = b"\xff\xff\xff\xff"
    return bytes(data)


GOOD = write(sound(2), "wav")
BAD = {
    "text": (b"Dear listener,\nthis is not audio." * 50, "not audio"),
    "zeros": (bytes(4000), "not audio"),
    "random": (np.random.default_rng(0).bytes(4000), "not audio"),
    "m4a": (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(400), "cannot be decoded"),
    "html": (b"<script>alert(1)</script>", "not audio"),
    "2^28 frames": (riff(bytes(100), promised=0x50000000), "promises 1342177"),
    "header only": (riff(b""), "no samples|cannot be decoded"),
    "cut": (GOOD[: len(GOOD) // 2], "promises"),
    "cut in header": (GOOD[:20], "cannot be decoded"),
    "no channels": (riff(bytes(100), channels=0), "cannot be decoded|no samples"),
    "32 channels": (riff(bytes(6400), channels=32), "32 channels"),
    "rate 0": (riff(bytes(100), rate=0), "cannot be decoded| 0 Hz"),
    "1 Hz": (riff(bytes(100), rate=1), " 1 Hz"),
    "768 kHz": (riff(bytes(100), rate=768_000), "768000 Hz"),
    "NaN": (float_wav([0.1, float("nan")]), "NaN"),
    "infinite": (float_wav([0.1, float("inf")]), "NaN or inf"),
    "killed flac": (endless_flac(), "lasts|cannot be decoded|decoded"),
    "cut flac": (write(sound(20), "flac")[:9000], "cannot be decoded|could be decoded"),
    "cut mp3": (write(sound(20), "mp3")[:9000], "frames of sound that it promises are missing"),
    "id3 only": (b"ID3\x04\0\0\0\0\0\x05hello", "cannot be decoded|no samples"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_gives_one_clear_line(case, tmp_path):
    data, words = BAD[case]
    path = tmp_path / "primer.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=words) as caught:
        read(path)
    message = one_line(caught.value)
    assert "primer.wav" in message
    assert "BytesIO" not in message
    with pytest.raises(AudioError, match="audio data"):
        read(data)


def test_damage_inside_an_mp3_is_not_silently_cut():
    data = bytearray(write(sound(60), "mp3"))
    data[len(data) // 3 : len(data) // 3 + 20_000] = bytes(20_000)
    with pytest.raises(AudioError, match="20160 bytes between its frames are no sound"):
        read(bytes(data))


def test_mp3_without_a_length_header_is_read():
    """As written to a pipe or by a recorder: libsndfile estimates the length from the bit rate."""
    data = write(sound(10, rate=44100), "mp3")
    first = data.index(b"Info") if b"Info" in data[:400] else data.index(b"Xing")
    bare = data[:first] + bytes(120) + data[first + 120 :]
    assert read(bare).seconds == pytest.approx(10, abs=0.1)


def test_limits_are_checked_before_decoding(tmp_path):
    hours = write(Audio(samples=np.zeros((1, 600 * 4000), np.float32), sample_rate=4000), "flac")
    assert len(hours) < 60_000
    with pytest.raises(AudioError, match="lasts 600 s by its header, more than the limit of 60 s"):
        read(hours, max_seconds=60)
    (tmp_path / "a.flac").write_bytes(hours)
    with pytest.raises(AudioError, match="more than the limit of 1000"):
        read(tmp_path / "a.flac", max_bytes=1000)
    with pytest.raises(AudioError, match="more than the limit of 1000"):
        read(hours, max_bytes=1000)


def test_too_short_audio_is_refused():
    tick = write(Audio(samples=np.ones((1, 1), np.float32), sample_rate=16000), "wav")
    assert read(tick).n_samples == 1
    with pytest.raises(AudioError, match="1 samples"):
        read(tick, min_seconds=0.016)


def test_import_is_light():
    code = (
        "import sys, musiccore.audio.sound, musiccore.audio.measures, musiccore.tags; "
        "import musiccore.pages.figures, "
        "musiccore.pages.song; "
        "heavy = {'soundfile', 'soxr', 'matplotlib', 'scipy', 'librosa', 'torch', 'PIL'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
