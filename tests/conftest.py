"""Settings for every test, what they may need, and one Prefect server for all that ask for it.

One processor thread, since small matrices run slower on two.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from functools import cache

import pytest

from tests import programs

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before torch and numpy are imported
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the next of hundreds of commands starts quicker
sys.dont_write_bytecode = False
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")

QUICK_SECONDS = 5.0

# Files that share what is dear to make, or that fill the machine with servers of their own, are one
# group: a group runs in one process, one test after the other. So are all that ask for the Prefect
# server, of which there is one then. Every other file is its own group.
_GROUPS = {
    "tests/browser/test_axe.py": "room",
    "tests/browser/test_door.py": "serve",
    "tests/browser/test_room.py": "room",
    "tests/browser/test_round_file.py": "room",
    "tests/browser/test_story.py": "serve",
    "tests/flows/serving/test_serve.py": "serve",
}
_ASKS_FOR_A_SERVER = re.compile(r"\b(prefect_server|commands_have_a_server)\b")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("jukeflow")
    group.addoption(
        "--programs",
        choices=programs.MODES,
        default="system",
        help="what tests may use: what the system has, what Python packages bring, or none of both",
    )
    group.addoption(
        "--complete", action="store_true", help="fail, instead of skip, where a program is missing"
    )


def pytest_configure(config: pytest.Config) -> None:
    programs.hide(config.getoption("--programs"))


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: tests of processes and servers wait for half of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min((cores or 1) + 1, 6)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give each worker a group at a time; xdist's own groups do not work with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    @cache
    def group_of(file: str) -> str:
        if file in _GROUPS:
            return _GROUPS[file]
        asks = _ASKS_FOR_A_SERVER.search((config.rootpath / file).read_text(encoding="utf-8"))
        return "prefect" if asks else file

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0])

    return ByGroup(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("programs"):
        reasons = [reason for name in mark.args if (reason := programs.missing(name))]
        if reasons and item.config.getoption("--complete"):
            pytest.fail(f"--complete, but {reasons[0]}", pytrace=False)
        if reasons:
            pytest.skip(reasons[0])


@pytest.fixture(
    params=[
        pytest.param(False, id="any"),
        pytest.param(True, marks=pytest.mark.benchmark, id="timed"),
    ]
)
def quick(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that shall take no time; the clock is read among the benchmarks only.

    In the default run the neighbours on the machine would be measured.
    """
    began = time.process_time()
    yield
    if request.param:
        assert time.process_time() - began < QUICK_SECONDS


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_LOGGING_TO_API_ENABLED,
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED,
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED,
        PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    # What these write behind the tests' back makes requests fail with "database is locked", and
    # each retry waits twice as long as the one before.
    quiet = {
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED: False,
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED: False,
        PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED: False,
    }
    with (
        temporary_settings(quiet),
        prefect_test_harness(server_startup_timeout=180),
        temporary_settings(
            {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
        ),
    ):
        yield
