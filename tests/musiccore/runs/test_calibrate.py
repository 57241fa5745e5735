"""Measuring a machine: speeds that plans can use, kept for machines like it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from musiccore.models.machine import Machine
from musiccore.models.presets import preset
from musiccore.request.plan import Plan
from musiccore.request.request import GenerationRequest
from musiccore.runs.calibrate import calibrate, known_speeds
from musiccore.storage.store import open_store

TINY = preset("tiny")


def ticks() -> Iterator[float]:
    """Seconds of a clock that moves by a millisecond whenever it is read, busy machine or not."""
    seconds = 0.0
    while True:
        seconds += 0.001
        yield seconds


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("speeds") / "runs")
    machine = Machine()
    said: list[str] = []
    clock = ticks()
    speeds = calibrate(
        store, TINY, machine, seconds=1.0, say=said.append, clock=lambda: next(clock)
    )
    return store, machine, speeds, said, next(clock)


def test_every_level_is_measured_within_the_budget(measured):
    _, _, speeds, said, seconds = measured
    assert [speed.level for speed in speeds.levels] == [0, 1, 2]
    assert all(speed.step_seconds > 0 and speed.decode_seconds > 0 for speed in speeds.levels)
    assert len(said) == 3
    assert seconds < 2.0


def test_machine_like_this_one_is_not_measured_again(measured):
    store, machine, speeds, _, _ = measured
    assert known_speeds(store, TINY, machine) == speeds


def test_other_machine_does_not_use_these_numbers(measured):
    store, machine, _, _, _ = measured
    other = Machine(threads=machine.threads + 1)
    assert known_speeds(store, TINY, other) is None


def test_plan_with_measured_speeds_is_narrower_than_one_without(measured):
    _, _, speeds, _, _ = measured
    request = GenerationRequest(model="tiny", seconds=5.0)
    guessed, known = Plan.of(TINY, request), Plan.of(TINY, request, speeds=speeds)
    assert known.measured
    assert not guessed.measured
    assert known.levels[0].seconds_high / known.levels[0].seconds_low < 4.1
    assert guessed.levels[0].seconds_high / guessed.levels[0].seconds_low > 4.1


def test_level_whose_turn_does_not_come_stays_unmeasured(tmp_path):
    store = open_store(tmp_path / "runs")
    times = iter(range(0, 100_000, 10))
    speeds = calibrate(
        store,
        TINY,
        Machine(),
        seconds=5.0,
        clock=lambda: float(next(times)),
    )
    assert [speed.level for speed in speeds.levels] == []


def test_nothing_is_known_of_an_empty_store(tmp_path):
    assert known_speeds(open_store(tmp_path / "none"), TINY, Machine()) is None
    assert not (tmp_path / "none").exists()
