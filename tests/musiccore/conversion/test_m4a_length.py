"""An m4a is as long as what went into it, whichever ffmpeg writes it and whichever reads it."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from musiccore.conversion import ConversionOptions, convert, open_sound
from musiccore.conversion.mp4_length import sound_frames

PROGRAMS = sorted({imageio_ffmpeg.get_ffmpeg_exe(), shutil.which("ffmpeg") or ""} - {""})


def noise(path: Path, frames: int, rate: int, channels: int = 1) -> Path:
    samples = 0.1 * np.random.default_rng(frames).standard_normal((frames, channels))
    soundfile.write(path, samples, rate)
    return path


def heard(path: Path, program: str) -> np.ndarray:
    return np.concatenate(list(open_sound(path, ffmpeg=program).blocks()))


@pytest.fixture
def padding_ffmpeg(tmp_path) -> str:
    """An ffmpeg that decodes the last frame to its end, filling included, as older ones do."""
    program = tmp_path / "padding-ffmpeg"
    real = imageio_ffmpeg.get_ffmpeg_exe()
    program.write_text(f'#!/bin/sh\n"{real}" "$@" && head -c 3824 /dev/zero\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("writer", PROGRAMS)
@pytest.mark.parametrize(("frames", "rate"), [(44_100, 44_100), (96_000, 48_000), (50_001, 22_050)])
def test_an_m4a_holds_exactly_what_went_in(tmp_path, writer, frames, rate, padding_ffmpeg) -> None:
    source = noise(tmp_path / "a.wav", frames, rate)
    convert(source, tmp_path / "a.m4a", ConversionOptions(kind="m4a", ffmpeg=writer))
    assert sound_frames(tmp_path / "a.m4a", rate) == frames
    for reader in (*PROGRAMS, padding_ffmpeg):
        assert len(heard(tmp_path / "a.m4a", reader)) == frames, reader
    back = convert(
        tmp_path / "a.m4a",
        tmp_path / "b.wav",
        ConversionOptions(kind="wav", ffmpeg=padding_ffmpeg, strict=True),
    )
    assert (back.seconds, soundfile.info(tmp_path / "b.wav").frames) == (frames / rate, frames)


def test_five_samples_stay_five(tmp_path, padding_ffmpeg) -> None:
    source = noise(tmp_path / "a.wav", 5, 8_000)
    convert(source, tmp_path / "a.m4a", ConversionOptions(kind="m4a"))
    assert len(heard(tmp_path / "a.m4a", padding_ffmpeg)) == 5


def test_a_length_in_milliseconds_stands_for_the_whole_track(tmp_path) -> None:
    """As ffmpeg before 2021 writes it: 44 123 samples are 1 001 of the movie's units."""
    convert(
        noise(tmp_path / "a.wav", 44_123, 44_100), tmp_path / "a.m4a", ConversionOptions(kind="m4a")
    )
    data = bytearray((tmp_path / "a.m4a").read_bytes())
    struct.pack_into(">II", data, data.index(b"mvhd") + 16, 1000, 1001)
    struct.pack_into(">I", data, data.index(b"elst") + 12, 1001)
    (tmp_path / "a.m4a").write_bytes(data)
    assert sound_frames(tmp_path / "a.m4a", 44_100) == 44_123


def test_an_edit_list_that_takes_a_part_is_a_part(tmp_path) -> None:
    convert(
        noise(tmp_path / "a.wav", 44_100, 44_100), tmp_path / "a.m4a", ConversionOptions(kind="m4a")
    )
    data = bytearray((tmp_path / "a.m4a").read_bytes())
    struct.pack_into(">I", data, data.index(b"elst") + 12, 30_000)
    (tmp_path / "a.m4a").write_bytes(data)
    assert sound_frames(tmp_path / "a.m4a", 44_100) == 30_000


def test_a_length_that_is_far_too_short_takes_no_sound_away(tmp_path, padding_ffmpeg) -> None:
    """A decoder that gives seconds more than the file says is believed."""
    convert(
        noise(tmp_path / "a.wav", 44_100, 44_100), tmp_path / "a.m4a", ConversionOptions(kind="m4a")
    )
    program = Path(padding_ffmpeg)
    program.write_text(program.read_text().replace("3824", "80000"))
    assert len(heard(tmp_path / "a.m4a", padding_ffmpeg)) == 44_100 + 20_000


def test_what_is_no_mp4_says_no_length(tmp_path) -> None:
    for name, data in (("text", b"no atoms here"), ("nothing", b""), ("zeros", bytes(4096))):
        (tmp_path / name).write_bytes(data)
        assert sound_frames(tmp_path / name, 44_100) is None
