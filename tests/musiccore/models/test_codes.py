"""Codes keep their values through every operation and their bytes; damage is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from musiccore.errors import CodesError
from musiccore.models.codes import Codes, check_range, from_npy, to_npy

ARRAYS = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 4), st.integers(0, 30)), elements=st.integers(0, 2047)
)


def _codes() -> Codes:
    return Codes.of([np.arange(2 * n).reshape(2, n) for n in (16, 4, 1)], codec="toy")


@given(ARRAYS)
def test_npy_bytes_round_trip_and_are_stable(array: np.ndarray) -> None:
    data = to_npy(array)
    assert np.array_equal(from_npy(data), array)
    assert to_npy(array.astype(np.int16)) == data


def test_npz_bytes_round_trip_and_are_stable() -> None:
    codes = _codes()
    again = Codes.from_npz(codes.to_npz())
    assert again.codec == "toy"
    assert all(np.array_equal(a, b) for a, b in zip(again.levels, codes.levels, strict=True))
    assert again.to_npz() == codes.to_npz()


def test_take_repeat_join_cut_and_stack() -> None:
    codes = _codes()
    assert codes.take(1).levels[2].tolist() == [[1]]
    assert codes.repeat(2).levels[2].tolist() == [[0], [0], [1], [1]]
    assert codes.join(codes).n_codes(1) == 8
    assert codes.cut(64, (8, 32, 128)).levels[0].shape == (2, 8)
    assert codes.stack(codes).n_takes == 4
    assert codes.replace(2, np.array([[5, 6], [7, 8]])).n_codes(2) == 2
    assert Codes.empty(3, 3, "toy").n_codes(0) == 0


def _pickle() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([[{}]], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def _huge() -> bytes:
    data = to_npy(np.zeros((1, 1000), dtype=np.int16))
    return data.replace(b"(1, 1000)", b"(9, 9999)")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x93NUMPY", b"not codes", _pickle(), _huge(), to_npy(np.zeros((1, 9), int))[:-1]],
    ids=["empty", "magic only", "text", "pickle", "huge header", "truncated"],
)
def test_damaged_npy_is_refused(data: bytes) -> None:
    with pytest.raises(CodesError, match="damaged"):
        from_npy(data)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"text"])
def test_damaged_npz_is_refused(data: bytes) -> None:
    with pytest.raises(CodesError, match="damaged"):
        Codes.from_npz(data)


@pytest.mark.parametrize("bad", [np.array([[-1]]), np.array([[40000]]), np.array([[0.5]])])
def test_codes_that_do_not_fit_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(CodesError):
        to_npy(bad)


def test_codes_outside_the_codebook_are_refused() -> None:
    check_range(np.array([[0, 31]]), 32, 0)
    with pytest.raises(CodesError, match="level 2 span 0 to 32"):
        check_range(np.array([[0, 32]]), 32, 2)


def test_levels_of_different_batches_are_refused() -> None:
    with pytest.raises(CodesError, match="level 1 hold 3"):
        Codes.of([np.zeros((2, 4), int), np.zeros((3, 1), int)], codec="toy")
