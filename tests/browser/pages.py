"""What tests ask of a page. Its policy forbids `eval`, so the page is asked again and again."""

from __future__ import annotations

import time
from pathlib import Path

SCREENSHOTS = Path(__file__).with_name("screenshots")
SOUNDS = (
    "[...document.querySelectorAll('.card.take')].map(card => card.querySelector('audio'))"
    ".map(a => ({time: a.currentTime, playing: !a.paused, volume: a.volume, ready: a.readyState}))"
)
WIDTHS = "[document.documentElement.scrollWidth, innerWidth]"


PATIENCE = 60.0  # seconds, on a machine that does something else as well


def until(page, expression: str, seconds: float = PATIENCE) -> None:
    """Wait until an expression is true on the page."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"not in {seconds} s: {expression}"
        page.wait_for_timeout(30)


def sounds(page) -> list[dict[str, float]]:
    """Return the main sound of every candidate, in the order of the page."""
    return page.evaluate(SOUNDS)


def played(page, index: int, seconds: float) -> None:
    """Wait until a candidate plays and is beyond a time."""
    until(page, f"({SOUNDS})[{index}].time > {seconds}")


def note_beginnings(page) -> None:
    """Let the page remember where each sound begins to play."""
    page.evaluate(
        "window.beginnings = []; document.addEventListener('play', "
        "event => window.beginnings.push(event.target.currentTime), true)"
    )


def beginnings(page) -> list[float]:
    """Return where sounds began to play, the last one last."""
    return page.evaluate("window.beginnings")


def loaded(page) -> None:
    """Wait until every candidate can be played."""
    until(page, f"({SOUNDS}).every(sound => sound.ready >= 3)")
