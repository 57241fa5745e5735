"""A stretch replaced changes nothing else, and joins without a step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiccore.audio.sound import Audio
from musiccore.audio.splicing import overlay, replace_range
from musiccore.errors import AudioError

RATE = 8000


def flat(level: float, n_samples: int = 200, channels: int = 1) -> Audio:
    samples = np.full((channels, n_samples), level, dtype=np.float32)
    return Audio(samples=samples, sample_rate=RATE)


@given(st.integers(0, 199), st.integers(1, 200), st.integers(0, 60), st.integers(1, 2))
def test_outside_stretch_and_fade_every_sample_is_the_old_one(start, length, fade, channels):
    end = min(200, start + length)
    base, new = flat(0.25, channels=channels), flat(-0.5, channels=channels)
    mixed = replace_range(base, new, start, end, fade).samples
    assert mixed.shape == (channels, 200)
    assert (mixed[:, : max(0, start - fade)] == np.float32(0.25)).all()
    assert (mixed[:, end + fade :] == np.float32(0.25)).all()
    assert (mixed[:, start:end] == np.float32(-0.5)).all()
    if fade:
        assert np.abs(np.diff(mixed)).max() <= 0.75 / fade + 1e-6


def test_without_a_fade_exactly_the_stretch_is_new():
    mixed = replace_range(flat(0), flat(1), 50, 60, 0).samples[0]
    assert np.flatnonzero(mixed).tolist() == list(range(50, 60))


def test_edges_of_the_song_are_not_faded():
    assert (replace_range(flat(0), flat(1), 0, 200, 30).samples == 1).all()


def test_inputs_are_not_changed():
    base = flat(0.25)
    replace_range(base, flat(1), 10, 20, 5)
    assert (base.samples == np.float32(0.25)).all()


@pytest.mark.parametrize("new", [flat(0, 199), flat(0, channels=2)])
def test_audio_of_another_shape_is_refused(new):
    with pytest.raises(AudioError, match="do not fit"):
        replace_range(flat(0), new, 0, 10, 1)


def test_later_layers_cover_earlier_ones_and_gaps_are_silent():
    mixed = overlay([(10, flat(0.1, 100)), (50, flat(0.2, 30)), (190, flat(0.3, 50))], 200, RATE)
    expected = np.zeros(200, dtype=np.float32)
    expected[10:110], expected[50:80], expected[190:] = 0.1, 0.2, 0.3
    assert (mixed.samples[0] == expected).all()
    assert overlay([(300, flat(1))], 200, RATE).samples.max() == 0
