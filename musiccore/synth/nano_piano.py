"""A small additive synthesiser: notes to audio, deterministic, with numpy alone.

It renders the training and held-out audio of `nano`, so its sound is frozen: any change needs a
new `VOICE` number and new weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from musiccore.scores.notation import Note

VOICE = "piano-1"
"""Name of the frozen sound; part of the recipe of `nano`."""

_LONGEST = 5.0  # seconds one note may ring
_ATTACK = 0.005
_RELEASE = 0.09
_INHARMONICITY = 1e-4
_HIGHEST = 0.45  # highest partial, as a share of the sample rate

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayingStyle:
    """How notes are played.

    Attributes:
        quarter_seconds: duration of a quarter note.
        seed: of the velocities.
        accent: spread of the velocities; 0 plays every note alike.
    """

    quarter_seconds: float
    seed: int = 0
    accent: float = 0.2


@lru_cache(maxsize=512)
def _string(pitch: int, sample_rate: int) -> Samples:
    """Return one struck string, [time] float32, ringing freely for `_LONGEST` seconds."""
    t = np.arange(int(_LONGEST * sample_rate)) / sample_rate
    f0 = 440.0 * 2.0 ** ((pitch - 69) / 12)
    out = np.zeros_like(t)
    sustain = 1.8 * (261.63 / f0) ** 0.5
    n = 1
    while n <= 24:
        frequency = n * f0 * (1 + _INHARMONICITY * n * n) ** 0.5
        if frequency > _HIGHEST * sample_rate:
            break
        level = n**-1.1 * np.exp(-0.12 * (n - 1))
        decay = sustain / (1 + 0.35 * (n - 1))
        phase = 2.399963 * n * n + 0.7 * pitch  # spread, so that partials do not peak together
        out += level * np.exp(-t / decay) * np.sin(2 * np.pi * frequency * t + phase)
        n += 1
    ramp = np.clip(t / _ATTACK, 0, 1)
    return np.asarray(out * (0.5 - 0.5 * np.cos(np.pi * ramp)), dtype=np.float32)


def render(
    notes: tuple[Note, ...], performance: PlayingStyle, sample_rate: int, *, seconds: float
) -> Samples:
    """Play notes on the synthesiser.

    Args:
        notes: onsets and durations in quarter notes.
        performance: tempo and velocities.
        sample_rate: Hz.
        seconds: length of the result; notes beyond it are cut.

    Returns:
        Mono audio [time] with RMS 0.1 (silence stays silence).
    """
    n_samples = int(seconds * sample_rate)
    out = np.zeros(n_samples, dtype=np.float32)
    generator = np.random.Generator(np.random.Philox(key=performance.seed))
    gains = np.exp(performance.accent * generator.standard_normal(len(notes)))
    release = int(_RELEASE * sample_rate)
    fade = (0.5 + 0.5 * np.cos(np.pi * np.arange(release) / release)).astype(np.float32)
    for note, gain in zip(notes, gains, strict=True):
        start = round(note.onset * performance.quarter_seconds * sample_rate)
        if start >= n_samples:
            continue
        string = _string(note.pitch, sample_rate)
        held = max(round(note.duration * performance.quarter_seconds * sample_rate), release)
        sound = string[: held + release].copy()
        tail = min(release, max(len(sound) - held, 0))
        if tail:
            sound[-tail:] *= fade[:tail]
        stop = min(start + len(sound), n_samples)
        out[start:stop] += np.float32(gain) * sound[: stop - start]
    rms = float(np.sqrt(np.mean(out**2))) if n_samples else 0.0
    return out if rms == 0.0 else np.asarray(out * (0.1 / rms), dtype=np.float32)
