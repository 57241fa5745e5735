"""Random numbers are a pure function of their coordinates; frozen vectors keep them so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from musiccore.errors import CodesError, ConfigError
from musiccore.sampling.randomness import MAX_SEED, RNG_SCHEME, choose, uniforms

COORDINATES = st.tuples(
    st.integers(0, MAX_SEED), st.integers(0, 2), st.integers(0, 500), st.integers(0, 63)
)

FROZEN_ZERO = [
    0.9059767542596868,
    0.6899638909772864,
    0.4132035341182857,
]
FROZEN_OTHER = [
    0.8536360088757865,
    0.7061561334391764,
    0.23311086378753654,
]
FROZEN_LARGEST = [
    0.1976942446149813,
    0.7841834710283543,
]


def test_scheme_name_and_frozen_vectors() -> None:
    assert RNG_SCHEME == "philox4x64/v1"
    assert uniforms(0, 0, 0, 0, 0, 3).tolist() == FROZEN_ZERO
    assert uniforms(1234567890123, 2, 7, 3, 8191, 3).tolist() == FROZEN_OTHER
    assert uniforms(MAX_SEED, 1, 0, 1, 0, 2).tolist() == FROZEN_LARGEST


@given(COORDINATES, st.integers(0, 10**6), st.integers(1, 40))
def test_numbers_do_not_depend_on_how_positions_are_grouped(
    at: tuple[int, int, int, int], start: int, n: int
) -> None:
    whole = uniforms(*at, start, n)
    assert [uniforms(*at, start + i, 1)[0] for i in range(n)] == whole.tolist()
    assert ((whole >= 0) & (whole < 1)).all()


@given(COORDINATES)
def test_each_coordinate_changes_the_numbers(at: tuple[int, int, int, int]) -> None:
    seed, level, window, take = at
    base = uniforms(*at, 5, 4).tolist()
    others = [
        (seed ^ 1, level, window, take),
        (seed, level + 1, window, take),
        (seed, level, window + 1, take),
        (seed, level, window, take + 1),
    ]
    assert all(uniforms(*other, 5, 4).tolist() != base for other in others)


def test_numbers_are_uniform() -> None:
    u = uniforms(42, 0, 0, 0, 0, 20000)
    counts = np.histogram(u, bins=10, range=(0, 1))[0]
    assert abs(counts - 2000).max() < 200


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed is"):
        uniforms(seed, 0, 0, 0, 0, 1)


def test_choice_follows_the_cumulative_distribution() -> None:
    logits = torch.log(torch.tensor([[0.25, 0.25, 0.5]])).repeat(5, 1)
    u = np.array([0.0, 0.24, 0.26, 0.51, 1 - 2.0**-53])
    assert choose(logits, u).tolist() == [0, 0, 1, 2, 2]


def test_choice_never_takes_an_impossible_code() -> None:
    never = float("-inf")
    logits = torch.tensor([[never, 0.0, never, 0.0, never]]).repeat(3, 1)
    assert choose(logits, np.array([0.0, 0.5, 1 - 2.0**-53])).tolist() == [1, 3, 3]


@given(st.integers(0, 10**6))
def test_choice_reproduces_the_probabilities(seed: int) -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.0]]).repeat(2000, 1)
    chosen = choose(logits, uniforms(seed, 0, 0, 0, 0, 2000))
    share = torch.bincount(chosen, minlength=4) / 2000
    assert (share - logits[0].softmax(-1)).abs().max() < 0.07


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_damaged_logits_are_an_error_and_not_a_code(bad: float) -> None:
    logits = torch.tensor([[0.0, 1.0], [0.0, bad]])
    with pytest.raises(CodesError, match="batch row 1"):
        choose(logits, np.array([0.5, 0.5]))
