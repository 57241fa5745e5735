"""Runs and rooms for tests of the pages, made by the tasks alone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)

from flows.listening.app import RoomSettings, create_app
from flows.listening.tended import Tended
from musiccore.request.request import GenerationRequest
from musiccore.storage.store import open_store
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.work.progress import Silent, reporting
from tasks.candidates import begin_round, publish_audition, publish_round
from tasks.choosing import choose_by_policy
from tasks.conditioning import condition
from tasks.models import Models
from tasks.publishing import publish_song
from tasks.resources import OpenRun, working
from tasks.roundfile import write_round_page
from tasks.runs import check_request, create_run
from tasks.sampling import sample_audition, sample_round, sample_song
from tasks.settings import Settings
from tasks.showing import Picture
from tasks.trees import make_choice, read_tree

TOKEN = "a-token-for-the-tests"
EVIL = "</script><img src=x onerror=alert(1)>"


def new_run(run: str, **request: object) -> None:
    """Make a run whose first round is published, in the store of the settings."""
    settings = Settings.from_environment()
    asked = GenerationRequest.parse({"takes": 2, "choose": "wait", "title": run, **request})
    config = check_request(asked, settings)
    create_run(open_store(settings.store), asked, run, config, Models(config, settings))
    with _alone(run) as here:
        condition.fn(run)
        sample_round.fn(run, 1)
        publish_round.fn(run, 1)
        write_round_page(here, 1)


def unattended_run(run: str, *, song: bool = True, **request: object) -> None:
    """Make a run as `generate` does: nobody is asked, and no take is published.

    Args:
        run: its name.
        song: make the song as well; else the takes alone are there.
        **request: what is asked for.
    """
    settings = Settings.from_environment()
    asked = GenerationRequest.parse({"takes": 2, "choose": "first", "title": run, **request})
    config = check_request(asked, settings)
    create_run(open_store(settings.store), asked, run, config, Models(config, settings))
    with _alone(run):
        condition.fn(run)
        sample_round.fn(run, 1)
        if song:
            choose_by_policy.fn(run)
    if song:
        work(run)


@contextmanager
def _alone(run: str) -> Iterator[OpenRun]:
    """Work on a run where no server of Prefect is, nor is started for an artifact."""
    nobody = {PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False, PREFECT_API_URL: None}
    with temporary_settings(nobody), reporting(Silent()), working(run) as here:
        yield here


def chosen(run: str, **words: object) -> MadeChoice:
    """Make a choice as another person would."""
    store = open_store(Settings.from_environment().store)
    return make_choice(store, run, Choice.parse(words), by="command", who="Ada")


def work(run: str, *, levels: tuple[int, ...] | None = None, export: bool = True) -> None:
    """Carry out what was chosen.

    Args:
        run: the run.
        levels: of songs, those that are sampled; all of them by default.
        export: deliver songs.
    """
    with _alone(run) as here:
        for made in here.tree(fresh=True).pending:
            action = made.choice.action
            lower = tuple(reversed(range(here.config.levels - 1)))
            if action == "audition":
                for level in lower:
                    sample_audition.fn(run, made.seq, level)
                publish_audition.fn(run, made.seq)
            elif action in ("upsample", "redo"):
                for song in here.tree().renditions_of(made):
                    for level in lower if levels is None else levels:
                        sample_song.fn(run, song.number, level)
                    if export:
                        publish_song.fn(run, song.number)
            else:
                number = begin_round.fn(run, made.seq)
                sample_round.fn(run, number)
                publish_round.fn(run, number)
                write_round_page(here, number)


@dataclass
class Waker:
    """Stands where runs are continued; remembers which choices and runs it was told of."""

    told: list[int] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)

    def chosen(self, run_id: str, made: MadeChoice) -> str:
        store = open_store(Settings.from_environment().store)
        assert made in read_tree(store, run_id).choices  # it is durable by now
        self.told.append(made.seq)
        return "It goes on."

    def resume(self, run_id: str) -> str:
        self.resumed.append(run_id)
        self.taken.add(run_id)
        return "It goes on."

    def tended(self, picture: Picture) -> Tended:
        run = picture.status.run
        return Tended(taken=run in self.taken, problem=self.problems.get(run, ""))


def room_app(waker: Waker | None = None, **settings: object) -> FastAPI:
    """Return a room on the store of the settings."""
    given = {"store": Settings.from_environment().store, "token": TOKEN, **settings}
    return create_app(RoomSettings(tending=waker or Waker(), **given))


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an application; gives its address."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        door.close()
