"""Files that are not what they seem: one clear line that names the file, and nothing left over."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musiccore.conversion import ConversionOptions, convert
from musiccore.conversion.memory import read
from musiccore.errors import AudioError, MissingProgram

RATE = 44100
GOOD = ("wav", "rf64", "w64", "flac", "mp3", "ogg", "opus", "aiff", "caf", "au", "m4a", "webm")


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    """Eight seconds of noisy music in every format."""
    folder = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(0)
    t = np.arange(8 * RATE) / RATE
    tones = np.stack([np.sin(2 * np.pi * f * t) for f in (440, 550)], axis=1)
    soundfile.write(folder / "a.wav", 0.3 * tones + 0.01 * rng.standard_normal(tones.shape), RATE)
    files = {"wav": (folder / "a.wav").read_bytes()}
    for kind in GOOD[1:]:
        options = ConversionOptions(
            kind=kind, engine="auto" if kind in ("m4a", "webm") else "soundfile"
        )
        convert(folder / "a.wav", folder / f"a.{kind}", options)
        files[kind] = (folder / f"a.{kind}").read_bytes()
    return files


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def damaged(data: bytes) -> bytes:
    return patched(data, len(data) // 2, np.random.default_rng(1).bytes(2000))


def attempt(folder: Path, source: Path, kind: str = "mp3", **words: object):
    """Convert; a failure leaves nothing behind."""
    target = folder / "out" / f"b.{kind}"
    try:
        return convert(source, target, ConversionOptions(kind=kind, **words), force=True)
    except BaseException:
        assert not target.exists()
        assert not list((folder / "out").glob(".*"))
        raise


REFUSED = {
    "empty.wav": ("is empty", lambda good: b""),
    "text.mp3": ("is not audio that can be read", lambda good: b"hello, this is text\n" * 99),
    "zeros.wav": ("is not audio that can be read", lambda good: bytes(9999)),
    "random.mp3": ("is not audio", lambda good: np.random.default_rng(0).bytes(9999)),
    "random.m4a": ("is not audio", lambda good: np.random.default_rng(0).bytes(9999)),
    "short.wav": ("cannot be decoded as wav", lambda good: good["wav"][:20]),
    "no_channels.wav": ("cannot be decoded as wav", lambda good: patched(good["wav"], 22, b"\0\0")),
    "no_rate.wav": ("cannot be decoded as wav", lambda good: patched(good["wav"], 24, bytes(4))),
    "fast.wav": (
        "has a sample rate of 1000000000 Hz",
        lambda good: patched(good["wav"], 24, struct.pack("<I", 10**9)),
    ),
    "cut.m4a": ("cannot be decoded: moov atom not found", lambda good: good["m4a"][:50000]),
    "video.avi": ("cannot be decoded: .*Invalid data", lambda good: b"RIFF\x10\0\0\0AVI LIST"),
    **{
        f"head.{kind}": ("cannot be decoded|is empty", lambda good, kind=kind: good[kind][:60])
        for kind in GOOD
        if kind not in ("wav", "aiff", "au")
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_audio_is_refused_in_one_line(tmp_path, good, name, capfd) -> None:
    words, make = REFUSED[name]
    (tmp_path / name).write_bytes(make(good))
    with pytest.raises(AudioError, match=rf"'.*{name}' {words}") as caught:
        attempt(tmp_path, tmp_path / name)
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_what_is_no_file_is_refused(tmp_path) -> None:
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, words in (
        ("folder.wav", "is a folder"),
        ("pipe.wav", "is a pipe or a device"),
        ("missing.wav", "does not exist"),
        ("folder.wav/../text/x.wav", "does not exist"),
    ):
        with pytest.raises(AudioError, match=f"'.*{name}' {words}"):
            attempt(tmp_path, tmp_path / name)


CUT = [kind for kind in GOOD if kind != "m4a"]


@pytest.mark.parametrize("kind", CUT)
def test_file_that_was_cut_is_converted_as_far_as_it_goes_and_said(
    tmp_path, good, kind, capfd
) -> None:
    source = tmp_path / f"cut.{kind}"
    source.write_bytes(good[kind][: len(good[kind]) // 2])
    result = attempt(tmp_path, source, "flac")
    assert 2.4 < result.seconds < 4.1
    assert result.warnings[0].startswith(f"'cut.{kind}' ")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(AudioError, match=rf"'cut.{kind}' (promises|is)"):
        attempt(tmp_path / "strict", source, "flac", strict=True)


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "opus", "m4a"])
def test_file_with_damage_inside_is_said(tmp_path, good, kind, capfd) -> None:
    source = tmp_path / f"bad.{kind}"
    source.write_bytes(damaged(good[kind]))
    result = attempt(tmp_path, source, "flac")
    assert result.seconds > 2.4
    assert result.warnings[0].startswith(f"'bad.{kind}' ")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(AudioError, match=rf"'bad.{kind}' "):
        attempt(tmp_path / "strict", source, "flac", strict=True)


@pytest.mark.parametrize("kind", GOOD)
def test_whole_files_are_not_suspected(tmp_path, good, kind) -> None:
    (tmp_path / f"a.{kind}").write_bytes(good[kind])
    result = attempt(tmp_path, tmp_path / f"a.{kind}", "caf", strict=True)
    assert result.source_kind == kind
    assert not [words for words in result.warnings if "tags" not in words]


def test_wav_named_mp3_is_read_and_reported(tmp_path, good) -> None:
    (tmp_path / "a.mp3").write_bytes(good["wav"])
    result = attempt(tmp_path, tmp_path / "a.mp3", "flac")
    assert result.warnings == ("'a.mp3' is WAV by its content, not MP3",)
    (tmp_path / "b.raw").write_bytes(good["flac"])
    assert attempt(tmp_path, tmp_path / "b.raw", "wav").source_kind == "flac"


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
def test_samples_that_are_no_numbers_are_refused_and_the_process_lives(
    tmp_path, kind, value
) -> None:
    samples = np.zeros((90000, 2), dtype=np.float32)
    samples[80000, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, 44100, "FLOAT")
    with pytest.raises(AudioError, match=r"'.*a\.wav' holds NaN or infinite samples after 1.5 s"):
        attempt(tmp_path, tmp_path / "a.wav", kind)


@pytest.mark.parametrize("kind", ["wav", "rf64", "w64", "ogg", "aiff", "caf", "au"])
def test_nothing_becomes_nothing_where_the_format_can_hold_it(tmp_path, kind) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2)), 44100)
    result = attempt(tmp_path, tmp_path / "a.wav", kind)
    assert (result.seconds, result.warnings) == (0.0, ("'a.wav' holds no sound",))
    assert soundfile.info(tmp_path / "out" / f"b.{kind}").frames == 0


@pytest.mark.parametrize("kind", ["mp3", "flac", "opus", "m4a"])
def test_nothing_is_refused_where_the_format_cannot_hold_it(tmp_path, kind) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2)), 44100)
    with pytest.raises(AudioError, match=f"'a.wav' holds no sound, and {kind} cannot hold none"):
        attempt(tmp_path, tmp_path / "a.wav", kind)
    assert attempt(tmp_path, tmp_path / "a.wav", kind, seconds=0.5).seconds == 0.5


def test_without_ffmpeg_the_extra_is_named(tmp_path, good, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    (tmp_path / "a.wav").write_bytes(good["wav"])
    (tmp_path / "a.m4a").write_bytes(good["m4a"])
    for source, kind, purpose in (
        ("a.wav", "m4a", "writing m4a"),
        ("a.m4a", "wav", "reading 'a.m4a'"),
    ):
        with pytest.raises(MissingProgram, match=f"{purpose} needs the program ffmpeg") as caught:
            attempt(tmp_path, tmp_path / source, kind)
        assert caught.value.extra == "ffmpeg"
        assert "jukeflow[ffmpeg]" in str(caught.value)
    assert attempt(tmp_path, tmp_path / "a.wav", "mp3").engine == "soundfile"
    with pytest.raises(AudioError, match="is m4a, which soundfile cannot read"):
        convert(tmp_path / "a.m4a", tmp_path / "b.wav",
                ConversionOptions(kind="wav", engine="soundfile"))  # fmt: skip


def test_decoder_of_mp3_does_not_talk_to_the_terminal(tmp_path, good, capfd) -> None:
    (tmp_path / "a.mp3").write_bytes(damaged(good["mp3"]))
    attempt(tmp_path, tmp_path / "a.mp3", "wav")
    with pytest.raises(AudioError):
        read(tmp_path / "a.mp3")
    os.write(2, b"but others do\n")
    assert capfd.readouterr() == ("", "but others do\n")


def test_cut_of_a_damaged_file_is_one_line_too(tmp_path, good) -> None:
    data = good["flac"]
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"'.*a\.flac' cannot be decoded as flac"):
        attempt(tmp_path, tmp_path / "a.flac", "wav", start=6.0)
    (tmp_path / "b.flac").write_bytes(damaged(data))
    assert attempt(tmp_path, tmp_path / "b.flac", "wav", start=1.0, end=2.0).seconds == 1.0
