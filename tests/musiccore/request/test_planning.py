"""Plans count what the sampler does, and cost more when more is asked."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.errors import CodesError
from musiccore.models.presets import preset
from musiccore.request.check import check
from musiccore.request.plan import Plan, level_plan, parameter_count, total_new_codes
from musiccore.request.request import GenerationRequest


def _request(**data: Any) -> GenerationRequest:
    return GenerationRequest.parse(data)


def test_one_minute_of_the_released_models_has_the_published_windows_and_steps() -> None:
    request = _request(model="1b_lyrics", seconds=60.0)
    plans = level_plan(preset("1b_lyrics"), request)
    assert [len(plan.windows) for plan in plans] == [80, 20, 20]
    assert [plan.steps for plan in plans] == [330_736, 82_684, 20_671]
    assert total_new_codes(plans) == 434_091
    top = level_plan(preset("5b"), _request(model="5b", seconds=60.0))[-1]
    assert (len(top.windows), top.steps) == (14, 20_671)


def test_takes_are_sampled_at_the_top_in_batches_and_one_goes_down() -> None:
    request = _request(model="5b", seconds=20.0, takes=7)
    plans = level_plan(preset("5b"), request)
    assert [plan.takes for plan in plans] == [1, 1, 7]
    assert plans[-1].batches == (3, 3, 1)
    assert plans[-1].steps == 3 * 6890


def test_primer_counts_as_known_at_every_level() -> None:
    plans = level_plan(preset("tiny"), _request(model="tiny", seconds=4.0), primer_samples=8064)
    assert [plan.n_known for plan in plans] == [1008, 252, 63]
    assert all(
        sum(window.new for window in plan.windows) == plan.n_codes - plan.n_known for plan in plans
    )


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.floats(0.3, 60.0),
    hops=st.tuples(st.integers(1, 16), st.integers(1, 16), st.integers(1, 64)),
    takes=st.integers(1, 9),
    batch=st.integers(1, 9),
)
def test_every_code_is_new_once_and_upper_codes_fit(
    seconds: float, hops: tuple[int, int, int], takes: int, batch: int
) -> None:
    config = preset("tiny")
    request = _request(
        model="tiny",
        seconds=round(seconds, 3),
        window_hop=[hops[0] * 4, hops[1] * 4, hops[2]],
        takes=takes,
        max_batch=[1, 1, batch],
    )
    check(request)
    for plan, prior in zip(level_plan(config, request), config.priors, strict=True):
        new = [p for w in plan.windows for p in range(w.first_new, w.end)]
        assert new == list(range(plan.n_codes))
        assert all(w.start % prior.upper_factor == 0 for w in plan.windows)
        assert sum(plan.batches) == plan.takes
        assert plan.steps == plan.n_codes * len(plan.batches)


def test_a_level_shorter_than_its_window_is_refused() -> None:
    with pytest.raises(CodesError, match="one window of it has 512"):
        level_plan(preset("nano"), _request(seconds=1.0))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("model", ["nano", "tiny", "5b", "5b_lyrics", "1b_lyrics"])
def test_costs_grow_with_length(model: str, device: Any) -> None:
    config = preset(model)
    short = Plan.of(config, _request(model=model, seconds=10.0), device=device)
    long = Plan.of(config, _request(model=model, seconds=60.0), device=device)
    assert 0 < short.seconds_low < short.seconds_high
    assert short.seconds_low < long.seconds_low
    assert short.seconds_high < long.seconds_high
    assert short.steps < long.steps
    assert 0 < short.peak_bytes <= long.peak_bytes


def test_ranges_hold_what_was_measured() -> None:
    nano = Plan.of(preset("nano"), _request(seconds=12.0))
    assert nano.seconds_low < 20 < nano.seconds_high < 180
    big = Plan.of(preset("1b_lyrics"), _request(model="1b_lyrics", seconds=60.0))
    assert big.seconds_low / 3600 < 30 < big.seconds_high / 3600


@pytest.mark.parametrize(
    ("model", "level", "published"),
    [
        ("5b", 0, 981_298_176),
        ("5b", 2, 5_060_452_800),
        ("5b_lyrics", 2, 5_640_506_800),
        ("1b_lyrics", 2, 942_643_200),
    ],
)
def test_parameter_counts_are_within_a_percent(model: str, level: int, published: int) -> None:
    found = parameter_count(preset(model).priors[level])
    assert abs(found / published - 1) < 0.01


def test_planning_does_not_import_torch() -> None:
    code = "import sys, musiccore.request.plan; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
