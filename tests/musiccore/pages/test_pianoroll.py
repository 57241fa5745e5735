"""Piano rolls: notes lie where they sound, in the size and place of all other pictures."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from musiccore.pages.figures import (
    HEIGHT,
    PLOT_BOTTOM,
    PLOT_LEFT,
    PLOT_RIGHT,
    PLOT_TOP,
    WIDTH,
    piano_roll,
)
from musiccore.scores.score import DRUM_CHANNEL, Part, Score, ScoreNote, Tempo

CYAN, ORANGE, GREY = (0x5B, 0xC8, 0xD8), (0xF2, 0xA6, 0x5A), (0xB8, 0xC0, 0xD0)


def _score(*parts: Part) -> Score:
    return Score(ticks_per_quarter=500, parts=parts, tempos=(Tempo(tick=0, microseconds=500_000),))


def _part(
    *notes: tuple[int, int, int], velocity: int = 127, channel: int = 0, name: str = ""
) -> Part:
    """Notes are (start ms, duration ms, pitch)."""
    return Part(
        notes=tuple(
            ScoreNote(start=start, duration=duration, pitch=pitch, velocity=velocity)
            for start, duration, pitch in notes
        ),
        channel=channel,
        name=name,
    )


def _places(png: bytes, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where a colour is, as shares of the plot area: from the left, from below."""
    image = Image.open(io.BytesIO(png))
    assert image.size == (WIDTH, HEIGHT)
    pixels = np.asarray(image.convert("RGB")).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - colour).sum(axis=2) < 24)
    across = (columns / WIDTH - PLOT_LEFT) / (PLOT_RIGHT - PLOT_LEFT)
    up = (1 - rows / HEIGHT - PLOT_BOTTOM) / (PLOT_TOP - PLOT_BOTTOM)
    return across, up


def test_a_note_lies_at_its_time_and_in_the_colour_of_its_part() -> None:
    score = _score(_part((2000, 1000, 60)), _part((5000, 1000, 72)))
    png = piano_roll(score, seconds=10.0)
    first, low = _places(png, CYAN)
    second, high = _places(png, ORANGE)
    assert (first.min(), first.max()) == pytest.approx((0.2, 0.3), abs=0.005)
    assert (second.min(), second.max()) == pytest.approx((0.5, 0.6), abs=0.005)
    assert low.max() < high.min()


def test_a_repeated_note_is_seen_as_two() -> None:
    across, _ = _places(piano_roll(_score(_part((0, 500, 60), (500, 500, 60)))), CYAN)
    gap = np.diff(np.unique(across))
    assert gap.max() > 1.5 * np.median(gap)


def test_softer_notes_are_darker() -> None:
    loud = _places(piano_roll(_score(_part((0, 500, 60)))), CYAN)[0]
    soft = _places(piano_roll(_score(_part((0, 500, 60), velocity=20))), CYAN)[0]
    assert len(loud)
    assert not len(soft)


def test_percussion_has_rows_of_its_own_below() -> None:
    drums = _part((0, 50, 36), (1000, 50, 38), channel=DRUM_CHANNEL)
    _, notes = _places(piano_roll(_score(_part((0, 2000, 60)), drums)), CYAN)
    across, strokes = _places(piano_roll(_score(_part((0, 2000, 60)), drums)), GREY)
    inside = (across > 0.0) & (strokes > 0.02)  # not the labels
    assert strokes[inside].max() < notes.min()
    assert {round(at, 1) for at in across[inside]} == {0.0, 0.5}
    alone = _places(piano_roll(_score(drums)), GREY)[1]
    assert alone.max() > 0.7


def test_names_that_no_font_has_are_left_out_in_silence() -> None:
    parts = [_part((0, 500, 60 + n), name=name) for n, name in enumerate(("旋律", "$x_1$", "Alt"))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert piano_roll(_score(*parts))


@pytest.mark.parametrize("parts", [(), (_part(),), (_part((0, 0, 60)),)])
def test_a_score_with_nothing_to_see_is_an_empty_picture(parts: tuple[Part, ...]) -> None:
    assert Image.open(io.BytesIO(piano_roll(_score(*parts)))).size == (WIDTH, HEIGHT)


def test_same_score_same_picture() -> None:
    score = _score(_part((0, 500, 60), (500, 500, 64)))
    assert piano_roll(score) == piano_roll(score)
