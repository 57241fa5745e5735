"""Without Prefect the room continues runs in processes of this machine, one after the other."""

from __future__ import annotations

import sys
import time

import pytest

from flows.tending import Tending
from flows.workshop import Workshop
from musiccore.runs.choices import read_tree
from musiccore.runs.status import describe_run
from musiccore.storage.store import open_store
from tests.flows.rooms import chosen, new_run


@pytest.fixture
def alone(store_root, tmp_path, monkeypatch):
    """A store on a machine without a Prefect server."""
    monkeypatch.setenv("JUKEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return open_store(store_root)


def eventually(holds, seconds=240.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def picture(store, run):
    from musiccore.runs.snapshot import Picture

    return Picture.of(store, run)


def test_a_choice_is_carried_out_and_one_that_comes_meanwhile_as_well(alone, tmp_path):
    new_run("song", model="tiny", seconds=0.4)
    workshop = Workshop(alone, tmp_path / "logs")
    tending = Tending(alone, workshop)
    first = chosen("song", action="more", takes=[1])
    assert "on this machine" in tending.chosen("song", first)
    assert tending.tended(picture(alone, "song")).taken
    second = chosen("song", action="again", takes=[2])
    tending.chosen("song", second)
    eventually(lambda: read_tree(alone, "song").pending == ())
    eventually(lambda: not workshop.has("song"))
    assert describe_run(alone, "song").state == "waiting"
    assert workshop.failure("song") == ""


def test_a_process_that_fails_leaves_its_sentence_and_can_be_tried_again(alone, tmp_path):
    new_run("song", model="tiny", seconds=0.4)
    made = chosen("song", action="more", takes=[1])
    says = "import sys; sys.exit('error: the disk is full\\nhint: jukeflow resume')"
    workshop = Workshop(alone, tmp_path / "logs", (sys.executable, "-c", says))
    tending = Tending(alone, workshop)
    tending.chosen("song", made)
    eventually(lambda: not tending.tended(picture(alone, "song")).taken)
    assert tending.tended(picture(alone, "song")).problem == "the disk is full"
    tending.resume("song")
    eventually(lambda: workshop.failure("song") == "the disk is full")


def test_runs_wait_for_each_other_and_a_run_stands_in_the_queue_once(alone, tmp_path):
    for name in ("one", "two"):
        new_run(name, model="tiny", seconds=0.4)
        chosen(name, action="more", takes=[1])
    gate, log = tmp_path / "gate", tmp_path / "log"
    works = (
        "import pathlib, sys, time\n"
        f"log, gate = pathlib.Path({str(log)!r}), pathlib.Path({str(gate)!r})\n"
        "log.open('a').write(sys.argv[1] + '\\n')\n"
        "while not gate.exists(): time.sleep(0.02)\n"
    )
    workshop = Workshop(alone, tmp_path / "logs", (sys.executable, "-c", works))
    for name in ("one", "two", "one", "two"):
        workshop.add(name)
    eventually(lambda: log.exists() and log.read_text() == "one\n")
    assert workshop.has("one")
    assert workshop.has("two")
    gate.touch()
    eventually(lambda: not workshop.has("two"))
    assert log.read_text() == "one\ntwo\n"
