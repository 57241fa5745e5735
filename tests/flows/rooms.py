"""Runs and rooms for tests of the pages, made by the library alone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI

from flows.listening.app import RoomSettings, create_app
from flows.listening.tended import Tended
from musiccore.delivery.carry_out import HERE, carry_out
from musiccore.request.request import GenerationRequest
from musiccore.runs.choices import make_choice, read_tree
from musiccore.runs.create import start
from musiccore.runs.open_run import OpenRun, open_run
from musiccore.runs.snapshot import Picture
from musiccore.takes.choice import Choice, MadeChoice
from tasks.context import shared_store
from tasks.settings import machine, process_settings

TOKEN = "a-token-for-the-tests"
EVIL = "</script><img src=x onerror=alert(1)>"


def new_run(run: str, **request: object) -> None:
    """Make a run whose first round is published, in the store of the settings."""
    _start(run, choose="wait", **request)
    work(run)


def unattended_run(run: str, *, song: bool = True, **request: object) -> None:
    """Make a run as `generate` does: nobody is asked, and no take is published.

    Args:
        run: its name.
        song: make the song as well; else the takes alone are there.
        **request: what is asked for.
    """
    _start(run, choose="first", **request)
    if song:
        work(run)
    else:
        with opened(run) as here:
            HERE.condition(here)
            HERE.sample_round(here, 1)


def _start(run: str, **request: object) -> None:
    asked = GenerationRequest.parse({"takes": 2, "title": run, **request})
    start(shared_store(), asked, run, machine())


def opened(run: str) -> AbstractContextManager[OpenRun]:
    """Claim a run of the store of the settings."""
    return open_run(shared_store(), run, machine())


def chosen(run: str, **words: object) -> MadeChoice:
    """Make a choice as another person would."""
    return make_choice(shared_store(), run, Choice.parse(words), by="command", who="Ada")


def work(run: str) -> None:
    """Carry out what was chosen."""
    with opened(run) as here:
        carry_out(here)


def sample(run: str, *levels: int) -> None:
    """Sample levels of the songs that were chosen, and deliver none."""
    with opened(run) as here:
        for made in here.tree(fresh=True).pending:
            for song in here.tree().renditions_of(made):
                for level in levels:
                    HERE.sample_song(here, song.number, level)


@dataclass
class Waker:
    """Stands where runs are continued; remembers which choices and runs it was told of."""

    told: list[int] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)

    def chosen(self, run_id: str, made: MadeChoice) -> str:
        assert made in read_tree(shared_store(), run_id).choices  # it is durable by now
        self.told.append(made.seq)
        return "It goes on."

    def resume(self, run_id: str) -> str:
        self.resumed.append(run_id)
        self.taken.add(run_id)
        return "It goes on."

    def tended(self, picture: Picture) -> Tended:
        run = picture.status.run
        return Tended(taken=run in self.taken, problem=self.problems.get(run, ""))


def room_app(waker: Waker | None = None, **given: object) -> FastAPI:
    """Return a room on the store of the settings."""
    asked = {"store": process_settings().store, "token": TOKEN, **given}
    return create_app(RoomSettings(tending=waker or Waker(), **asked))


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
