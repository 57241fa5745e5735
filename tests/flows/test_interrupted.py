"""Ctrl-C at any moment of a command: no traceback, and one exit code that is true.

The command runs in this process, without Prefect around its steps, and the signal comes at the n-th
call of a Python function: wherever that is, in an import, a check, a window, an encoder or the last
line that is printed.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

import flows.cli.making
from flows.__main__ import _run, main
from flows.cli.signals import handlers_kept, is_interruption
from musiccore.delivery.carry_out import carry_out
from musiccore.runs.create import run_exists
from musiccore.runs.status import describe_run
from musiccore.storage.store import open_store
from musiccore.work.stop import Interrupted
from tasks.context import working
from tests.flows.plain_steps import plain_steps

SONG = ("generate", "--model", "tiny", "--seconds", "0.45", "--formats", "wav", "--takes", "1")


class _Session:
    flows = staticmethod(nullcontext)


@contextmanager
def _no_server() -> Iterator[_Session]:
    yield _Session()


@pytest.fixture(scope="module", autouse=True)
def without_prefect() -> Iterator[None]:
    """Carry runs out without flows, and without a server."""

    def work(run_id: str) -> object:
        with working(run_id) as run:
            return carry_out(run)

    with plain_steps(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows.cli.making, "prepare", _no_server)
        patch.setattr(flows.cli.making, "_resume_flow", work)
        patch.setattr(flows.cli.making, "_generate_flow", lambda request, run_id: work(run_id))
        yield


class Knocking:
    """Sends SIGINT at the n-th call of a function in the main thread.

    Args:
        moment: number of the call; None counts only.
    """

    def __init__(self, moment: int | None) -> None:
        self.calls = 0
        self._moment = moment

    def __enter__(self) -> Knocking:
        assert threading.current_thread() is threading.main_thread()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _look(self, frame: object, event: str, _: object) -> None:
        if event != "call":
            return
        self.calls += 1
        if self.calls == self._moment:
            signal.raise_signal(signal.SIGINT)


def make(root: Path, moment: int | None) -> tuple[int, int]:
    """Make a song; return the exit code and how many calls it took."""
    with handlers_kept(), Knocking(moment) as knocking:  # a process ends with what was concluded
        try:
            code = _run([*SONG, "--run", "song", "--store", str(root)])
        except KeyboardInterrupt:  # before the command: `main` of a process heeds it
            code = 130
    return code, knocking.calls


def stands(root: Path) -> str:
    """How the run is in the store, in a word."""
    store = open_store(root)
    if not run_exists(store, "song"):
        return "nothing"
    state = describe_run(store, "song").state
    return "unfinished" if state == "running" else state  # a claim of this process, not released


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[int, str]:
    """Calls of an uninterrupted run, and the digest of its song."""
    root = tmp_path_factory.mktemp("whole") / "runs"
    make(root, None)  # what is imported once
    again = tmp_path_factory.mktemp("again") / "runs"
    code, calls = make(again, None)
    assert code == 0
    return calls, describe_run(open_store(again), "song").master.pcm_sha256


def check_moment(root: Path, moment: int, pcm: str, capfd: pytest.CaptureFixture[str]) -> int:
    code, _ = make(root, moment)
    out, err = capfd.readouterr()
    assert "Traceback" not in err, (moment, err)
    assert "fault of the program" not in err, (moment, err)
    wanted = {"done": 0, "unfinished": 4, "nothing": 130}
    assert code == wanted[stands(root)], (moment, code, err)
    if code == 0:
        assert "song: " in out, (moment, out, err)
    elif code == 4:
        assert "jukeflow resume song" in err, (moment, err)
        assert main(["resume", "song", "--take-over", "--store", str(root)]) == 0
        capfd.readouterr()
    if code != 130:
        assert describe_run(open_store(root), "song").master.pcm_sha256 == pcm
    return code


def test_interrupted_at_moments_from_the_first_to_the_last(whole, tmp_path, capfd):
    calls, pcm = whole
    shares = (0.0005, 0.02, 0.4, 0.9, 0.99, 0.9999)
    codes = [
        check_moment(tmp_path / str(number), max(1, int(share * calls)), pcm, capfd)
        for number, share in enumerate(shares)
    ]
    assert {130, 4, 0} <= set(codes)


@pytest.mark.soak
def test_interrupted_at_500_moments(whole, tmp_path, capfd):
    calls, pcm = whole
    moments = {*range(1, 100), *range(calls - 150, calls), *range(100, calls, calls // 250)}
    wrong = []
    for moment in sorted(moments):
        try:
            check_moment(tmp_path / str(moment), moment, pcm, capfd)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)


def test_interruption_is_recognised_in_what_an_import_made_of_it():
    failed = ImportError("numpy could not be imported")
    failed.__context__ = KeyboardInterrupt()
    assert is_interruption(failed)
    assert is_interruption(BaseExceptionGroup("tasks", [Interrupted(signal.SIGINT)]))
    assert not is_interruption(ValueError("no"))
