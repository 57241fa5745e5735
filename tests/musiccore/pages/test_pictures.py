"""Pictures show the sound at the right place, quickly, in small files."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest

from musiccore.audio.sound import Audio
from musiccore.pages import figures

SR = 16000
DRAWINGS = (figures.waveform, figures.spectrogram)


def clip(samples, rate: int = SR) -> Audio:
    return Audio(samples=np.atleast_2d(samples).astype(np.float32), sample_rate=rate)


def sine(hertz: float, seconds: float = 12.0, rate: int = SR):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def plot(png: bytes):
    """Brightness of the plot area, [rows from the top, columns], 0 to 1."""
    from PIL import Image

    image = Image.open(io.BytesIO(png))
    assert image.size == (figures.WIDTH, figures.HEIGHT)
    grey = np.asarray(image.convert("L"), dtype=float) / 255
    top, bottom = (1 - figures.PLOT_TOP) * 360, (1 - figures.PLOT_BOTTOM) * 360
    left, right = figures.PLOT_LEFT * 960, figures.PLOT_RIGHT * 960
    return grey[round(top) + 2 : round(bottom) - 2, round(left) + 2 : round(right) - 2]


def test_waveform_is_high_where_the_sound_is_loud():
    quiet_then_loud = np.concatenate([0.1 * sine(300, 6), 1.8 * sine(300, 6)])
    lit = plot(figures.waveform(clip(quiet_then_loud))) > 0.5
    height = lit.mean(axis=0)
    middle = len(height) // 2
    assert height[: middle - 5].mean() == pytest.approx(0.05, abs=0.03)
    assert height[middle + 5 :].mean() == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("rate", [SR, 44100])
@pytest.mark.parametrize("hertz", [110.0, 440.0, 3000.0])
def test_spectrogram_shows_a_tone_at_its_pitch(hertz, rate):
    light = plot(figures.spectrogram(clip(sine(hertz, rate=rate), rate)))
    row = light.mean(axis=1).argmax() / light.shape[0]
    expected = 1 - np.log(hertz / figures.LOWEST_HZ) / np.log(rate / 2 / figures.LOWEST_HZ)
    assert row == pytest.approx(expected, abs=0.02)


def test_spectrogram_shows_a_tone_at_its_time():
    light = plot(figures.spectrogram(clip(np.concatenate([np.zeros(9 * SR), sine(440, 3)]))))
    columns = light[40:].mean(axis=0)
    edge = round(len(columns) * 0.75)
    assert columns[edge + 15 :].mean() > 3 * columns[80 : edge - 15].mean()


def noise() -> Audio:
    return clip(np.random.default_rng(0).uniform(-1, 1, 12 * SR))


def music() -> Audio:
    random = np.random.default_rng(0)
    t = np.arange(2 * SR) / SR
    samples = 0.003 * random.standard_normal(12 * SR)
    for start in range(0, 10 * SR, SR // 3):
        hertz = 440 * 2 ** (random.integers(-20, 12) / 12)
        for k in range(1, 10):
            samples[start : start + 2 * SR] += (
                0.2 / k * np.exp(-3 * t) * np.sin(6.283 * k * hertz * t)
            )
    return clip(samples / np.abs(samples).max())


@pytest.mark.parametrize("draw", DRAWINGS)
def test_pictures_are_small(draw):
    for audio in (noise(), music()):
        assert len(draw(audio)) < 60_000


@pytest.mark.benchmark
@pytest.mark.parametrize("draw", DRAWINGS)
def test_pictures_are_drawn_in_half_a_second(draw):
    draw(noise())  # imports matplotlib
    for audio in (noise(), music()):
        start = time.process_time()
        draw(audio)
        assert time.process_time() - start < 0.5


@pytest.mark.parametrize("draw", DRAWINGS)
def test_any_audio_can_be_drawn(draw):
    for samples, rate in (
        (np.ones((1, 1)), SR),
        (np.zeros((1, 1000)), SR),
        (np.zeros((2, 999)), 4000),
        (np.full((1, 50_000), 3.0), 384_000),
        (np.random.default_rng(0).uniform(-1, 1, (1, 4000 * 700)), 4000),
    ):
        plot(draw(clip(samples, rate)))


@pytest.mark.parametrize("draw", DRAWINGS)
def test_equal_audio_gives_equal_pictures(draw):
    assert draw(music()) == draw(music())


@pytest.mark.parametrize("seconds", [0.0001, 0.9, 12.0, 61.3, 600.0, 7200.0])
def test_there_is_a_handful_of_time_labels(seconds):
    ticks = figures._second_ticks(seconds)
    assert ticks[0] == 0
    assert 1 <= len(ticks) <= 9
    assert ticks[-1] < seconds


def test_long_times_are_written_as_minutes():
    assert figures._tick_label(90.0, 240.0) == "1:30"
    assert figures._tick_label(2.0, 12.0) == "2 s"


def test_no_global_figures_are_made():
    import sys

    figures.waveform(music())
    assert "matplotlib.pyplot" not in sys.modules
