"""Window plans: the published schedules, and properties over random sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiccore.errors import CodesError
from musiccore.sampling.windows import (
    Window,
    island_windows,
    partial_window,
    pieces,
    plan_holes,
    plan_windows,
    upper_span,
    window_starts,
)

SCHEDULES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "golden" / "schedules.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", SCHEDULES["get_starts"], ids=lambda c: str(c["total_length"]))
def test_window_starts_are_the_published_ones(case: dict[str, Any]) -> None:
    found = window_starts(case["total_length"], case["n_ctx"], case["hop_length"])
    assert found == case["starts"]


@pytest.mark.parametrize("case", SCHEDULES["sample_level"], ids=lambda c: str(c["current_tokens"]))
def test_whole_levels_are_sampled_as_published(case: dict[str, Any]) -> None:
    n_codes, n_ctx, n_known = case["total_length"], case["n_ctx"], case["current_tokens"]
    expected = [
        (index, w["start"], w["conditioning"], w["new"], w["length_after"])
        for index, w in enumerate(case["windows"])
        if "new" in w
    ]
    if n_codes >= n_ctx:
        windows = plan_windows(n_codes, n_ctx, case["hop_length"], n_known=n_known)
    else:  # the released program adds a short level on top of its primer
        windows = [partial_window(n_known, n_codes, n_ctx)]
    assert [(w.index, w.start, w.known, w.new, w.end) for w in windows] == expected
    for window, published in zip(windows, (w for w in case["windows"] if "new" in w), strict=True):
        assert window.start == published["y_start"]


@pytest.mark.parametrize("case", SCHEDULES["partial_window"], ids=str)
def test_partial_windows_are_the_published_ones(case: dict[str, Any]) -> None:
    window = partial_window(case["current_tokens"], case["tokens_to_sample"], case["n_ctx"])
    assert window.start == case["start"]
    assert window.end - window.start == case["sample_tokens"]
    assert window.known == case["conditioning_tokens"]
    assert window.new == case["new_tokens"]
    assert window.end == case["total_after"]


def test_pieces_are_the_published_chunks_and_batches() -> None:
    for case in SCHEDULES["split_chunks"]:
        assert pieces(case["length"], case["chunk_size"]) == case["chunks"]
    for case in SCHEDULES["split_batch"]:
        assert pieces(case["n_samples"], case["max_batch_size"]) == case["sizes"]


@st.composite
def levels(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n_ctx = draw(st.integers(1, 80))
    hop = draw(st.integers(1, n_ctx))
    n_codes = draw(st.integers(0, 400))
    return n_codes, n_ctx, hop, draw(st.integers(0, n_codes))


@given(levels())
def test_each_position_is_new_exactly_once(level: tuple[int, int, int, int]) -> None:
    n_codes, n_ctx, hop, n_known = level
    windows = plan_windows(n_codes, n_ctx, hop, n_known=n_known)
    new = [p for w in windows for p in range(w.first_new, w.end)]
    assert new == list(range(n_known, n_codes))


@given(levels())
def test_last_window_ends_at_the_last_code_and_none_exceeds_the_context(
    level: tuple[int, int, int, int],
) -> None:
    n_codes, n_ctx, hop, n_known = level
    windows = plan_windows(n_codes, n_ctx, hop, n_known=n_known)
    assert all(w.known >= 0 and w.new > 0 and w.end - w.start <= n_ctx for w in windows)
    if windows:
        assert windows[-1].end == n_codes
        assert all(w.end - w.start == min(n_ctx, n_codes) for w in windows)


@given(levels(), st.integers(0, 20))
def test_resuming_after_any_window_plans_the_same_rest(
    level: tuple[int, int, int, int], done: int
) -> None:
    n_codes, n_ctx, hop, n_known = level
    windows = plan_windows(n_codes, n_ctx, hop, n_known=n_known)
    done = min(done, len(windows))
    reached = windows[done - 1].end if done else n_known
    assert plan_windows(n_codes, n_ctx, hop, n_known=reached) == windows[done:]


@given(st.integers(0, 500), st.integers(1, 64))
def test_partial_window_keeps_as_much_context_as_fits(n_known: int, n_new: int) -> None:
    window = partial_window(n_known, n_new, 64)
    assert window.new == n_new
    assert window.end == n_known + n_new
    assert window.known == min(n_known, 64 - n_new)


def test_short_level_is_one_shorter_window_even_when_primed() -> None:
    assert plan_windows(50, 64, 16, n_known=10) == [Window(index=0, start=0, end=50, known=10)]


@pytest.mark.parametrize("hop", [0, -1, 65])
@pytest.mark.parametrize("n_codes", [10, 100])
def test_window_hop_outside_the_context_is_refused(hop: int, n_codes: int) -> None:
    with pytest.raises(CodesError, match=f"window_hop is {hop}"):
        plan_windows(n_codes, 64, hop)


def test_partial_window_longer_than_the_context_is_refused() -> None:
    with pytest.raises(CodesError, match="65 new codes"):
        partial_window(0, 65, 64)


def test_upper_span_needs_windows_on_upper_codes() -> None:
    assert upper_span(16, 64, 4) == (4, 20)
    with pytest.raises(CodesError, match="multiples of 4"):
        upper_span(18, 64, 4)


@st.composite
def long_levels(draw: st.DrawFn) -> tuple[int, int, int, list[tuple[int, int]]]:
    n_ctx = draw(st.integers(1, 40))
    hop = draw(st.integers(1, n_ctx))
    n_codes = draw(st.integers(n_ctx, 200))
    edges = sorted(draw(st.lists(st.integers(0, n_codes), max_size=8, unique=True)))
    return n_codes, n_ctx, hop, list(zip(edges[::2], edges[1::2], strict=False))


@given(long_levels(), st.integers(0, 200))
def test_one_hole_up_to_the_end_is_what_is_not_known(
    level: tuple[int, int, int, list[tuple[int, int]]], n_known: int
) -> None:
    n_codes, n_ctx, hop, _ = level
    n_known = min(n_known, n_codes)
    expected = plan_windows(n_codes, n_ctx, hop, n_known=n_known)
    assert plan_holes(n_codes, n_ctx, hop, [(n_known, n_codes)]) == expected


@given(long_levels())
def test_each_position_of_a_hole_is_new_exactly_once(
    level: tuple[int, int, int, list[tuple[int, int]]],
) -> None:
    n_codes, n_ctx, hop, holes = level
    windows = plan_holes(n_codes, n_ctx, hop, holes)
    new = [p for w in windows for p in range(w.first_new, w.first_new + w.new)]
    assert new == [p for first, last in holes for p in range(first, last)]
    starts = window_starts(n_codes, n_ctx, hop)
    assert all(w.known >= 0 and w.new > 0 and w.start == starts[w.index] for w in windows)
    assert all(w.end - w.start == n_ctx for w in windows)


@given(long_levels(), st.integers(0, 200), st.integers(1, 200))
def test_island_covers_its_stretch_with_windows_of_the_whole_plan(
    level: tuple[int, int, int, list[tuple[int, int]]], first: int, length: int
) -> None:
    n_codes, n_ctx, hop, _ = level
    first = min(first, n_codes - 1)
    last = min(n_codes, first + length)
    whole, island = (
        plan_windows(n_codes, n_ctx, hop),
        island_windows(n_codes, n_ctx, hop, first, last),
    )
    assert island[1:] == whole[island[0].index + 1 : island[-1].index + 1]
    assert (island[0].start, island[0].known) == (whole[island[0].index].start, 0)
    new = [p for w in island for p in range(w.first_new, w.end)]
    assert new == list(range(island[0].start, island[-1].end))
    assert set(range(first, last)) <= set(new)
    if island[0].index == 0:
        assert island == whole[: len(island)]


@pytest.mark.parametrize("span", [(-1, 5), (5, 300), (9, 5)])
def test_stretch_outside_the_level_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(CodesError, match="no stretch of 200 codes"):
        plan_holes(200, 64, 16, [span])
    with pytest.raises(CodesError, match="no stretch of 200 codes"):
        island_windows(200, 64, 16, *span)
