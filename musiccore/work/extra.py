"""What goes with the work and is not the work: it may fail, and the work goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")

log = logging.getLogger(__name__)


def extra(
    what: str, make: Callable[[], Made], say: Callable[[str], None], tell: Callable[[str], None]
) -> Made | None:
    """Return what `make` makes; None, and a warning, where it cannot be made.

    Signals and the end of a budget pass through.

    Args:
        what: it is, in words that begin a sentence.
        make: makes it.
        say: warns whoever looks on now.
        tell: tells whoever reads about it afterwards.
    """
    try:
        return make()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        log.debug("%s", what, exc_info=error)
        say(f"warning: {what} was left out: {reason}")
        tell(f"{what[:1].upper()}{what[1:]} was left out: {reason}.")
        return None
