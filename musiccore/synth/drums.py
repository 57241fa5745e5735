"""A small drum kit, for the channel whose pitches are instruments.

Specification: "General MIDI System Level 1", percussion key map, for the numbering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

CLOSED_HATS: Final = (42, 44)
OPEN_HAT: Final = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class Drum:
    """How one instrument sounds: partials that may fall in pitch, and a band of noise.

    Attributes:
        partials: (Hz, level) of what rings.
        fall: how many times higher it begins.
        ring: seconds in which the partials fall by a factor of e.
        noise: level of the noise.
        hiss: seconds in which the noise falls by a factor of e.
        band: lowest and highest frequency of the noise, Hz.
        claps: bursts at the beginning, 10 ms apart.
        level: loudness beside the others.
    """

    partials: tuple[tuple[float, float], ...] = ()
    fall: float = 1.0
    ring: float = 0.1
    noise: float = 0.0
    hiss: float = 0.1
    band: tuple[float, float] = (200.0, 16_000.0)
    claps: int = 1
    level: float = 1.0


def _skin(hertz: float, ring: float, *, noise: float = 0.1, level: float = 1.0) -> Drum:
    partials = ((hertz, 1.0), (1.593 * hertz, 0.4), (2.136 * hertz, 0.2))
    return Drum(
        partials=partials, fall=1.25, ring=ring, noise=noise, hiss=0.03, band=(200, 4000),
        level=level,
    )  # fmt: skip


def _metal(ring: float, *, low: float, level: float = 0.5, tone: float = 0.25) -> Drum:
    partials = tuple((hertz, tone) for hertz in (2143.0, 3307.0, 4271.0, 5533.0, 7019.0))
    return Drum(
        partials=partials, ring=0.6 * ring, noise=1.0, hiss=ring, band=(low, 16_000), level=level
    )


def _wood(hertz: float, *, ring: float = 0.03, level: float = 0.8) -> Drum:
    return Drum(partials=((hertz, 1.0), (2.71 * hertz, 0.4)), ring=ring, level=level)


def _shaken(hiss: float, *, low: float = 4000.0, level: float = 0.4) -> Drum:
    return Drum(noise=1.0, hiss=hiss, band=(low, 14_000), level=level)


_KICK: Final = Drum(
    partials=((52.0, 1.0),), fall=3.0, ring=0.14, noise=0.15, hiss=0.008, band=(300, 5000),
    level=1.6,
)  # fmt: skip
_SNARE: Final = Drum(
    partials=((185.0, 0.6), (330.0, 0.4)), fall=1.2, ring=0.07, noise=0.9, hiss=0.09,
    band=(900, 12_000), level=1.5,
)  # fmt: skip
_CLAP: Final = Drum(noise=1.0, hiss=0.06, band=(800, 6000), claps=3, level=0.8)

_KIT: Final = {
    35: _KICK, 36: _KICK, 37: _wood(1700, ring=0.02), 38: _SNARE, 39: _CLAP, 40: _SNARE,
    41: _skin(82, 0.3), 42: _metal(0.035, low=6500, level=1.4), 43: _skin(98, 0.28),
    44: _metal(0.03, low=6000, level=1.3), 45: _skin(117, 0.26),
    46: _metal(0.3, low=6500, level=0.7), 47: _skin(139, 0.24), 48: _skin(165, 0.22),
    49: _metal(0.8, low=3000, level=0.6), 50: _skin(196, 0.2),
    51: _metal(0.5, low=5000, level=0.4, tone=0.5), 52: _metal(0.6, low=2500),
    53: _metal(0.7, low=8000, level=0.4, tone=1.0),
    54: _metal(0.1, low=7000), 55: _metal(0.35, low=4000),
    56: Drum(partials=((562.0, 1.0), (845.0, 0.8)), ring=0.12, level=0.6),
    57: _metal(0.9, low=2600, level=0.6), 58: _shaken(0.3, low=2000),
    59: _metal(0.45, low=5500, level=0.4, tone=0.5), 60: _skin(420, 0.08), 61: _skin(300, 0.1),
    62: _skin(330, 0.05), 63: _skin(300, 0.18), 64: _skin(210, 0.2), 65: _skin(380, 0.16),
    66: _skin(270, 0.18), 67: _wood(930, ring=0.15, level=0.5),
    68: _wood(690, ring=0.15, level=0.5), 69: _shaken(0.04), 70: _shaken(0.03),
    71: Drum(partials=((2300.0, 1.0),), ring=0.08, level=0.3),
    72: Drum(partials=((2300.0, 1.0),), ring=0.25, level=0.3), 73: _shaken(0.05, low=2500),
    74: _shaken(0.15, low=2500), 75: _wood(2500), 76: _wood(1150, ring=0.04),
    77: _wood(780, ring=0.05), 78: _skin(520, 0.06), 79: _skin(380, 0.12),
    80: Drum(partials=((4100.0, 1.0), (6300.0, 0.6), (8900.0, 0.4)), ring=0.06, level=0.3),
    81: Drum(partials=((4100.0, 1.0), (6300.0, 0.6), (8900.0, 0.4)), ring=0.6, level=0.3),
}  # fmt: skip

_QUIET: Final = 7.0  # time constants after which nothing is heard
_LONGEST: Final = 3.0


def drum_sound(pitch: int, sample_rate: int) -> Samples:
    """Return one stroke.

    Args:
        pitch: key of the percussion map; others than 35 to 81 click like a wood block.
        sample_rate: Hz.

    Returns:
        Mono samples [time]; equal arguments give equal samples.
    """
    drum = _KIT.get(pitch, _wood(400.0 + 12.0 * pitch))
    longest = max(drum.ring if drum.partials else 0.0, drum.hiss if drum.noise else 0.0)
    n_samples = int(min(_QUIET * longest + 0.03, _LONGEST) * sample_rate)
    t = np.arange(n_samples) / sample_rate
    sound = np.zeros(n_samples)
    # The pitch falls from `fall` to 1 within some 30 ms: its integral is the phase.
    bent = t + (drum.fall - 1.0) * 0.03 * (1.0 - np.exp(-t / 0.03))
    for hertz, level in drum.partials:
        if hertz * drum.fall < 0.45 * sample_rate:
            sound += level * np.sin(2.0 * np.pi * hertz * bent)
    sound *= np.exp(-t / drum.ring)
    if drum.noise:
        noise = _band_noise(n_samples, pitch, drum.band, sample_rate)
        envelope = np.exp(-t / drum.hiss)
        for clap in range(1, drum.claps):
            at = clap * sample_rate // 100
            envelope[at:] = np.maximum(envelope[at:], np.exp(-t[: n_samples - at] / drum.hiss))
            envelope[max(at - sample_rate // 500, 0) : at] *= 0.2
        sound += drum.noise * noise * envelope
    ramp = min(max(sample_rate // 2000, 1), n_samples)
    sound[:ramp] *= np.arange(ramp) / ramp
    end = min(sample_rate // 50, n_samples)
    sound[n_samples - end :] *= np.arange(end, 0, -1) / end
    return np.asarray(drum.level * sound, dtype=np.float32)


def _band_noise(
    n_samples: int, key: int, band: tuple[float, float], sample_rate: int
) -> npt.NDArray[np.float64]:
    """Noise with an RMS of 0.35 between two frequencies (soft edges)."""
    draws = np.random.Generator(np.random.Philox(key=key)).standard_normal(n_samples)
    spectrum = np.fft.rfft(draws)
    hertz = np.fft.rfftfreq(n_samples, 1.0 / sample_rate)
    low, high = band
    spectrum *= 1.0 / (1.0 + (low / np.maximum(hertz, 1.0)) ** 4) / (1.0 + (hertz / high) ** 8)
    noise = np.fft.irfft(spectrum, n_samples)
    rms = float(np.sqrt(np.mean(noise**2)))
    return np.asarray(noise * (0.35 / rms if rms else 0.0))
