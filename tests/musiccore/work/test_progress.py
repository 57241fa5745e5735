"""Counting codes, and a range of time that does not lie."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from musiccore.work.progress import LevelMeter, LevelStart, Silent, Status

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


def test_loading_before_the_first_code_is_not_slow_sampling():
    clock = Clock()
    meter = LevelMeter(START, Silent(), clock)
    clock.now += 60
    for _ in range(20):
        clock.now += 0.1
        meter.step(1)
    assert meter.status().codes_per_second == pytest.approx(10)


def test_even_speed_gives_a_narrow_range():
    clock = Clock()
    meter = LevelMeter(START, Silent(), clock)
    for _ in range(1000):
        clock.now += 0.1
        meter.step(1)
    status = meter.status()
    assert status.seconds_high < 1.7 * status.seconds_low


def test_reason_names_both_speeds_and_goes_after_a_while():
    clock = Clock()
    meter = LevelMeter(START, Silent(), clock)
    seen = []
    for n in range(1400):
        clock.now += 0.1 if n < 700 else 0.4
        meter.step(1)
        seen.append(meter.status())
    assert seen[699].reason == ""
    reasons = {status.reason for status in seen if status.reason}
    assert any(
        text.startswith("slower than before: ") and "instead of 10" in text for text in reasons
    )
    assert seen[-1].reason == ""


# ------------------------------------------------------------------------------- changing speeds

N_WINDOWS, STEPS = 30, 20  # of one simulated level


def noise(chance: random.Random) -> Iterator[float]:
    """Every step takes another time, and none tells of the next."""
    while True:
        yield chance.lognormvariate(0, 0.5)


def walk(chance: random.Random) -> Iterator[float]:
    """The speed drifts; over a level by a third and more."""
    log = 0.0
    while True:
        log += chance.gauss(0, 0.35 / math.sqrt(N_WINDOWS * STEPS))
        yield math.exp(log) * chance.lognormvariate(0, 0.1)


def steps(chance: random.Random) -> Iterator[float]:
    """Once or twice the machine becomes another one."""
    n = N_WINDOWS * STEPS
    changes = {chance.randrange(n): chance.choice((0.6, 0.75, 1.4, 1.7)) for _ in range(2)}
    pace = 1.0
    for at in range(n):
        pace *= changes.get(at, 1.0)
        yield pace * chance.lognormvariate(0, 0.1)


def priming(chance: random.Random) -> Iterator[float]:
    """A pause before each window, and steps that grow slower inside it."""
    while True:
        for at in range(STEPS):
            yield (0.8 + 0.4 * at / STEPS + 5 * (at == 0)) * chance.lognormvariate(0, 0.05)


def neighbours(chance: random.Random) -> Iterator[float]:
    """Others use the machine now and then."""
    period, at = chance.uniform(80, 240), chance.uniform(0, 240)
    while True:
        at += 1
        yield (2.0 if at % period < 0.3 * period else 1.0) * chance.lognormvariate(0, 0.1)


PROFILES = (noise, walk, steps, priming, neighbours)


def simulate(profile, seed: int) -> list[tuple[float, Status]]:
    """Return the truth (time left) and what was said, after every step of a level."""
    chance, clock = random.Random(f"{profile.__name__} {seed}"), Clock()
    start = LevelStart(
        level=0, windows=N_WINDOWS, windows_done=0, codes=N_WINDOWS * STEPS, codes_done=0
    )
    meter = LevelMeter(start, Silent(), clock)
    times, seen = profile(chance), []
    for _ in range(N_WINDOWS):
        for _ in range(STEPS):
            clock.now += next(times)
            meter.step(1)
            seen.append((clock.now, meter.status()))
        meter.back(STEPS)
        meter.window_done(STEPS)
    return [(clock.now - at, status) for at, status in seen]


@pytest.fixture(scope="module", params=[16, pytest.param(40, marks=pytest.mark.whole)])
def simulated(request):
    """So many runs of every profile."""
    return {
        profile: [simulate(profile, seed) for seed in range(request.param)] for profile in PROFILES
    }


def held(moments: list[tuple[float, Status]]) -> float:
    """Return the part of the moments at which the range held the truth."""
    return sum(s.seconds_low <= truth <= s.seconds_high for truth, s in moments) / len(moments)


@pytest.mark.parametrize("profile", PROFILES)
def test_range_holds_the_truth_in_four_of_five_runs(simulated, profile):
    parts = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    moments = {part: [run[int(part * len(run))] for run in simulated[profile]] for part in parts}
    assert held([moment for part in parts for moment in moments[part]]) >= 0.8
    assert all(held(moments[part]) >= 0.6 for part in parts)


@pytest.mark.parametrize("profile", PROFILES)
def test_range_says_something(simulated, profile):
    half_way = [run[len(run) // 2][1] for run in simulated[profile]]
    widths = sorted(status.seconds_high / status.seconds_low for status in half_way)
    assert widths[len(widths) // 2] < (3.5 if profile is neighbours else 2.2)


def moves(run: list[tuple[float, Status]]) -> list[Status]:
    """Return what was said where the end of the range moved back."""
    said = [status for _, status in run if status.seconds_high is not None]
    return [b for a, b in pairwise(said) if b.seconds_high > a.seconds_high + 1e-9]


@pytest.mark.parametrize("profile", PROFILES)
def test_time_left_never_grows_without_a_reason(simulated, profile):
    assert all(status.reason for run in simulated[profile] for status in moves(run))


def test_reasons_are_rare_where_all_windows_are_alike(simulated):
    late = [[s for s in moves(run) if s.fraction > 0.1] for run in simulated[priming]]
    assert sum(map(len, late)) / len(late) <= 2


def test_line_is_written_at_once_where_the_time_left_moves_back(capsys):
    from flows.cli.progress_bar import Lines

    clock = Clock()
    meter = LevelMeter(START, Lines(), clock)
    for n in range(1000):
        clock.now += 0.6 if n < 500 else 2.4
        meter.step(1)
    assert "slower than before: " in capsys.readouterr().err
