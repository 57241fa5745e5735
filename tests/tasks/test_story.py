"""The outermost run tells the story; a mistake is a sentence, a fault of ours is a traceback."""

from __future__ import annotations

import pytest

from musiccore.errors import ConfigError
from musiccore.work.progress import Status, reporting
from tasks.policies import durable_flow, io_task
from tasks.story import story, tell
from tests.flows.deployed import listening

pytestmark = pytest.mark.usefixtures("prefect_server")


@io_task()
def measure() -> None:
    tell("from a task")


@durable_flow(name="inner")
def inner(wrong: bool = False) -> int:
    if wrong:
        raise ConfigError("seconds is 0", hint="ask for more {seconds}")
    tell("from an inner run")
    measure()
    return 3


@durable_flow(name="outer")
def outer(wrong: bool = False, fault: bool = False) -> int:
    if fault:
        raise ZeroDivisionError("ours")
    return inner(wrong)


def status(level: int, done: int, seconds: float = 500.0) -> Status:
    return Status(
        level=level,
        window=1,
        windows=4,
        codes=100,
        codes_done=done,
        codes_per_second=1.0,
        seconds_low=seconds,
        seconds_high=seconds,
    )


def test_what_is_told_inside_stands_in_the_log_of_the_outermost_run() -> None:
    with listening() as lines:
        assert outer() == 3
    names = {getattr(r, "flow_name", None) for r in lines.records if "from a" in r.getMessage()}
    assert names == {"outer"}
    ours = [line for line in lines.said if not line.startswith(("Beginning", "View", "Finished"))]
    assert ours == ["from an inner run", "from a task"]
    assert sum(line.startswith("Finished in state") for line in lines.said) == 1


def test_mistake_reaches_the_caller_as_itself_without_a_traceback() -> None:
    with listening() as lines, pytest.raises(ConfigError) as refused:
        outer(wrong=True)
    assert refused.value.message == "seconds is 0"
    errors = [r for r in lines.records if r.levelname == "ERROR" and not r.exc_info]
    assert [r.getMessage() for r in errors] == ["seconds is 0 (hint: ask for more “Seconds”)"]
    assert [r for r in lines.records if r.exc_info] == []


def test_fault_of_the_program_keeps_its_traceback() -> None:
    with listening() as lines, pytest.raises(ZeroDivisionError):
        outer(fault=True)
    assert any(r.exc_info for r in lines.records)


def test_command_that_shows_progress_itself_is_told_nothing() -> None:
    class Mute:
        def say(self, text: str) -> None:
            raise AssertionError(text)

        def level(self, status: Status, *, window_done: bool) -> None:
            raise AssertionError(status)

    with listening() as lines, reporting(Mute()):
        assert outer() == 3
    assert not any("from a" in line for line in lines.said)


def test_outside_of_a_run_there_is_no_story() -> None:
    assert story() is None
    assert inner.__wrapped__() == 3  # a plain call


def test_log_of_a_long_level_gets_a_line_for_each_quarter() -> None:
    from tasks.reporting import FlowReporter

    now = [0.0]

    @durable_flow(name="long")
    def long() -> None:
        reporter = FlowReporter(clock=lambda: now[0])
        for done in range(101):
            now[0] += 30
            reporter.level(status(2, done), window_done=False)
        for done in (0, 60):  # another song reaches the level, quickly
            reporter.level(status(2, done), window_done=False)

    with listening() as lines:
        long()
    ours = [line for line in lines.said if line.startswith("level 2")]
    assert [line.split(",")[1].strip() for line in ours] == ["25 %", "50 %", "75 %"]
    assert "8.3 to 8.3 min left" in ours[0]


def test_log_of_a_short_level_gets_no_line() -> None:
    from tasks.reporting import FlowReporter

    @durable_flow(name="short")
    def short() -> None:
        reporter = FlowReporter(clock=lambda: 0.0)
        for done in range(0, 101, 10):
            reporter.level(status(1, done, seconds=2.0), window_done=True)

    with listening() as lines:
        short()
    assert not any(line.startswith("level") for line in lines.said)
