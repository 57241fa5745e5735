"""Samples that lie on the grid of the target stay what they are, dither or not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.conversion import ConversionOptions, convert
from musiccore.conversion.encoders import Quantiser

WAYS = [
    ("wav", "8", ("16", "8")), ("wav", "8", ("float", "8")), ("wav", "16", ("24", "16")),
    ("wav", "16", ("32", "16")), ("wav", "16", ("float", "16")), ("wav", "24", ("32", "24")),
    ("wav", "24", ("float", "24")), ("wav", "24", ("double", "24")),
    ("wav", "32", ("double", "32")),
    ("caf", "16", ("24", "float", "32", "16")), ("aiff", "16", ("float", "24", "16")),
    ("flac", "8", ("24", "16", "8")), ("flac", "16", ("24", "16")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bits", "way"), WAYS)
def test_up_and_down_again_is_bit_exact(tmp_path, kind, bits, way) -> None:
    steps = 1 << (int(bits) - 1)
    whole = np.random.default_rng(7).integers(-steps, steps, (9000, 2))
    whole[:2] = [[-steps, steps - 1], [0, 1]]
    if bits == "8":
        soundfile.write(tmp_path / "0.wav", (whole << 8).astype(np.int16), 8000, "PCM_U8")
    else:
        wide = (whole << (32 - int(bits))).astype(np.int32)
        soundfile.write(tmp_path / "0.wav", wide, 8000, f"PCM_{bits}")
    names = ["0.wav", *(f"{number}.{kind}" for number in range(1, len(way) + 1))]
    for (before, after), depth in zip(pairwise(names), way, strict=True):
        options = ConversionOptions(kind=kind, bits=depth, strict=True)
        convert(tmp_path / before, tmp_path / after, options)
    first, _ = soundfile.read(tmp_path / names[0], dtype="int32")
    last, _ = soundfile.read(tmp_path / names[-1], dtype="int32")
    np.testing.assert_array_equal(first, last)


def test_what_has_to_be_rounded_is_dithered_from_there_on(tmp_path) -> None:
    samples = np.full(20_000, 100.25 / 32768)
    samples[:5000] = 17 / 32768
    soundfile.write(tmp_path / "a.wav", samples, 8000, "DOUBLE")
    convert(tmp_path / "a.wav", tmp_path / "b.wav", ConversionOptions(kind="wav", bits="16"))
    after, _ = soundfile.read(tmp_path / "b.wav", dtype="int16")
    assert (after[:5000] == 17).all()
    assert len(np.unique(after[5000:])) >= 3
    assert after[5000:].mean() == pytest.approx(100.25, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 500), max_size=8),
    silent=st.integers(0, 600),
    bits=st.sampled_from(["8", "16", "24"]),
)
def test_the_size_of_the_blocks_makes_no_difference(cuts, silent, bits) -> None:
    samples = np.random.default_rng(3).uniform(-0.9, 0.9, (900, 2))
    samples[:silent] = 0.25
    whole = Quantiser(bits, dither=True)(samples)
    quantise = Quantiser(bits, dither=True)
    pieces = np.split(samples, np.unique(np.clip(np.cumsum(cuts), 0, 900).astype(int)))
    parted = [quantise(piece) for piece in pieces]
    np.testing.assert_array_equal(whole, np.concatenate(parted))
