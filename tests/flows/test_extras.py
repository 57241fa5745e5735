"""What goes with a song and is not the song may fail: the song is delivered, and it is said."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

import musiccore.delivery.publish
import musiccore.delivery.song_score
import tasks.durable_steps
from musiccore.delivery.song_audio import FinishedSong
from musiccore.pages import figures
from musiccore.runs.status import describe_run
from musiccore.runs.verify import verify_run
from musiccore.storage.backends import MemoryBackend
from musiccore.work.progress import Silent, reporting
from tasks.story import Story, _story, tell
from tests.flows.plain_steps import Talk, plain_steps

SCORE = {"primer_compose": {"key": "C", "tempo": 240}, "primer_seconds": 1.0, "seconds": 1.2}


class Recorder(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class Broken:
    """A reporter, or a log, that takes nothing."""

    def say(self, text: str) -> None:
        raise OSError(28, "No space left on device")

    info = say

    def level(self, status: object, *, window_done: bool) -> None:
        raise UnicodeEncodeError("ascii", "…", 0, 1, "ordinal not in range(128)")


@pytest.fixture(scope="module")
def steps():
    with plain_steps() as sampled:
        yield sampled


def sung(steps, **request: object) -> Talk:
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps)
    talk.begin(choose="first", takes=1, **request)
    talk.work()
    return talk


@pytest.fixture(scope="module")
def whole(steps) -> str:
    return master(sung(steps))


@pytest.fixture(scope="module")
def whole_of_score(steps) -> str:
    return master(sung(steps, **SCORE))


def master(talk: Talk) -> str:
    status = describe_run(talk.store, "song")
    assert (status.state, status.missing) == ("done", ())
    assert verify_run(talk.store, "song").doubts == ()
    assert status.master is not None
    return status.master.pcm_sha256


def fail(*_: object, **__: object) -> bytes:
    raise RuntimeError("no font was found")


SEAMS: dict[str, tuple[object, str, str]] = {
    "waveform": (figures, "waveform", "waveform of level 0"),
    "spectrogram": (figures, "spectrogram", "spectrogram of level 2"),
    "roll": (figures, "piano_roll", "piano roll"),
    "check": (musiccore.delivery.song_score, "check_against_score", "score on the page"),
    "score": (musiccore.delivery.publish, "starting_score", "score beside the song"),
    "page": (musiccore.delivery.publish, "song_page", "song page"),
    "preview": (musiccore.delivery.publish.audio, "write_preview", "song page"),
}


@pytest.mark.parametrize("seam", SEAMS)
def test_what_cannot_be_made_beside_a_song_is_left_out_and_said(seam, steps, request, monkeypatch):
    of_score = seam in ("roll", "check", "score")
    expected = request.getfixturevalue("whole_of_score" if of_score else "whole")
    place, name, words = SEAMS[seam]
    monkeypatch.setattr(place, name, fail)
    recorder = Recorder()
    with reporting(recorder):
        talk = sung(steps, **(SCORE if of_score else {}))
    assert master(talk) == expected
    warnings = [text for text in recorder.said if text.startswith("warning: ")]
    assert any(words in text and "no font was found" in text for text in warnings)
    if words == "song page":
        assert describe_run(talk.store, "song").page is None


@pytest.mark.parametrize("name", ["waveform", "spectrogram"])
def test_take_without_a_picture_can_be_chosen(name, steps, monkeypatch):
    from flows.invitation import invitation
    from musiccore.runs.snapshot import Picture

    monkeypatch.setattr(figures, name, fail)
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin()
    talk.work()
    assert describe_run(talk.store, "song").state == "waiting"
    picture = Picture.of(talk.store, "song")
    assert [one[name] for one in picture.candidates()] == [None, None]
    assert "None" not in invitation(picture)
    assert picture.journal.store.exists("rounds/001/index.html")


def test_progress_that_cannot_be_shown_costs_nothing_else(steps, whole):
    with reporting(Broken()):
        assert master(sung(steps)) == whole


def test_log_that_takes_no_line_costs_nothing_else(steps, whole):
    shown = Silent()
    token = _story.set(Story(run="x", log=Broken(), context=None, reporter=shown))
    try:
        with reporting(shown):
            tell("Delivered.")
    finally:
        _story.reset(token)


def test_song_is_delivered_where_no_card_can_be_shown(steps, whole, monkeypatch):
    monkeypatch.setattr(tasks.durable_steps, "story", fail)
    talk = sung(steps)
    with talk.opened() as run:
        tasks.durable_steps.show(FinishedSong(run, run.tree().renditions[0]))
    assert master(talk) == whole


@pytest.mark.parametrize("variable", ["JUKEFLOW_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_nothing_of_a_song_needs_the_cache(variable, steps, whole, tmp_path, monkeypatch):
    from tasks.links import room_link

    stands = tmp_path / "file"
    stands.write_text("where a folder is wanted")
    for name in ("JUKEFLOW_CACHE", "XDG_CACHE_HOME", "JUKEFLOW_ROOM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(stands))
    assert master(sung(steps)) == whole
    assert room_link("song").endswith("/runs/song")  # it asks for the token


@pytest.mark.parametrize("part", ["tip.json", "heartbeat", "copies"])
def test_hints_that_cannot_be_written_cost_nothing_else(part, steps, whole, monkeypatch):
    real: Callable[..., None] = MemoryBackend.replace

    def refusing(self: MemoryBackend, key: str, data: bytes) -> None:
        if f"song/{part}" in key:
            raise OSError(5, "Input/output error")
        real(self, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryBackend, "replace", refusing)
        talk = sung(steps)
    status = describe_run(talk.store, "song")
    assert status.master is not None
    assert (status.state, status.master.pcm_sha256) == ("done", whole)
