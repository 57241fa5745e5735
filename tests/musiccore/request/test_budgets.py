"""What fits into a budget, with assumed and with measured speeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from musiccore.errors import Corrupt
from musiccore.models.presets import preset
from musiccore.request.budget import fit_into, what_is_left
from musiccore.request.plan import Plan
from musiccore.request.request import GenerationRequest
from musiccore.request.speed import LevelSpeed, Speeds, spread_of

NANO = preset("nano")
REQUEST = GenerationRequest(model="nano", seconds=60.0)


def speeds(*levels: int, step: float = 0.01) -> Speeds:
    return Speeds(
        model="nano",
        machine="a test",
        measured="2026-01-01T00:00:00+00:00",
        levels=tuple(
            LevelSpeed(
                level=level,
                step_seconds=step,
                row_seconds=step / 10,
                start_seconds=0.0,
                prime_seconds=0.0,
                decode_seconds=0.0,
                spread=0.2,
            )
            for level in levels
        ),
    )


def plan(**options) -> Plan:
    return Plan.of(NANO, REQUEST, **options)


def test_measured_levels_cost_what_was_measured_and_say_so():
    costs = plan(speeds=speeds(0)).levels
    assert [cost.measured for cost in costs] == [True, False, False]
    assert costs[0].seconds_high == pytest.approx(costs[0].steps * 0.01 * 1.2, abs=0.01)
    assert costs[1:] == plan().levels[1:]
    assert plan(speeds=speeds(0, 1, 2)).measured


def test_rows_of_one_pass_are_cheaper_than_passes():
    one = speeds(0, 1, 2).level(0)
    assert one.step(4) == pytest.approx(0.013)


def test_everything_fits_into_a_long_day():
    fit = fit_into(plan(speeds=speeds(0, 1, 2)), 1e6)
    assert fit.whole == "yes"
    assert all(level.fit_low == level.fit_high == level.windows for level in fit.levels)
    assert (fit.left_low, fit.left_high) == (0, 0)


def test_levels_fill_a_budget_from_the_top_down():
    whole = plan(speeds=speeds(0, 1, 2))
    top, middle, bottom = (whole.levels[level] for level in (2, 1, 0))
    fit = fit_into(whole, 20 + top.seconds_high + middle.seconds_high * 0.5)
    assert [level.level for level in fit.levels] == [2, 1, 0]
    assert fit.levels[0].fit_low == top.windows
    assert 0 < fit.levels[1].fit_low <= middle.windows // 2
    assert fit.levels[2].fit_low == 0
    assert fit.whole == "no"
    assert 0 < fit.left_low < fit.left_high
    assert fit.levels[1].fit_low <= fit.levels[1].fit_high
    assert bottom.windows > 0


def test_budget_between_fast_and_slow_may_do():
    whole = plan()
    assert fit_into(whole, (whole.seconds_low + whole.seconds_high) / 2).whole == "maybe"


def test_finished_levels_are_not_left():
    whole = plan(speeds=speeds(0, 1, 2))
    windows = whole.levels[0].windows
    left = what_is_left(whole, {2: 0, 1: 1, 0: windows})
    assert [(part.level, part.windows) for part in left] == [(1, 1), (0, windows)]
    assert left[1].seconds_high == whole.levels[0].seconds_high
    assert what_is_left(whole, {}) == ()


def test_speeds_survive_their_bytes():
    some = speeds(0, 2)
    assert Speeds.from_bytes(some.to_bytes()) == some


@pytest.mark.parametrize("data", [b"", b"[]", b'{"schema": 1}', b'{"schema": 2, "levels": []}'])
def test_damaged_speeds_are_refused(data):
    with pytest.raises(Corrupt, match="measured speeds"):
        Speeds.from_bytes(data)


def test_speed_of_nothing_is_refused():
    with pytest.raises(Corrupt, match="no speed"):
        replace(speeds(0).levels[0], step_seconds=0.0)


def test_spread_is_never_less_than_a_machine_varies():
    assert spread_of([1.0, 1.0]) == 0.15
    assert spread_of([1.0, 3.0]) == 1.0
