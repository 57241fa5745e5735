"""Signals wait for the next safe point."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tasks.stopping import Interrupted, SafeStop, interrupt


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
