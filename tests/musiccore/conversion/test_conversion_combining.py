"""Cutting, fading, joining, takes side by side, and pydub's segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musiccore.audio.sound import Audio
from musiccore.conversion import (
    ConversionOptions,
    convert,
    fade,
    from_segment,
    join,
    open_sound,
    stereo,
    to_segment,
    trim,
)
from musiccore.errors import AudioError, ConfigError
from musiccore.tags import read_tags, tag_file

RATE = 48000
WAV = ConversionOptions(kind="wav", bits="float")


def put(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, samples, rate, subtype, format=path.suffix[1:].upper())
    return path


def level(path: Path, value: float, seconds: float = 1.0, channels: int = 1) -> Path:
    return put(path, np.full((round(seconds * RATE), channels), value))


def heard(path: Path) -> np.ndarray:
    return np.concatenate(list(open_sound(path).blocks()))


def ramp(path: Path, seconds: float = 4.0) -> Path:
    """Every sample is its own position."""
    n = round(seconds * RATE)
    return put(path, (np.arange(n) / n)[:, None])


# Cutting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "opus"])
def test_cut_is_where_it_was_asked_for(tmp_path, kind) -> None:
    t = np.arange(4 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * (200 * t + 100 * t**2))  # no place sounds like another
    put(tmp_path / "whole.wav", tone[:, None])
    options = ConversionOptions(kind=kind, engine="soundfile")
    convert(tmp_path / "whole.wav", tmp_path / f"a.{kind}", options)
    trim(tmp_path / f"a.{kind}", tmp_path / "b.wav", start=1.25, end=2.75)
    after = heard(tmp_path / "b.wav")[:, 0]
    expected = tone[round(1.25 * RATE) : round(2.75 * RATE)]
    assert len(after) == len(expected)
    lags = np.fft.irfft(np.fft.rfft(after, 1 << 18) * np.conj(np.fft.rfft(expected, 1 << 18)))
    assert np.argmax(lags) == 0


def test_length_is_exact_with_silence_or_without(tmp_path) -> None:
    source = ramp(tmp_path / "a.wav", 1.0)
    trim(source, tmp_path / "b.wav", seconds=2.5)
    after = heard(tmp_path / "b.wav")
    assert len(after) == round(2.5 * RATE)
    np.testing.assert_array_equal(after[:RATE], heard(source))
    assert not after[RATE:].any()
    trim(source, tmp_path / "c.wav", start=0.25, seconds=0.1)
    np.testing.assert_array_equal(heard(tmp_path / "c.wav"), heard(source)[12000:16800])
    options = ConversionOptions(kind="mp3", seconds=1.2345, sample_rate=44100)
    assert convert(source, tmp_path / "d.mp3", options).seconds == round(1.2345 * 44100) / 44100
    assert soundfile.info(tmp_path / "d.mp3").frames == round(1.2345 * 44100)


def test_cut_after_the_end_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"start: 'a\.wav' ends before 9 s"):
        trim(ramp(tmp_path / "a.wav", 1.0), tmp_path / "b.wav", start=9.0)
    with pytest.raises(ConfigError, match="does not say which format"):
        trim(tmp_path / "a.wav", tmp_path / "b")


def test_fades_begin_and_end_in_silence(tmp_path) -> None:
    fade(level(tmp_path / "a.wav", 0.5, 3.0, 2), tmp_path / "b.wav", fade_in=1.0, fade_out=0.5)
    after = heard(tmp_path / "b.wav")
    assert len(after) == 3 * RATE
    assert after[0, 0] == 0.0
    assert after[-1, 1] == pytest.approx(0.0, abs=1e-4)
    assert after[RATE // 2, 0] == pytest.approx(0.5 * np.sqrt(0.5), abs=1e-4)
    np.testing.assert_array_equal(after[RATE : 2 * RATE, 0], np.float32(0.5))
    assert np.all(np.diff(after[:RATE, 0]) >= 0)


def test_fade_out_ends_where_a_damaged_file_ends(tmp_path) -> None:
    level(tmp_path / "a.wav", 0.5, 4.0)
    convert(tmp_path / "a.wav", tmp_path / "a.mp3", ConversionOptions(kind="mp3"))
    data = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2])
    fade(tmp_path / "a.mp3", tmp_path / "b.wav", fade_out=0.5)
    after = heard(tmp_path / "b.wav")[:, 0]
    assert len(after) < 2.1 * RATE
    assert after[-1] == pytest.approx(0.0, abs=1e-3)
    assert after[-RATE] == pytest.approx(0.5, abs=0.05)


# Joining ------------------------------------------------------------------------------------------


def test_files_are_joined_end_to_end(tmp_path) -> None:
    sources = [level(tmp_path / f"{n}.wav", n / 10, 0.5 * n) for n in (1, 2, 3)]
    result = join(sources, tmp_path / "all.wav", WAV)
    expected = np.concatenate([heard(source) for source in sources])
    np.testing.assert_array_equal(heard(tmp_path / "all.wav"), expected)
    assert result.seconds == 3.0


def test_sixteen_bit_files_are_joined_without_a_changed_sample(tmp_path) -> None:
    rng = np.random.default_rng(0)
    sources = [put(tmp_path / f"{n}.wav", 0.1 * rng.standard_normal((9000, 2)), subtype="PCM_16")
               for n in range(2)]  # fmt: skip
    result = join(sources, tmp_path / "all.flac", ConversionOptions(kind="flac"))
    expected = np.concatenate([heard(source) for source in sources])
    np.testing.assert_array_equal(heard(tmp_path / "all.flac"), expected)
    assert result.subtype == "PCM_16"


def test_crossfade_keeps_the_power_and_takes_its_time_off_the_whole(tmp_path) -> None:
    rng = np.random.default_rng(4)
    sources = [put(tmp_path / f"{n}.wav", 0.1 * rng.standard_normal((3 * RATE, 1)))
               for n in range(3)]  # fmt: skip
    result = join(sources, tmp_path / "all.wav", WAV, crossfade=1.0)
    after = heard(tmp_path / "all.wav")[:, 0]
    assert len(after) == (9 - 2) * RATE == round(result.seconds * RATE)
    power = np.sqrt((after.reshape(-1, RATE // 4) ** 2).mean(axis=1))
    assert np.all(np.abs(power / 0.1 - 1) < 0.05)
    np.testing.assert_array_equal(after[: 2 * RATE], heard(sources[0])[: 2 * RATE, 0])
    np.testing.assert_array_equal(after[-2 * RATE :], heard(sources[2])[-2 * RATE :, 0])


def test_joined_files_may_differ_in_rate_channels_and_format(tmp_path) -> None:
    level(tmp_path / "a.wav", 0.25, 1.0, 1)
    put(tmp_path / "b.flac", np.tile([0.5, -0.5], (22050, 1)), 22050, "PCM_16")
    result = join([tmp_path / "a.wav", tmp_path / "b.flac"], tmp_path / "c.wav", WAV, crossfade=0.1)
    assert (result.sample_rate, result.channels, result.seconds) == (RATE, 2, 1.9)
    after = heard(tmp_path / "c.wav")
    np.testing.assert_allclose(after[RATE // 2], [0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(after[3 * RATE // 2], [0.5, -0.5], atol=1e-3)


def test_joining_keeps_the_tags_of_the_first(tmp_path) -> None:
    sources = [level(tmp_path / f"{n}.wav", 0.1) for n in range(2)]
    tag_file(sources[0], {"title": "Şarkı 歌"})
    join(sources, tmp_path / "c.flac", ConversionOptions(kind="flac"), tags={"artist": "x"})
    tags = read_tags(tmp_path / "c.flac")
    assert (tags["title"], tags["artist"]) == ("Şarkı 歌", "x")


def test_bad_join_names_its_field(tmp_path) -> None:
    short, long = level(tmp_path / "a.wav", 0.1, 0.2), level(tmp_path / "b.wav", 0.1)
    with pytest.raises(ConfigError, match="sources: there is none"):
        join([], tmp_path / "c.wav", WAV)
    with pytest.raises(ConfigError, match=r"crossfade: 0\.5 s is longer than 'a\.wav' \(0\.20 s\)"):
        join([long, short], tmp_path / "c.wav", WAV, crossfade=0.5)
    with pytest.raises(ConfigError, match="crossfade: -1 s is out of range"):
        join([long, short], tmp_path / "c.wav", WAV, crossfade=-1.0)


# Side by side -------------------------------------------------------------------------------------


def test_takes_are_placed_left_centre_and_right(tmp_path) -> None:
    takes = [level(tmp_path / f"{n}.wav", n / 10, 1.0 + n, 2) for n in (1, 2, 3)]
    result = stereo(*takes, tmp_path / "s.wav", WAV)
    after, half = heard(tmp_path / "s.wav"), np.sqrt(0.5)
    assert (result.channels, result.seconds) == (2, 4.0)
    np.testing.assert_allclose(after[RATE], [0.1 + 0.2 * half, 0.3 + 0.2 * half], atol=1e-6)
    np.testing.assert_allclose(after[-100], [0.0, 0.3], atol=1e-6)


def test_takes_begin_later_and_louder_as_asked(tmp_path) -> None:
    click = np.zeros((RATE, 1))
    click[1000] = 0.25
    take = put(tmp_path / "a.wav", click)
    stereo(take, None, take, tmp_path / "s.wav", WAV, delays=(0.0, 0.0, 20.0), gains=(6.0206, 0, 0))
    after = heard(tmp_path / "s.wav")
    assert len(after) == RATE + 960
    assert list(np.flatnonzero(after[:, 0])) == [1000]
    assert list(np.flatnonzero(after[:, 1])) == [1960]
    np.testing.assert_allclose([after[1000, 0], after[1960, 1]], [0.5, 0.25], atol=1e-5)


def test_bad_placing_names_its_field(tmp_path) -> None:
    take = level(tmp_path / "a.wav", 0.1)
    with pytest.raises(ConfigError, match="fewer than two takes"):
        stereo(None, take, None, tmp_path / "s.wav", WAV)
    with pytest.raises(ConfigError, match="delays: -5 ms is out of range"):
        stereo(take, None, take, tmp_path / "s.wav", WAV, delays=(-5.0, 0.0, 0.0))
    with pytest.raises(ConfigError, match="gains: 99 dB is out of range"):
        stereo(take, None, take, tmp_path / "s.wav", WAV, gains=(0.0, 0.0, 99.0))
    with pytest.raises(AudioError, match=r"missing\.wav' does not exist"):
        stereo(take, None, tmp_path / "missing.wav", tmp_path / "s.wav", WAV)


# pydub --------------------------------------------------------------------------------------------


def test_segments_of_pydub_go_there_and_back(tmp_path) -> None:
    rng = np.random.default_rng(0)
    samples = (0.3 * rng.standard_normal((2, 4410))).clip(-1, 1).astype(np.float32)
    audio = Audio(samples=samples, sample_rate=44100)
    for bits in (16, 32):
        segment = to_segment(audio, bits=bits)
        assert (segment.channels, segment.frame_rate, segment.frame_count()) == (2, 44100, 4410)
        back = from_segment(segment)
        np.testing.assert_allclose(back.samples, samples, atol=0.6 / 2 ** (bits - 1) + 1e-7)
    halves = from_segment(to_segment(audio)[:50] + to_segment(audio)[50:])
    assert halves.n_samples == 4410
    eight = from_segment(to_segment(audio).set_sample_width(1))
    np.testing.assert_allclose(eight.samples, samples, atol=0.02)
    with pytest.raises(AudioError, match="16 or 32 bit"):
        to_segment(audio, bits=24)
