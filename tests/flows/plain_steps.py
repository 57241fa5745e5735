"""Conversations on the test model, carried out by the library alone in milliseconds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from musiccore.delivery.carry_out import carry_out
from musiccore.journal.journal import Journal
from musiccore.journal.records import Event
from musiccore.models.machine import Machine
from musiccore.request.request import GenerationRequest
from musiccore.runs.choices import make_choice, read_tree
from musiccore.runs.create import start
from musiccore.runs.model_sampler import ModelSampler
from musiccore.runs.open_run import OpenRun, open_run
from musiccore.storage.store import Store, open_store
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.takes.tree import Tree
from musiccore.work.progress import reporter
from tests.flows.light_pictures import light_pictures

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
        start(self.store, whole, "song", Machine())
        return self

    def copy(self) -> Talk:
        """Return a run of its own that stands where this one does."""
        other = Talk(f"memory://test-{uuid.uuid4().hex}", self.sampled)
        for name in self.store.list():
            other.store.put(name, self.store.get(name))
        return other

    def choose(self, action: str, *takes: int, **fields: object) -> MadeChoice:
        choice = Choice.parse({"action": action, "takes": takes, **fields})
        return make_choice(self.store, "song", choice, by="command")

    def work(self, *, take_over: bool = False) -> list[Window]:
        """Carry out what was chosen; return the windows that this sampled."""
        before = len(self.sampled)
        with self.opened(take_over=take_over) as run:
            carry_out(run)
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

    def opened(self, *, take_over: bool = False) -> AbstractContextManager[OpenRun]:
        """Open the run and claim it."""
        here = Machine()
        return open_run(self.store, "song", here, reporter=reporter(), take_over=take_over)


@contextmanager
def plain_steps() -> Iterator[list[Window]]:
    """Note every window that is sampled, and draw light pictures."""
    sampled: list[Window] = []
    real = ModelSampler.__call__

    def noting(self, unit, codes, upper, on_step):
        sampled.append((unit.level, unit.takes, unit.window.index))
        return real(self, unit, codes, upper, on_step)

    with pytest.MonkeyPatch.context() as patch, light_pictures():
        patch.setattr(ModelSampler, "__call__", noting)
        yield sampled
