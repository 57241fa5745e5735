"""Killed before any commit of a conversation: the same bytes, at most one unit again."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field

import pytest

from musiccore.storage.backends import MemoryBackend
from musiccore.storage.store import open_store
from tests.flows.plain_steps import Talk, Window, plain_steps

STORY = [
    ("compose", (), {}),
    ("continue", (1,), {"seconds": 0.1, "count": 1}),
    ("audition", (1,), {"start": 0.0, "end": 0.06}),
    ("upsample", (1,), {}),
    ("redo", (1,), {"start": 0.2, "end": 0.25}),
]
LASTING = ("window", "level_done", "decoded", "candidate", "exported", "round")
"""What must be equal; how a song is cut into stretches to hear meanwhile depends on the clock."""


@dataclass
class Moment:
    """The store as it was just before a record was written, and the windows sampled so far."""

    objects: dict[str, bytes]
    sampled: int


@dataclass
class Stage:
    """One step of the story, uninterrupted."""

    moments: list[Moment]
    facts: Counter[str] = field(default_factory=Counter)
    sampled: list[Window] = field(default_factory=list)


@pytest.fixture(scope="module")
def steps():
    with plain_steps() as sampled:
        yield sampled


@pytest.fixture(scope="module")
def story(steps) -> dict[str, Stage]:
    """Tell the story once, and keep what the store held before each record."""
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(window_hop=[48, 48, 8])
    stages = {}
    real = MemoryBackend.create
    for action, takes, fields in STORY:
        if takes:
            talk.choose(action, *takes, **fields)
        moments: list[Moment] = []
        began = len(steps)

        def create(self, key: str, data: bytes, moments=moments, began=began) -> None:
            if "/log/" in key:
                objects = {name: talk.store.get(name) for name in talk.store.list()}
                moments.append(Moment(objects, len(steps) - began))
            real(self, key, data)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryBackend, "create", create)
            sampled = talk.work()
        stages[action] = Stage(moments, _facts(talk), sampled)
    return stages


def _facts(talk: Talk) -> Counter[str]:
    """Return what lasts: every record of work without who wrote it and when."""
    found: Counter[str] = Counter()
    for event in talk.events(*LASTING):
        facts = dict(event.fields)
        if event.type == "exported":  # pages and manifests tell when they were written
            facts = {"inputs": facts["inputs"], "master": facts["master"]}
        found[f"{event.type} {sorted(facts.items())}"] += 1
    return found


@pytest.mark.parametrize("action", [action for action, _, _ in STORY])
def test_killed_before_any_commit_the_same_facts_come_out(story, steps, action):
    stage = story[action]
    assert max(stage.facts.values()) == 1
    for moment in stage.moments:
        root = f"memory://test-{uuid.uuid4().hex}"
        store = open_store(root)
        for key, data in moment.objects.items():
            store.put(key, data)
        talk = Talk(root, steps)
        again = talk.work(take_over=True)
        assert _facts(talk) == stage.facts
        rest = len(stage.sampled) - moment.sampled
        assert rest <= len(again) <= rest + 1  # at most the unit whose record was missing
        for key in store.list():
            store.delete(key)


def test_every_kind_of_record_of_the_story_was_a_moment_of_death(story):
    assert sum(len(stage.moments) for stage in story.values()) > 50
    assert {key.split()[0] for key in story["redo"].facts} == set(LASTING)
