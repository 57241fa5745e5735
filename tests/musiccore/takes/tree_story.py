"""A run without codes: choices are checked, made and carried out as people and workers do."""

from __future__ import annotations

from datetime import UTC, datetime

from musiccore.journal.records import Event
from musiccore.models.presets import preset
from musiccore.request.request import GenerationRequest
from musiccore.storage.sealed import Json
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.takes.rounds import check_choice, next_round, settled
from musiccore.takes.takes import Facts
from musiccore.takes.tree import Tree

START = datetime(2026, 1, 1, tzinfo=UTC)


class Story:
    """Grows a tree from facts, choice by choice.

    Args:
        published: whether the first round can be heard already.
        **request: what differs from two short takes of the test model that wait for a person.
    """

    def __init__(self, *, published: bool = True, **request: object) -> None:
        asked = {"model": "tiny", "seconds": 0.4, "takes": 2, "choose": "wait", **request}
        whole = GenerationRequest.parse(asked)
        self.facts = Facts(request=whole, config=preset("tiny"))
        self.events: list[Event] = []
        self.choices: list[MadeChoice] = []
        if published:
            self.publish(1)

    @property
    def tree(self) -> Tree:
        return Tree.of(self.facts, self.events, self.choices)

    def note(self, type: str, **fields: Json) -> None:
        self.events.append(
            Event(
                seq=len(self.events) + 1,
                epoch=1,
                owner="worker",
                at=START.isoformat(),
                type=type,
                fields=fields,
                sha256="0" * 64,
            )
        )

    def publish(self, number: int) -> None:
        for take in self.tree.rounds[number].takes:
            self.note("candidate", round=number, take=take)

    def choose(self, action: str, *takes: int, round_number: int | None = None, **fields: object):
        """Make a choice; return it."""
        choice = Choice.parse({"action": action, "takes": takes, **fields})
        tree = self.tree
        number = check_choice(tree, choice, round_number=round_number)
        made = MadeChoice(
            seq=len(self.choices) + 1,
            at=START.isoformat(),
            by="command",
            who="",
            round=number,
            seen=len(self.choices),
            choice=settled(tree, choice),
        )
        self.choices.append(made)
        return made

    def work(self) -> None:
        """Carry out everything that is pending."""
        while pending := self.tree.pending:
            made, tree = pending[0], self.tree
            if made.choice.action == "audition":
                self.note("candidate", choice=made.seq, take=made.choice.takes[0])
            elif made.choice.action in ("upsample", "redo"):
                for song in tree.renditions_of(made):
                    if song.exported is None:
                        self.note("exported", rendition=song.number)
            else:
                one = next_round(tree, made)
                self.note(
                    "round",
                    round=one.number,
                    kind=one.kind,
                    parent=one.parent,
                    takes=list(one.takes),
                    choice=made.seq,
                    known=one.known,
                    n_codes=one.n_codes,
                    parts=[[part.take, part.start, part.end] for part in one.parts],
                    changes=dict(one.changes.given()),
                )
                self.publish(one.number)

    def go(self, action: str, *takes: int, **fields: object) -> MadeChoice:
        """Make a choice and carry it out."""
        made = self.choose(action, *takes, **fields)
        self.work()
        return made
