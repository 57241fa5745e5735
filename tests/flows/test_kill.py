"""Kill anything at any moment: the same bytes come out, and nothing finished is computed again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from musiccore.journal.journal import Journal
from musiccore.models.machine import Machine
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import start
from musiccore.runs.status import describe_run
from musiccore.runs.verify import verify_run
from musiccore.storage.store import Store, open_store
from tests.contracts.gcs_server import gcs_server, google_at

ROOT = Path(__file__).parents[2]
FENCED = 7
REQUEST = GenerationRequest(model="tiny", seconds=0.45, takes=3, max_batch=(2, 2, 2))


class ForkServer:
    """The process of `fork_server.py`, and its children."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("fork_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            text=True,
        )
        assert json.loads(self.process.stdout.readline()) == {"ready": True}

    def start(self, job: dict[str, object]) -> int:
        self._send(job)
        return self._answer()["pid"]

    def kill(self, pid: int) -> None:
        """Kill a child, unless it has just ended."""
        self._send({"kill": pid})

    def ended(self) -> tuple[int, int]:
        """Wait until a child ends; return its pid and exit status (negative: the signal)."""
        found = self._answer()
        return found["pid"], found["status"]

    def _send(self, job: dict[str, object]) -> None:
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def _answer(self) -> dict[str, int]:
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)


@pytest.fixture(scope="module")
def google():
    with gcs_server() as server, google_at(server):
        yield server


@pytest.fixture(scope="module")
def server(google):
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in memory where there is one: a kill does not ask what the disk has done."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path_factory.mktemp("kill")
        return
    import shutil
    import tempfile

    made = Path(tempfile.mkdtemp(dir=shared, prefix="jukeflow-kill-"))
    yield made
    shutil.rmtree(made)


class Run:
    """A run in a store of its own; by default in a folder."""

    def __init__(self, folder: Path, name: str, *, root: str = "", **options: object) -> None:
        self.root = root or folder / name
        self.store: Store = open_store(self.root)
        self.side_log = folder / f"{name}.log"
        self.options = options
        start(self.store, REQUEST, "song", Machine())

    def job(self) -> dict[str, object]:
        return {
            "run": "song",
            "store": str(self.root),
            "side_log": str(self.side_log),
            **self.options,
        }

    def sampled(self) -> Counter[str]:
        """How often each unit was begun, in all processes together."""
        return Counter(self.side_log.read_text().split("\n")[:-1] if self.side_log.exists() else [])

    def recorded(self) -> Counter[str]:
        """How often each unit is in the log."""
        with Journal.open(self.store, "song") as journal:
            return Counter(
                " ".join(str(event.fields[name]) for name in ("level", "group", "index"))
                for event in journal.events_of("window")
            )

    def result(self) -> tuple[list[str | None], list[object]]:
        """Digests of the codes of every level, and of the sound of every level and take."""
        status = describe_run(self.store, "song")
        with Journal.open(self.store, "song") as journal:
            assert verify_run(self.store, "song").sound
            sounds = [
                (event.fields["level"], event.fields["take"], event.fields["pcm_sha256"])
                for event in journal.events_of("decoded")
            ]
        return [level.codes_sha256 for level in status.levels], sorted(set(sounds))

    def master(self) -> str:
        return describe_run(self.store, "song").master.pcm_sha256


def run_to_the_end(server: ForkServer, run: Run) -> float:
    """Run without a kill; return how long it took."""
    began = time.monotonic()
    server.start(run.job())
    _, status = server.ended()
    assert status == 0, Path(f"{run.side_log}.err").read_text()
    return time.monotonic() - began


def run_with_kills(server: ForkServer, run: Run, moments: list[float]) -> int:
    """Kill the run at each moment (seconds after its start) and resume it; return the kills."""
    kills = 0
    for moment in moments:
        pid = server.start(run.job())
        time.sleep(moment)
        server.kill(pid)
        _, status = server.ended()
        if status == 0:  # it was faster
            return kills
        assert status == -signal.SIGKILL, Path(f"{run.side_log}.err").read_text()
        kills += 1
    run_to_the_end(server, run)
    return kills


@pytest.fixture(scope="module")
def whole(server, folder):
    """The uninterrupted run, and its duration."""
    run = Run(folder, "whole")
    seconds = run_to_the_end(server, run)
    run.options["deliver"] = True
    run_to_the_end(server, run)
    return run, seconds


def check_kills(server: ForkServer, folder: Path, whole: tuple[Run, float], wanted: int) -> None:
    expected, seconds = whole
    chance = random.Random(20200430 + wanted)
    kills = number = 0
    while kills < wanted:
        number += 1
        run = Run(folder, f"killed-{wanted}-{number}", deliver=number == 1)
        left = wanted - kills
        moments = [chance.uniform(0.0, 0.8 * seconds) for _ in range(min(left, 8))]
        made = run_with_kills(server, run, moments)
        kills += made
        assert run.result() == expected.result()
        assert set(run.recorded().values()) == {1}
        assert run.recorded().keys() == expected.recorded().keys()
        begun_again = sum(run.sampled().values()) - len(run.recorded())
        assert begun_again <= made  # at most the unit in progress, once per kill
        if number == 1:
            assert run.master() == expected.master()


def test_killed_at_25_random_moments_the_same_bytes_come_out(server, folder, whole):
    check_kills(server, folder, whole, 25)


@pytest.mark.soak
def test_killed_at_500_random_moments_the_same_bytes_come_out(server, folder, whole):
    check_kills(server, folder, whole, 500)


def _kill_after_windows(server: ForkServer, run: Run, n: int) -> None:
    pid = server.start(run.job())
    while sum(run.sampled().values()) < n:
        time.sleep(0.002)
    server.kill(pid)
    assert server.ended()[1] == -signal.SIGKILL


def test_generator_that_begins_anew_with_every_process_gives_other_codes(server, folder):
    """The negative control: the same harness sees the fault that it is there to see."""
    straight = Run(folder, "reseeded-straight", reseeded=True)
    run_to_the_end(server, straight)
    killed = Run(folder, "reseeded-killed", reseeded=True)
    _kill_after_windows(server, killed, 4)
    run_to_the_end(server, killed)
    assert killed.result()[0] != straight.result()[0]


def test_killed_on_a_bucket_that_loses_replies_the_same_bytes_come_out(
    server, folder, whole, google
):
    run = Run(folder, "bucket", root="gs://songs/mine", deliver=True)
    moments = (2, 9)
    for n_windows in moments:
        google.lost = google.busy = 1
        _kill_after_windows(server, run, n_windows)
    run_to_the_end(server, run)
    assert run.result() == whole[0].result()
    assert run.master() == whole[0].master()
    assert set(run.recorded().values()) == {1}
    assert sum(run.sampled().values()) - len(run.recorded()) <= len(moments)


def test_of_two_resumers_at_once_one_finishes_and_the_other_is_told(server, folder, whole):
    run = Run(folder, "contested")
    _kill_after_windows(server, run, 3)
    pids = {server.start(run.job()), server.start(run.job())}
    ends = dict(server.ended() for _ in pids)
    assert sorted(ends.values()) == [0, FENCED]
    assert "another worker" in Path(f"{run.side_log}.err").read_text()
    assert run.result() == whole[0].result()
    assert set(run.recorded().values()) == {1}


def test_finished_run_is_not_touched_by_another_resume(server, folder, whole):
    run, _ = whole
    before = run.sampled()
    log = list(run.store.at("song").list("log"))
    run_to_the_end(server, run)
    assert run.sampled() == before
    added = len(run.store.at("song").list("log")) - len(log)
    assert added == 2  # claim and release
