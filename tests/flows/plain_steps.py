"""Conversations on the test model without Prefect around their steps: the same code, milliseconds.

Prefect adds retries, states and a server to every step; what the steps do to the store is the same
without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from prefect import Flow, Task

import flows.deliver
import flows.rounds
import flows.song
import tasks.candidates
import tasks.publishing
import tasks.sampling
from musiccore import audio
from musiccore.journal.journal import Journal
from musiccore.journal.records import Event
from musiccore.pages import figures
from musiccore.request.check import check
from musiccore.request.request import GenerationRequest
from musiccore.storage.store import Store, open_store
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.takes.tree import Tree
from tasks.models import Models
from tasks.resources import working
from tasks.runs import create_run
from tasks.settings import Settings
from tasks.trees import make_choice, read_tree

Window = tuple[int, tuple[int, ...], int]


class Talk:
    """A run of its own in a store.

    Args:
        root: address of the store.
        sampled: windows sampled in this process, in order: (level, rows, index).
    """

    def __init__(self, root: str, sampled: list[Window]) -> None:
        self.root, self.sampled = root, sampled
        self.store: Store = open_store(root)

    def begin(self, **request: object) -> Talk:
        asked = {"model": "tiny", "seconds": 0.4, "takes": 2, "choose": "wait", **request}
        whole = GenerationRequest.parse({"formats": ("wav",), **asked})
        config = check(whole)
        settings = Settings(store=self.root)
        create_run(self.store, whole, "song", config, Models(config, settings))
        return self

    def choose(self, action: str, *takes: int, **fields: object) -> MadeChoice:
        choice = Choice.parse({"action": action, "takes": takes, **fields})
        return make_choice(self.store, "song", choice, by="command")

    def work(self, *, take_over: bool = False) -> list[Window]:
        """Carry out what was chosen; return the windows that this sampled."""
        before = len(self.sampled)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JUKEFLOW_STORE", self.root)
            with working("song", take_over=take_over):
                flows.rounds.carry_out("song")
        return self.sampled[before:]

    def go(self, action: str, *takes: int, **fields: object) -> list[Window]:
        """Choose and carry it out; return the windows that this sampled."""
        self.choose(action, *takes, **fields)
        return self.work()

    @property
    def tree(self) -> Tree:
        return read_tree(self.store, "song")

    def events(self, *types: str) -> tuple[Event, ...]:
        return Journal.open(self.store, "song").events_of(*types)

    @contextmanager
    def opened(self) -> Iterator[object]:
        """Open the claimed run, to read codes and audio."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JUKEFLOW_STORE", self.root)
            with working("song") as run:
                yield run


@contextmanager
def plain_steps() -> Iterator[list[Window]]:
    """Take Prefect from around the steps, and note every window that is sampled."""
    sampled: list[Window] = []
    real = tasks.sampling.ModelSampler.__call__

    def noting(self, unit, codes, upper, on_step):
        sampled.append((unit.level, unit.takes, unit.window.index))
        return real(self, unit, codes, upper, on_step)

    with pytest.MonkeyPatch.context() as patch:
        for module in (flows.deliver, flows.rounds, flows.song):
            for name, value in vars(module).copy().items():
                if isinstance(value, Flow | Task):
                    patch.setattr(module, name, value.fn)
        patch.setattr(tasks.sampling.ModelSampler, "__call__", noting)
        for name in ("waveform", "spectrogram"):  # pure and slow: drawn once per sound
            patch.setattr(figures, name, _once(getattr(figures, name)))
        yield sampled


def _once(draw):
    @cache
    def drawn(key):
        return draw(sounds[key])

    sounds = {}

    def call(sound):
        key = audio.pcm_sha256(sound)
        sounds[key] = sound
        return drawn(key)

    return call
