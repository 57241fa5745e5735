"""Loudness and true peak: measured as the recommendation says, reached, and kept when decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musiccore.audio.loudness import LoudnessMeter, decibels
from musiccore.audio.measures import loudness_lufs
from musiccore.conversion import ConversionOptions, convert, open_sound
from musiccore.conversion.limiter import Limiter


def measured(samples: np.ndarray, rate: int = 48000, block: int = 65536) -> LoudnessMeter:
    meter = LoudnessMeter(rate, samples.shape[1])
    for at in range(0, len(samples), block):
        meter.add(samples[at : at + block])
    return meter


def of(path: Path) -> tuple[float, float]:
    """LUFS and dBTP of a file as it is decoded."""
    sound = open_sound(path)
    meter = measured(np.concatenate(list(sound.blocks())), sound.sample_rate)
    return meter.integrated(), decibels(meter.true_peak())


def sine(hz: float, seconds: float, rate: int = 48000, phase: float = 0.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate + phase)[:, None]


def plucks(path: Path, seconds: float = 4.0, rate: int = 44100) -> Path:
    """Music with quiet tails and sharp peaks."""
    rng = np.random.default_rng(0)
    out = np.zeros((round(seconds * rate), 2))
    for start in range(0, len(out), rate // 4):
        t = np.arange(min(rate, len(out) - start)) / rate
        base = 110 * 2 ** (rng.integers(0, 36) / 12)
        wave = sum(np.sin(2 * np.pi * base * k * t) / k for k in range(1, 8)) * np.exp(-4 * t)
        out[start : start + len(t)] += wave[:, None] * rng.random(2)
    soundfile.write(path, 0.5 * out / np.abs(out).max(), rate, "PCM_16")
    return path


# Measuring ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192000])
def test_full_sine_of_997_hz_is_at_minus_three(rate) -> None:
    assert measured(sine(997, 2.0, rate), rate).integrated() == pytest.approx(-3.05, abs=0.1)


def test_both_channels_are_summed_and_the_surround_is_weighted() -> None:
    one = sine(997, 2.0)
    stereo = measured(np.tile(one, (1, 2))).integrated()
    assert stereo == pytest.approx(measured(one).integrated() + 3.01, abs=0.01)
    behind, low = np.zeros((len(one), 6)), np.zeros((len(one), 6))
    behind[:, 4], low[:, 3] = one[:, 0], one[:, 0]
    assert measured(behind).integrated() == pytest.approx(-3.05 + 1.5, abs=0.1)
    assert measured(low).integrated() == float("-inf")


def test_quiet_parts_are_gated() -> None:
    loud, quiet = 0.1 * sine(997, 4.0), 0.001 * sine(997, 8.0)
    both = measured(np.concatenate([loud, quiet])).integrated()
    assert both == pytest.approx(measured(loud).integrated(), abs=0.3)


def test_measuring_does_not_depend_on_the_blocks() -> None:
    samples = np.random.default_rng(1).standard_normal((100_000, 2)) * 0.1
    whole = measured(samples, block=1 << 20).integrated()
    for block in (1, 4800, 4801, 65536):
        n = 9_600 if block == 1 else len(samples)
        expected = whole if n == len(samples) else measured(samples[:n]).integrated()
        assert measured(samples[:n], block=block).integrated() == pytest.approx(expected, abs=1e-9)
    assert loudness_lufs(samples.T, 48000) == pytest.approx(whole, abs=1e-9)


def test_short_and_silent_sounds_have_a_loudness() -> None:
    assert measured(sine(997, 0.1)).integrated() == pytest.approx(-3.0, abs=0.5)
    assert measured(np.zeros((48000, 2))).integrated() == float("-inf")
    assert measured(np.zeros((0, 2))).integrated() == float("-inf")


def test_true_peak_is_seen_between_the_samples() -> None:
    meter = measured(sine(12000, 1.0, phase=np.pi / 4))
    assert decibels(meter.peak) == pytest.approx(-3.01, abs=0.01)
    assert decibels(meter.true_peak()) == pytest.approx(0.0, abs=0.2)


# Reaching -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [-30.0, -14.0, -9.0])
@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
def test_loudness_is_reached_under_the_ceiling_even_after_decoding(tmp_path, kind, target) -> None:
    options = ConversionOptions(kind=kind, loudness=target, engine="soundfile")
    result = convert(plucks(tmp_path / "a.wav"), tmp_path / f"b.{kind}", options)
    loudness, peak = of(tmp_path / f"b.{kind}")
    assert loudness == pytest.approx(target, abs=0.2)
    assert peak <= -1.0 + 0.02
    assert result.loudness is not None
    assert result.loudness.after == pytest.approx(loudness, abs=0.05)
    assert result.seconds == 4.0
    if target == -30.0:
        assert result.loudness.limited == pytest.approx(0.0, abs=1e-3)


def test_ceiling_can_be_chosen(tmp_path) -> None:
    options = ConversionOptions(kind="flac", loudness=-16.0, true_peak=-9.0)
    convert(plucks(tmp_path / "a.wav"), tmp_path / "b.flac", options)
    loudness, peak = of(tmp_path / "b.flac")
    assert loudness == pytest.approx(-16.0, abs=0.2)
    assert peak <= -9.0 + 0.02


def test_loudness_beyond_reach_is_said_and_the_ceiling_holds(tmp_path) -> None:
    options = ConversionOptions(kind="wav", loudness=-1.0)
    result = convert(plucks(tmp_path / "a.wav"), tmp_path / "b.wav", options)
    assert "-1 cannot be reached under a ceiling of -1 dBTP" in result.warnings[0]
    assert of(tmp_path / "b.wav")[1] <= -0.9


def test_silence_and_very_short_sounds_are_handled(tmp_path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros((44100, 2)), 44100)
    soundfile.write(tmp_path / "short.wav", 0.1 * sine(997, 0.1, 44100), 44100)
    options = ConversionOptions(kind="flac", loudness=-14.0)
    silent = convert(tmp_path / "silent.wav", tmp_path / "a.flac", options)
    assert silent.warnings == ("the sound is silent: its loudness is left alone",)
    assert not np.any(soundfile.read(tmp_path / "a.flac")[0])
    convert(tmp_path / "short.wav", tmp_path / "b.flac", options)
    assert of(tmp_path / "b.flac")[0] == pytest.approx(-14.0, abs=0.2)


def test_limiter_leaves_what_is_low_alone_and_keeps_length_and_place() -> None:
    rng = np.random.default_rng(2)
    samples = (0.2 * rng.standard_normal((200_001, 2))).clip(-0.4, 0.4)
    samples[100_000] = 3.0
    limiter = Limiter(48000, 2, 0.9)
    blocks = np.array_split(samples, [1, 5, 70_000, 70_001, 150_000])
    after = np.concatenate(list(limiter(iter(blocks))))
    assert after.shape == samples.shape
    far = np.abs(np.arange(len(samples)) - 100_000) > 3000
    np.testing.assert_allclose(after[far], samples[far], rtol=1e-6)
    assert np.abs(after).max() <= 0.9
    assert after[100_000, 0] > 0.6
    assert 0.2 < limiter.lowest < 0.32
    few = list(Limiter(48000, 1, 0.5)(iter([np.ones((3, 1))])))
    assert np.concatenate(few).shape == (3, 1)
