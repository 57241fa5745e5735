"""What was done to a sound is measured, taken back and told; the rest is the difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from musiccore.audio.comparison import compare
from musiccore.audio.sound import Audio, resample, write
from musiccore.conversion.memory import read


@pytest.fixture(scope="module")
def music() -> Audio:
    """Three seconds of tones that come and go."""
    random, time = np.random.default_rng(2), np.arange(48_000) / 16_000
    samples = np.zeros(len(time))
    for _ in range(40):
        start, pitch = random.uniform(0, 3), random.uniform(100, 3000)
        samples += np.exp(-4 * np.abs(time - start)) * np.sin(2 * np.pi * pitch * time)
    samples *= 0.5 / np.abs(samples).max()
    return Audio(samples=samples[None].astype(np.float32), sample_rate=16_000)


def test_equal_sounds_are_identical(music):
    found = compare(music, music)
    assert found.identical
    assert found.snr_db is None
    assert found.in_words() == ""


def test_lossy_file_is_measured_where_it_lies(music):
    found = compare(music, read(write(music, "mp3")))
    assert not found.identical
    assert found.snr_db > 15
    assert found.offset_seconds == 0
    assert found.spectral_convergence < 0.1
    assert found.seconds == music.seconds


@pytest.mark.parametrize("start", [0, 1, 777, 20_000])
def test_cut_and_quieter_sound_is_found(music, start):
    cut = replace(music, samples=music.samples[:, start : start + 24_000] * np.float32(0.5))
    found = compare(music, cut)
    assert found.offset_seconds == pytest.approx(start / 16_000, abs=1e-6)
    assert found.gain_db == pytest.approx(-6.02, abs=0.01)
    assert found.snr_db is None or found.snr_db > 100
    assert found.seconds == 1.5


def test_sound_that_begins_later_is_found(music):
    found = compare(music, replace(music, samples=np.pad(music.samples, ((0, 0), (3333, 0)))))
    assert found.offset_seconds == pytest.approx(-3333 / 16_000, abs=1e-6)
    assert found.seconds == music.seconds


def test_other_rate_and_channels_are_taken_back(music):
    other = resample(music, 44_100)
    found = compare(music, replace(other, samples=np.repeat(other.samples, 2, axis=0)))
    assert found.resampled
    assert found.mixed
    assert found.snr_db is None or found.snr_db > 60
    assert found.in_words() == "resampled, mixed to mono"


def test_swapped_channels_are_a_difference(music):
    first, second = music.samples[0], music.samples[0, ::-1]
    one = replace(music, samples=np.stack([first, second]))
    assert compare(one, replace(music, samples=np.stack([second, first]))).snr_db < 3


@pytest.mark.parametrize("amplitude", [0.0, 0.3])
def test_other_sound_is_no_likeness(music, amplitude):
    noise = np.random.default_rng(5).normal(0, amplitude, (1, 30_000)).astype(np.float32)
    found = compare(music, replace(music, samples=noise))
    assert found.snr_db < 3
    assert found.spectral_convergence > 0.9


@pytest.mark.parametrize("n", [1, 2, 100])
def test_very_short_sounds_are_compared(music, n):
    short = replace(music, samples=music.samples[:, 1000 : 1000 + n])
    compare(music, short)
    compare(short, music)
    assert compare(short, short).identical
