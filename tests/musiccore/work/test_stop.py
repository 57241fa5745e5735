"""Signals wait for the next safe point."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from musiccore.work.stop import (
    Deadline,
    Interrupted,
    OutOfTime,
    SafeStop,
    interrupt,
    limited,
    until,
)


@pytest.fixture
def handlers():
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    for signum in before:
        signal.signal(signum, interrupt)
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_waits_until_nothing_is_in_progress(handlers, signum):
    with pytest.raises(Interrupted) as caught, SafeStop() as stop:
        stop.between_units()
        os.kill(os.getpid(), signum)
        time.sleep(0.01)
        stop.inside_unit(0.999999)
        stop.between_units()
    assert signum == caught.value.signum


def test_long_unit_is_dropped(handlers):
    with pytest.raises(Interrupted), SafeStop(patience=0.01) as stop:
        stop.between_units()
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
        stop.inside_unit(0.5)
        pytest.fail("the unit went on")


def test_second_signal_drops_the_unit(handlers):
    said = []
    with pytest.raises(Interrupted), SafeStop(said.append, patience=60) as stop:
        stop.between_units()
        os.kill(os.getpid(), signal.SIGINT)
        stop.inside_unit(0.5)
        os.kill(os.getpid(), signal.SIGINT)
        stop.inside_unit(0.5)
        pytest.fail("the unit went on")
    assert len(said) == 1


def test_handlers_come_back(handlers):
    with SafeStop():
        pass
    assert interrupt is signal.getsignal(signal.SIGTERM)


def test_signal_heard_at_the_end_is_not_lost(handlers):
    with pytest.raises(Interrupted), SafeStop():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def units_before_the_end(seconds: float, unit: float) -> tuple[int, float]:
    """Return the units that a budget lets through, and the time that they take."""
    clock, done = Clock(), 0
    deadline = Deadline(seconds, clock=clock)
    try:
        while True:
            deadline.between_units()
            deadline.inside_unit(0.5)
            clock.now += unit
            done += 1
    except OutOfTime:
        return done, clock.now


@pytest.mark.parametrize(
    ("seconds", "unit", "units"), [(10, 3, 3), (9, 3, 3), (8.9, 3, 2), (2, 3, 1), (0, 3, 0)]
)
def test_budget_ends_at_the_last_border_before_it(seconds, unit, units):
    done, spent = units_before_the_end(seconds, unit)
    assert units == done
    assert spent <= max(seconds, unit if units else 0)


def test_units_that_were_only_read_do_not_count_as_long():
    clock = Clock()
    deadline = Deadline(10, clock=clock)
    for _ in range(9):
        deadline.between_units()
        clock.now += 1
    deadline.between_units()
    assert deadline.seconds_left == 1


def test_every_stop_made_inside_a_budget_asks_it():
    with until(0.0, "no time at all"), SafeStop() as stop, pytest.raises(OutOfTime, match="at all"):
        stop.between_units()
    with until(None), SafeStop() as stop:
        stop.between_units()


def test_end_of_a_budget_is_an_interruption():
    assert isinstance(OutOfTime("1 s"), Interrupted)


def test_signal_of_the_main_thread_stops_other_threads(handlers):
    seen = []

    def work(relay):
        with limited(relay), SafeStop() as stop:
            try:
                stop.between_units()
            except Interrupted as error:
                seen.append(error.signum)

    with pytest.raises(Interrupted), SafeStop() as stop:
        relay = stop.for_threads()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        # Contexts are not inherited by threads: each installs the relay itself.
        thread = threading.Thread(target=work, args=(relay,))
        thread.start()
        thread.join()
    assert seen == [signal.SIGTERM]
