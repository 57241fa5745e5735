"""Counting codes, and a range of time that does not lie."""

from __future__ import annotations

import random

import pytest

from tasks.progress import LevelMeter, LevelStart, Silent

START = LevelStart(level=1, windows=20, windows_done=5, codes=2000, codes_done=500)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_said_about_time_before_the_first_measurement():
    status = LevelMeter(START, Silent(), Clock()).status()
    assert (status.seconds_low, status.codes_per_second) == (None, None)
    assert (status.window, status.fraction) == (6, 0.25)


def test_whole_window_is_counted_once():
    clock = Clock()
    meter = LevelMeter(START, Silent(), clock)
    for _ in range(100):
        clock.now += 0.1
        meter.step(1)
    meter.back(100)
    meter.window_done(100)
    status = meter.status()
    assert (status.codes_done, status.window) == (600, 7)
    assert status.codes_per_second == pytest.approx(10)
    assert status.seconds_low < 140 < status.seconds_high


@pytest.mark.parametrize("seed", range(5))
def test_range_holds_the_truth_although_the_speed_varies(seed):
    chance, clock = random.Random(seed), Clock()
    meter = LevelMeter(START, Silent(), clock)
    seen = []
    for n in range(1500):
        clock.now += chance.expovariate(10)
        meter.step(1)
        if n == 500:
            seen.append((clock.now, meter.status()))
    at, status = seen[0]
    assert status.seconds_low <= clock.now - at <= status.seconds_high
    assert status.seconds_high < 2 * status.seconds_low
