"""Unit arithmetic is exact, and equal to the published rounding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiccore.errors import ConfigError
from musiccore.units import (
    codes_in,
    codes_to_samples,
    codes_to_seconds,
    continuation_codes,
    samples_in,
    samples_to_codes,
    samples_to_seconds,
)

SCHEDULES = json.loads(
    (Path(__file__).parents[1] / "golden" / "schedules.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", SCHEDULES["audio_length_rounding"], ids=str)
def test_audio_length_is_rounded_as_published(case: dict[str, float]) -> None:
    found = samples_in(case["seconds"], int(case["sr"]), multiple=int(case["multiple"]))
    assert found == case["samples"]


@pytest.mark.parametrize("case", SCHEDULES["seconds_to_tokens"], ids=str)
def test_continuation_always_grows_by_part_of_a_chunk(case: dict[str, int]) -> None:
    found = continuation_codes(
        case["seconds"], case["sr"], case["raw_to_tokens"], case["chunk_size"]
    )
    assert found == case["tokens"]


@given(
    milliseconds=st.integers(0, 10_000_000),
    rate=st.sampled_from([8000, 16000, 22050, 44100]),
    multiple=st.sampled_from([1, 8, 128, 256]),
)
def test_seconds_written_in_decimal_are_taken_exactly(
    milliseconds: int, rate: int, multiple: int
) -> None:
    expected = milliseconds * rate // 1000 // multiple * multiple
    assert samples_in(milliseconds / 1000, rate, multiple=multiple) == expected


@given(
    seconds=st.floats(0, 1e4),
    rate=st.sampled_from([8000, 16000, 44100]),
    hop=st.sampled_from([8, 32, 64]),
    factor=st.sampled_from([1, 2, 4, 16]),
)
def test_codes_cover_whole_codes_of_the_top_level(
    seconds: float, rate: int, hop: int, factor: int
) -> None:
    n_codes = codes_in(seconds, rate, hop, top_hop_length=hop * factor)
    assert n_codes % factor == 0
    assert codes_to_seconds(n_codes, rate, hop) <= seconds + 1e-9
    assert samples_to_codes(codes_to_samples(n_codes, hop), hop) == n_codes


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), float("-inf")])
def test_impossible_lengths_are_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="seconds is"):
        samples_in(seconds, 44100)


def test_samples_to_seconds_divides_by_the_rate() -> None:
    assert samples_to_seconds(22050, 44100) == 0.5
