"""What is said of work in progress comes from the log and the worker's own signs of life."""

from __future__ import annotations

import pytest

from musiccore.journal.heartbeat import told_progress
from musiccore.runs.outlook import Telling, outlook
from musiccore.work.progress import Silent, Status
from tasks.context import shared_store
from tests.flows.rooms import chosen, new_run, opened, sample


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A run of which level 1 of a song is there, and level 0 is not."""
    root = tmp_path_factory.mktemp("outlook") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(root))
        patch.setenv("JUKEFLOW_CACHE", str(root.parent / "cache"))
        new_run("half", model="tiny", seconds=0.4)
        chosen("half", action="upsample", takes=[2])
        sample("half", 1)
        yield "half"


def status(level: int, done: int, low: float | None, high: float | None) -> Status:
    return Status(
        level=level,
        window=1,
        windows=4,
        codes=100,
        codes_done=done,
        codes_per_second=10.0,
        seconds_low=low,
        seconds_high=high,
    )


def told(run, *rows: int, **facts):
    """Return the outlook after the worker of a run has said something."""
    telling = Telling(Silent(), run.journal, rows)
    telling.level(status(**facts), window_done=False)
    run.journal._claim._heartbeat._beat(1)  # the thread writes it within two seconds
    return outlook(run.tree(), run.journal)


def test_a_finished_level_counts_and_no_time_is_guessed(half):
    with opened(half) as run:
        known = outlook(run.tree(), run.journal)
    assert 0.05 < known.fraction < 0.95
    assert known.seconds_low is known.seconds_high is None


def test_the_worker_says_how_far_it_is_inside_a_level(half):
    with opened(half) as run:
        before = outlook(run.tree(), run.journal).fraction
        known = told(run, 1, level=0, done=50, low=30.0, high=60.0)
    assert known.fraction == pytest.approx(before + (1 - before) / 2, abs=0.01)
    assert (known.seconds_low, known.seconds_high) == (30.0, 60.0)


def test_levels_to_come_are_part_of_the_time(half):
    chosen(half, action="upsample", takes=[1])
    with opened(half) as run:
        for made in run.tree(fresh=True).pending[:1]:
            assert made.choice.takes == (2,)
        known = told(run, 1, level=0, done=0, low=30.0, high=60.0)
        assert (known.seconds_low, known.seconds_high) == (30.0, 60.0)  # the other choice is next
    new_run("both", model="tiny", seconds=0.4)
    chosen("both", action="upsample", takes=[1, 2])
    with opened("both") as run:
        known = told(run, 0, level=1, done=0, low=30.0, high=60.0)
    assert known.fraction == 0.0
    assert known.seconds_low > 60.0
    assert known.seconds_high > 120.0


def test_what_was_said_of_another_song_says_nothing_of_this_one(half):
    with opened(half) as run:
        before = outlook(run.tree(), run.journal)
        assert told(run, 0, level=0, done=100, low=1.0, high=2.0) == before


def test_signs_of_life_carry_progress_and_stay_readable(half):
    store = shared_store()
    with opened(half) as run:
        epoch = run.journal.epoch
        told(run, 1, level=0, done=25, low=None, high=None)
        assert told_progress(run.journal.store, epoch) == {
            "level": 0,
            "rows": [1],
            "fraction": 0.25,
            "seconds_low": None,
            "seconds_high": None,
        }
    store.at(half).put(f"heartbeat/{epoch:08d}.json", b"{")
    assert told_progress(store.at(half), epoch) is None
    assert told_progress(store.at(half), 99) is None
