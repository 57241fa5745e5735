"""Progress in a terminal: the bar is there, whatever is said beside it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from flows.cli.convert_progress import FileBars, file_bars_on
from flows.cli.progress_bar import Bars, bars_on
from musiccore.work.progress import Status

WIDTHS = (60, 80, 100, 140)
SLOWER = "the machine became slower"


def screen(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def lines_of(width: int, bars: Bars | FileBars) -> list[str]:
    """What a terminal of this width shows, line by line."""
    there = screen(width)
    there.print(bars._progress.get_renderable())
    return there.file.getvalue().splitlines()


def status(level: int, **facts: object) -> Status:
    return Status(
        **{
            "level": level,
            "window": 12,
            "windows": 110,
            "codes": 1000,
            "codes_done": 500,
            "codes_per_second": 1234.0,
            "seconds_low": 3300.0,
            "seconds_high": 4200.0,
            **facts,
        }
    )


def cells_of_bar(line: str, name: str) -> int:
    """Cells between a name and the percentage; something is drawn in them."""
    between = line.partition(name)[2].partition("%")[0].rstrip("0123456789")
    assert "━" in between, line
    return len(between) - 2


@pytest.mark.parametrize("width", WIDTHS)
def test_bar_of_a_level_stands_between_its_name_and_its_words(width) -> None:
    with bars_on(screen(width)) as bars:
        bars.level(status(2, reason=SLOWER), window_done=False)
        bars.level(status(1, codes_done=1000), window_done=True)
        shown = lines_of(width, bars)
    assert len(shown) == 2  # nothing is broken over lines
    for line, level in zip(shown, (2, 1), strict=True):
        assert line.startswith(f"level {level} ")
        assert "window 12 of 110" in line
        assert cells_of_bar(line, f"level {level}") >= 10, line
    assert " 50%" in shown[0]
    assert " done" in shown[1]
    if width >= 80:
        assert "55 min to 1.2 h left" in shown[0]


def test_reason_that_has_no_room_beside_the_bar_is_said_once_above_it() -> None:
    console = screen(80)
    with bars_on(console) as bars:
        for _ in range(3):
            bars.level(status(2, reason=SLOWER), window_done=False)
    assert console.file.getvalue().count(SLOWER) == 1


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["a.wav", f"{'folder/' * 20}song [live].wav", "曲" * 60 + ".wav"])
def test_bar_of_a_file_stands_beside_the_end_of_its_name(width, name) -> None:
    with file_bars_on(screen(width), [name, "b.wav"]) as bars:
        bars.moved(0, 0.5)
        shown = lines_of(width, bars)
    assert len(shown) == 2
    assert name[-5:] in shown[1]
    assert cells_of_bar(shown[1], name[-5:]) >= 10, shown[1]
