"""Runs that are stopped on purpose end as Cancelled and raise no alarm; accidents still crash."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import get_client
from prefect.utilities.engine import capture_sigterm, commit_control_intent_and_ack

from musiccore.work.stop import Interrupted, OutOfTime, SafeStop
from tasks import policies


class Accident(BaseException):
    """Nobody asked for it."""


@policies.io_task(name="step")
def step(stop: type[BaseException], word: object) -> None:
    """Stop."""
    raise stop(word)


@policies.durable_flow(name="inner")
def inner(stop: type[BaseException], word: object) -> None:
    """Call the step."""
    step(stop, word)


@policies.durable_flow(name="outer")
def outer(stop: type[BaseException], word: object) -> None:
    """Call the inner flow."""
    inner(stop, word)


inner.should_validate_parameters = outer.should_validate_parameters = False


@pytest.fixture
def alarms(prefect_server, caplog) -> Iterator[list[str]]:
    found: list[str] = []

    class Note(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    note = Note(logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("prefect.flow_runs", "prefect.task_runs")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(note)
        logger.setLevel(logging.ERROR)  # tests are told nothing less than critical
    yield found
    for logger, level in zip(loggers, before, strict=True):
        logger.removeHandler(note)
        logger.setLevel(level)


def latest() -> dict[str, tuple[str, str]]:
    """State and message of the two flow runs that began last."""
    with get_client(sync_client=True) as client:
        flows = {f.id: f.name for f in client.read_flows()}
        runs = client.read_flow_runs(limit=2, sort="START_TIME_DESC")
        return {flows[r.flow_id]: (r.state.name, r.state.message or "") for r in runs}


@pytest.mark.parametrize(
    ("stop", "word", "message"),
    [
        (Interrupted, signal.SIGINT, "Stopped by SIGINT; what is finished is kept."),
        (OutOfTime, "9 h", "The budget of 9 h is spent; what is finished is kept."),
    ],
)
def test_run_that_was_stopped_is_cancelled_with_all_inside(alarms, stop, word, message) -> None:
    with pytest.raises(stop):
        outer(stop, word)
    assert latest() == {"outer": ("Cancelled", message), "inner": ("Cancelled", message)}
    assert alarms == []


def test_accident_is_a_crash(alarms) -> None:
    with pytest.raises(Accident):
        outer(Accident, "fire")
    assert {state for state, _ in latest().values()} == {"Crashed"}
    assert any("Crash detected!" in words for words in alarms)


def test_prefect_may_cancel_a_run_that_holds_the_signal_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with capture_sigterm():
        prefects = signal.getsignal(signal.SIGTERM)
        with SafeStop(), SafeStop():
            assert signal.getsignal(signal.SIGTERM) is not prefects
            said: list[str] = []
            assert commit_control_intent_and_ack(
                lambda: said.append("intent"),
                lambda: said.append("cleared"),
                lambda: said.append("acknowledged"),
            )
            assert said == ["intent", "acknowledged"]
        assert signal.getsignal(signal.SIGTERM) is prefects
    assert signal.getsignal(signal.SIGTERM) == before
