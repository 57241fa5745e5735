"""Jobs take turns, meet where they wait, and do not touch each other."""

from __future__ import annotations

import threading

import pytest

from musiccore.work.turns import Outcome, Turns


def same_number(wants):
    """Choose all who want the smallest number."""
    return [i for i, want in enumerate(wants) if want == min(wants)]


class Served:
    def __init__(self) -> None:
        self.passes: list[list[int]] = []

    def __call__(self, wants):
        self.passes.append(list(wants))
        return [Outcome(value=10 * want) for want in wants]


def test_jobs_that_want_the_same_are_served_in_one_go():
    served = Served()
    turns: Turns[int, int] = Turns(same_number, served)
    outcomes = turns.run([lambda: [turns.meet(n) for n in range(3)]] * 4)
    assert served.passes == [[0] * 4, [1] * 4, [2] * 4]
    assert all(outcome.value == [0, 10, 20] for outcome in outcomes)


def test_those_who_are_behind_catch_up_first():
    served = Served()
    turns: Turns[int, int] = Turns(same_number, served)
    turns.run(
        [
            lambda: [turns.meet(n) for n in (2, 3)],
            lambda: [turns.meet(n) for n in (0, 1, 2, 3)],
        ]
    )
    assert served.passes == [[0], [1], [2, 2], [3, 3]]


def test_job_that_fails_leaves_and_the_others_go_on():
    served = Served()
    turns: Turns[int, int] = Turns(same_number, served)

    def fails():
        turns.meet(0)
        raise ValueError("broken")

    good, bad = turns.run([lambda: [turns.meet(n) for n in range(3)], fails])
    assert good.value == [0, 10, 20]
    assert isinstance(bad.error, ValueError)
    assert served.passes == [[0, 0], [1], [2]]


def test_only_one_job_works_at_a_time():
    working, most = 0, 0

    def job():
        nonlocal working, most
        for n in range(20):
            working += 1
            most = max(most, working)
            threading.Event().wait(0.0005)
            working -= 1
            turns.meet(n)

    turns: Turns[int, int] = Turns(same_number, Served())
    turns.run([job] * 3)
    assert most == 1


def test_who_pauses_lets_the_others_go_first():
    turns: Turns[int, int] = Turns(same_number, Served())
    seen = []

    def job(name):
        for step in range(3):
            turns.meet(step)
            seen.append((name, step))
            turns.pause()
        seen.append((name, "rest"))

    turns.run([lambda: job("a"), lambda: job("b"), lambda: job("c")])
    steps = [step for _, step in seen]
    assert steps == [0, 0, 0, 1, 1, 1, 2, 2, 2, "rest", "rest", "rest"]


def test_error_of_the_service_reaches_everybody_who_asked():
    def serve(wants):
        raise KeyboardInterrupt

    turns: Turns[int, int] = Turns(same_number, serve)
    outcomes = turns.run([lambda: turns.meet(1)] * 2)
    assert all(isinstance(outcome.error, KeyboardInterrupt) for outcome in outcomes)


@pytest.mark.parametrize("n", [0, 1])
def test_few_jobs_work_too(n):
    turns: Turns[int, int] = Turns(same_number, Served())
    assert [0] * n == [outcome.value for outcome in turns.run([lambda: turns.meet(0)] * n)]
