"""Temperature, top-k and top-p keep what they promise."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from musiccore.errors import ConfigError
from musiccore.sampling.logits import filter_logits

ROWS = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=30)


def _kept(logits: torch.Tensor) -> list[int]:
    return torch.isfinite(logits).nonzero()[:, 0].tolist()


@given(ROWS, st.integers(1, 40))
def test_top_k_keeps_the_best_and_ties(row: list[float], k: int) -> None:
    logits = torch.tensor(row)
    kth = sorted(row, reverse=True)[min(k, len(row)) - 1]
    assert _kept(filter_logits(logits, top_k=k)) == [i for i, x in enumerate(row) if x >= kth]


@given(ROWS, st.floats(0.01, 0.99))
def test_top_p_keeps_a_smallest_set_with_the_best_code(row: list[float], p: float) -> None:
    logits = torch.tensor(row, dtype=torch.float64)
    kept = _kept(filter_logits(logits, top_p=p))
    probability = logits.softmax(-1)
    assert probability[kept].sum() > p - 1e-9
    assert probability.max() == probability[kept].max()
    if len(kept) > 1:
        smallest = min(probability[kept].tolist())
        assert probability[kept].sum() - smallest <= p + 1e-9


def test_options_that_keep_everything_only_divide() -> None:
    logits = torch.tensor([[1.0, 2.0, -3.0]])
    for top_p in (0.0, 1.0):
        assert torch.equal(filter_logits(logits, temperature=0.5, top_p=top_p), logits / 0.5)


def test_the_input_is_not_changed() -> None:
    logits = torch.tensor([1.0, 2.0, 3.0])
    filter_logits(logits, top_k=1)
    assert logits.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": -1},
        {"top_p": 1.5},
        {"top_p": -0.1},
        {"top_k": 3, "top_p": 0.5},
    ],
    ids=str,
)
def test_wrong_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        filter_logits(torch.zeros(4), **options)  # type: ignore[arg-type]
