"""Fault flags: what is wrong is found, what is right is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from musiccore.audio.faults import Fault, find_faults
from musiccore.audio.sound import Audio

RATE = 8000
CODE_RATE = 62.5
SECONDS = 12.0
SEEDS = range(50)


def clean(seed: int, seconds: float = SECONDS) -> tuple[np.ndarray, np.ndarray]:
    """Return music of a kind, with breaths between its notes, and codes without a pattern."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    notes = chance.choice([0, 2, 3, 5, 7, 8, 10], size=int(seconds * 4) + 1)
    pitch = 220 * 2 ** (notes[(time * 4).astype(int)] / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    swell = 0.1 + 0.9 * np.abs(np.sin(2 * np.pi * time))
    sound = 0.3 * swell * (np.sin(phase) + 0.4 * np.sin(3 * phase))
    sound += 0.01 * chance.standard_normal(len(time))
    codes = chance.integers(0, 512, round(seconds * CODE_RATE))
    return sound.astype(np.float32), codes


def flags(sound: np.ndarray, codes: np.ndarray) -> list[Fault]:
    return find_faults(Audio(samples=sound[None], sample_rate=RATE), codes, CODE_RATE)


def spoilt(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return sound and codes with one fault, and where it is in seconds."""
    chance = np.random.default_rng(1000 + seed)
    sound, codes = clean(seed)
    start, length = chance.uniform(0.5, 6.0), chance.uniform(2.0, 4.0)
    a, b = int(start * RATE), int((start + length) * RATE)
    if kind == "silence":
        sound[a:b] = 1e-4 * chance.standard_normal(b - a)
    elif kind == "clipping":
        sound[a:b] = np.clip(sound[a:b] * chance.uniform(4, 10), -1, 1)
    else:
        period = int(chance.integers(1, 40))
        a, b = int(start * CODE_RATE), int((start + length) * CODE_RATE) + period
        codes[a:b] = np.resize(codes[a : a + period], b - a)
    return sound, codes, start, start + length


@pytest.mark.parametrize("kind", ["silence", "clipping", "loop"])
def test_nine_of_ten_faults_are_found_where_they_are(kind):
    found = 0
    for seed in SEEDS:
        sound, codes, start, end = spoilt(kind, seed)
        found += any(
            flag.kind == kind
            and abs(flag.start - start) < 0.5
            and abs(flag.end - end) < 0.5 + (kind == "loop") * 0.7
            for flag in flags(sound, codes)
        )
    assert found >= 0.9 * len(SEEDS)


def test_clean_music_has_less_than_two_false_alarms_a_minute():
    alarms = sum(len(flags(*clean(seed))) for seed in SEEDS)
    assert alarms / (len(SEEDS) * SECONDS / 60) < 2


def test_held_note_of_a_small_codebook_is_no_loop():
    sound, _ = clean(1)
    codes = np.random.default_rng(1).integers(0, 4, round(SECONDS * CODE_RATE))
    assert flags(sound, codes) == []


def test_silence_is_not_called_a_loop_as_well():
    sound, codes = clean(1)
    sound[2 * RATE : 6 * RATE] = 0
    codes[125:375] = 7
    assert [flag.kind for flag in flags(sound, codes)] == ["silence"]


def test_short_pause_and_single_peaks_are_no_faults():
    sound, codes = clean(1)
    sound[2 * RATE : 3 * RATE] = 0
    sound[::4000] = 1.0
    assert flags(sound, codes) == []


def test_take_of_a_few_samples_has_no_faults():
    for n in (1, 3, 100):
        assert flags(np.zeros(n, dtype=np.float32), np.zeros(1, dtype=np.int64)) == []


def test_flag_says_in_words_what_and_where():
    fault = Fault(kind="loop", start=1.0, end=3.25)
    assert fault.in_words() == "stuck in a loop from 1.0 to 3.2 s"
