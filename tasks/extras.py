"""What goes with the music and is not the music: it may fail, and the song is delivered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tasks.resources import task_reporter
from tasks.story import tell

Made = TypeVar("Made")

log = logging.getLogger(__name__)


def extra(what: str, make: Callable[[], Made]) -> Made | None:
    """Return what `make` makes; None, and a warning, where it cannot be made.

    Signals and the end of a budget pass through.

    Args:
        what: it is, in words that begin a sentence.
        make: makes it.
    """
    try:
        return make()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        log.debug("%s", what, exc_info=error)
        task_reporter().say(f"warning: {what} was left out: {reason}")
        tell(f"{what[:1].upper()}{what[1:]} was left out: {reason}.")
        return None
