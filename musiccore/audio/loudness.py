"""Loudness and true peak of a sound of any length, heard block by block.

Paper: ITU-R BS.1770-4. The weighting by its analogue prototype, so that every rate is right.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from musiccore.audio.resampling import Oversampler
from musiccore.audio.streams import Frames

Real = npt.NDArray[np.float64]

SILENCE = float("-inf")
_GATE, _RELATIVE_GATE, _OFFSET = -70.0, -10.0, -0.691
_HOP_SECONDS, _HOPS_PER_BLOCK = 0.1, 4
_SURROUND = {
    4: (1.0, 1.0, 1.41, 1.41),
    5: (1.0, 1.0, 1.0, 1.41, 1.41),
    6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41),
    7: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41, 1.41),
    8: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41, 1.41, 1.41),
}
"""Weights of the channels in the order of WAV; the channel of low effects does not count."""


class LoudnessMeter:
    """Integrated loudness and true peak; what it keeps is 10 numbers a second.

    Args:
        sample_rate: Hz.
        channels: number of them, in the order of WAV.
        surround: weight channels behind the listener as the recommendation says.
        true_peak: also look between the samples.
    """

    def __init__(
        self, sample_rate: int, channels: int, *, surround: bool = True, true_peak: bool = True
    ) -> None:
        self._filters = k_weighting(sample_rate)
        self._states = [np.zeros((2, channels)) for _ in self._filters]
        weights = _SURROUND.get(channels) if surround else None
        self._weights = np.ones(channels) if weights is None else np.array(weights)
        self._hop = max(1, round(_HOP_SECONDS * sample_rate))
        self._sums: list[Real] = []
        self._open_sum, self._open_length = 0.0, 0
        self._peak, self._loudest = 0.0, 0.0
        self._oversampler = Oversampler(sample_rate, channels) if true_peak else None

    def add(self, block: Frames) -> None:
        """Hear a block [T, C]."""
        from scipy.signal import lfilter

        if not len(block):
            return
        weighted = block.astype(np.float64)
        for index, (b, a) in enumerate(self._filters):
            weighted, self._states[index] = lfilter(b, a, weighted, axis=0, zi=self._states[index])
        self._collect((weighted**2) @ self._weights)
        self._peak = max(self._peak, float(np.abs(block).max()))
        if self._oversampler is not None:
            self._between(self._oversampler.peaks(block))

    def _collect(self, energy: Real) -> None:
        """Sum energies [T] over hops; a hop may begin in one block and end in the next."""
        edges = np.arange(self._hop - self._open_length, len(energy) + 1, self._hop)
        starts = np.concatenate([[0], edges])
        sums = np.add.reduceat(np.append(energy, 0.0), starts)
        sums[0] += self._open_sum
        self._sums.append(sums[:-1])
        self._open_sum = float(sums[-1])
        self._open_length = len(energy) - int(edges[-1]) if len(edges) else (
            self._open_length + len(energy)
        )  # fmt: skip

    def _between(self, peaks: npt.NDArray[np.float32]) -> None:
        self._loudest = max(self._loudest, float(peaks.max(initial=0.0)))

    def integrated(self) -> float:
        """LUFS; minus infinity if no block of 400 ms is above the absolute gate.

        A sound shorter than one block is measured as one block.
        """
        hops = np.concatenate([*self._sums, np.zeros(0)])
        if len(hops) < _HOPS_PER_BLOCK:
            length = len(hops) * self._hop + self._open_length
            power = np.array([(hops.sum() + self._open_sum) / max(length, 1)])
        else:
            total = np.concatenate([[0.0], np.cumsum(hops)])
            sums = total[_HOPS_PER_BLOCK:] - total[:-_HOPS_PER_BLOCK]
            power = np.maximum(sums, 0.0) / (_HOPS_PER_BLOCK * self._hop)
        with np.errstate(divide="ignore"):
            loudness = _OFFSET + 10.0 * np.log10(power)
        audible = power[loudness > _GATE]
        if not audible.size:
            return SILENCE
        relative = _OFFSET + 10.0 * np.log10(audible.mean()) + _RELATIVE_GATE
        gated = power[(loudness > _GATE) & (loudness > relative)]
        return float(_OFFSET + 10.0 * np.log10(gated.mean()))

    @property
    def peak(self) -> float:
        """Largest magnitude of a sample; 1.0 is full scale."""
        return self._peak

    def true_peak(self) -> float:
        """Largest magnitude, between the samples too; ends what is heard."""
        if self._oversampler is not None:
            self._between(self._oversampler.peaks(None))
            self._oversampler = None
        return max(self._peak, self._loudest)


def decibels(amplitude: float) -> float:
    """20 log10, minus infinity for silence."""
    return 20.0 * float(np.log10(amplitude)) if amplitude > 0.0 else SILENCE


def k_weighting(sample_rate: int) -> list[tuple[Real, Real]]:
    """The high shelf and the high-pass of BS.1770 at any rate, as (numerator, denominator)."""
    shelf = np.tan(np.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    scale = 1.0 + shelf / q + shelf**2
    first = (
        np.array(
            [
                high + band * shelf / q + shelf**2,
                2.0 * (shelf**2 - high),
                high - band * shelf / q + shelf**2,
            ]
        )
        / scale,
        np.array([scale, 2.0 * (shelf**2 - 1.0), 1.0 - shelf / q + shelf**2]) / scale,
    )
    low, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    scale = 1.0 + low / q + low**2
    second = (
        np.array([1.0, -2.0, 1.0]),
        np.array([scale, 2.0 * (low**2 - 1.0), 1.0 - low / q + low**2]) / scale,
    )
    return [first, second]
