"""Progress of several songs, shown as one."""

from __future__ import annotations

from musiccore.work.joint_progress import Ensemble
from musiccore.work.progress import Status


class Recorder:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.levels: list[Status] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def level(self, status: Status, *, window_done: bool) -> None:
        self.levels.append(status)


def status(done: int, *, level: int = 0, speed: float | None = 5.0, **changes) -> Status:
    values = {
        "level": level,
        "window": 1,
        "windows": 4,
        "codes": 100,
        "codes_done": done,
        "codes_per_second": speed,
        "seconds_low": None if speed is None else (100 - done) / speed,
        "seconds_high": None if speed is None else 2 * (100 - done) / speed,
    }
    return Status(**{**values, **changes})


def test_codes_and_speeds_add_up_and_the_time_is_that_of_the_last_one():
    seen = Recorder()
    both = Ensemble(seen)
    both.song("song 1").level(status(60), window_done=False)
    both.song("song 2").level(status(40, reason="slower"), window_done=True)
    shown = seen.levels[-1]
    assert (shown.codes, shown.codes_done, shown.codes_per_second) == (200, 100, 10)
    assert (shown.seconds_low, shown.seconds_high) == (12, 24)
    assert shown.reason == "slower"


def test_levels_are_kept_apart():
    seen = Recorder()
    both = Ensemble(seen)
    both.song("song 1").level(status(10, level=1), window_done=False)
    both.song("song 2").level(status(20, level=2), window_done=False)
    assert [(one.level, one.codes_done) for one in seen.levels] == [(1, 10), (2, 20)]


def test_song_that_left_is_not_waited_for():
    seen = Recorder()
    both = Ensemble(seen)
    both.song("song 1").level(status(10), window_done=False)
    both.leave("song 1")
    both.song("song 2").level(status(100), window_done=True)
    assert seen.levels[-1].fraction == 1


def test_nothing_is_said_about_time_before_anyone_measured():
    seen = Recorder()
    Ensemble(seen).song("song 1").level(status(0, speed=None), window_done=False)
    assert seen.levels[-1].seconds_low is None


def test_sentences_name_their_song():
    seen = Recorder()
    Ensemble(seen).song("song 3").say("decoding level 0")
    assert seen.said == ["song 3: decoding level 0"]
