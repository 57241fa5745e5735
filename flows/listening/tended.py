"""What the room needs to know of whoever continues runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from musiccore.runs.snapshot import Picture
from musiccore.takes.choice import MadeChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Tended:
    """Who is about to take a run up that no worker holds.

    Attributes:
        taken: whether somebody is.
        problem: why the last attempt came to nothing, in a sentence; empty if none failed.
    """

    taken: bool
    problem: str = ""


class RunTender(Protocol):
    """Lets runs go on, and knows which ones are about to."""

    def chosen(self, run_id: str, made: MadeChoice) -> str:
        """Let a run go on after a choice that is durable; say what happens next."""
        ...

    def resume(self, run_id: str) -> str:
        """Let a run go on that was interrupted; say what happens next."""
        ...

    def tended(self, picture: Picture) -> Tended:
        """Say who is about to take up a run that no worker holds."""
        ...
