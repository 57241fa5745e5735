"""How alike two sounds are, after moving one of them to where the other one is.

A converted file may begin later, be louder, or have another rate and other channels. What was done
to it is measured, taken back, and told; the rest is the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import MIN_RATE, Audio, resample, to_mono

_Wave = npt.NDArray[np.float32]

_PROBE_SECONDS: Final = 60.0  # what is looked for in the other sound
_FINE: Final = 240_000  # samples that decide about the last of them
_FRAME, _HOP = 2048, 512
_FRAMES_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What was found.

    Attributes:
        identical: every sample is the same, without any change.
        snr_db: level of the sound above the difference; None if there is no difference.
        spectral_convergence: distance of the magnitude spectra, 0 for none.
        offset_seconds: where the second sound begins in the first one.
        gain_db: how much louder the second one is.
        seconds: length that was compared.
        resampled: whether the rates differed.
        mixed: whether the channels differed, so that mono was compared.
    """

    identical: bool
    snr_db: float | None
    spectral_convergence: float
    offset_seconds: float
    gain_db: float
    seconds: float
    resampled: bool
    mixed: bool

    def in_words(self) -> str:
        """Return what was changed before the comparison."""
        words = []
        if self.resampled:
            words.append("resampled")
        if self.mixed:
            words.append("mixed to mono")
        if self.offset_seconds:
            words.append(f"moved by {self.offset_seconds:+.4f} s")
        if abs(self.gain_db) >= 0.01:
            words.append(f"gain {self.gain_db:+.2f} dB")
        return ", ".join(words)


def compare(made: Audio, file: Audio) -> Likeness:
    """Compare what was made again with what a file holds.

    Args:
        made: the sound as the program delivers it.
        file: the sound in the file, perhaps converted.
    """
    if made.sample_rate == file.sample_rate and np.array_equal(made.samples, file.samples):
        return Likeness(
            identical=True,
            snr_db=None,
            spectral_convergence=0.0,
            offset_seconds=0.0,
            gain_db=0.0,
            seconds=made.seconds,
            resampled=False,
            mixed=False,
        )
    rate, mixed = file.sample_rate, made.n_channels != file.n_channels
    resampled = made.sample_rate != rate
    moved = resample(made, rate)
    if mixed:
        moved, file = to_mono(moved), to_mono(file)
    offset = _offset(moved, file)
    first, second = _overlap(moved.samples, file.samples, offset)
    gain = _gain(first, second)
    alike = gain > 0  # else nothing of the one is in the other
    expected = first * np.float32(gain if alike else 1.0)
    error = float(np.square(second - expected, dtype=np.float64).sum())
    level = float(np.square(second, dtype=np.float64).sum())
    snr = None if error == 0 else 10 * np.log10(max(level, 1e-30) / error)
    if not alike:
        snr = 0.0
    return Likeness(
        identical=False,
        snr_db=None if snr is None else round(float(snr), 2),
        spectral_convergence=round(_convergence(expected.mean(axis=0), second.mean(axis=0)), 5),
        offset_seconds=round(offset / rate, 6),
        gain_db=round(float(20 * np.log10(gain)), 3) if alike else 0.0,
        seconds=round(second.shape[1] / rate, 4),
        resampled=resampled,
        mixed=mixed,
    )


def _offset(made: Audio, file: Audio) -> int:
    """Return the sample of `made` at which `file` begins; below 0 if it begins before."""
    if made.n_samples == file.n_samples and _alike(made.samples, file.samples):
        return 0
    coarse = MIN_RATE
    if min(made.n_samples, file.n_samples) < made.sample_rate // coarse * 2:
        return 0  # too short to be looked for
    here, there = to_mono(made), to_mono(file)
    factor = made.sample_rate / coarse
    long, short = resample(here, coarse).samples[0], resample(there, coarse).samples[0]
    start = max(0, (len(short) - int(_PROBE_SECONDS * coarse)) // 2)
    probe = short[start : start + int(_PROBE_SECONDS * coarse)]
    guess = round((_lag(long, probe) - start) * factor)
    return _refined(here.samples[0], there.samples[0], guess, 2 * int(factor) + 2)


def _alike(made: _Wave, file: _Wave) -> bool:
    """Return whether two sounds of one length already lie on each other."""
    product = float((made * file).sum(dtype=np.float64))
    power = float(np.square(made, dtype=np.float64).sum())
    power *= float(np.square(file, dtype=np.float64).sum())
    return product > 0.9 * float(np.sqrt(power))


def _lag(long: _Wave, probe: _Wave) -> int:
    """Return where a piece of sound fits best into another one."""
    size = 1 << (len(long) + len(probe) - 1).bit_length()
    spectrum = np.fft.rfft(long, size) * np.conj(np.fft.rfft(probe, size))
    match = np.fft.irfft(spectrum, size)
    lag = int(np.argmax(match))
    return lag if lag < len(long) else lag - size


def _refined(made: _Wave, file: _Wave, guess: int, reach: int) -> int:
    """Return the offset near a guess at which the sounds fit best."""
    skipped = max(0, -guess)
    length = min(len(file) - skipped, len(made) - max(0, guess))
    if length <= 2 * reach:
        return guess
    middle = skipped + max(0, length // 2 - _FINE // 2)
    probe = file[middle + reach : middle + reach + min(length - 2 * reach, _FINE)]
    best, found = -1.0, guess
    for shift in range(-reach, reach + 1):
        begin = middle + reach + guess + shift
        part = made[max(0, begin) : begin + len(probe)]
        if begin < 0 or len(part) < len(probe):
            continue
        norm = float(np.linalg.norm(part)) or 1.0
        score = float(part @ probe) / norm
        if score > best:
            best, found = score, guess + shift
    return found


def _overlap(made: _Wave, file: _Wave, offset: int) -> tuple[_Wave, _Wave]:
    first = made[:, max(0, offset) :]
    second = file[:, max(0, -offset) :]
    n = max(1, min(first.shape[1], second.shape[1]))
    if not first.shape[1] or not second.shape[1]:
        return np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    return first[:, :n], second[:, :n]


def _gain(made: _Wave, file: _Wave) -> float:
    """Return the factor that brings one sound nearest to another one; 1 where it is so near 1."""
    power = float(np.square(made, dtype=np.float64).sum())
    gain = float((made * file).sum(dtype=np.float64)) / power if power else 1.0
    return 1.0 if abs(gain - 1) < 0.01 else gain


def _convergence(made: _Wave, file: _Wave) -> float:
    """Return the Frobenius distance of magnitude spectra, relative to the second one."""
    short = _FRAME - min(len(made), _FRAME)
    made, file = (np.pad(wave, (0, short)) for wave in (made, file))
    window = np.hanning(_FRAME).astype(np.float32)
    error = whole = 0.0
    n_frames = (len(file) - _FRAME) // _HOP + 1
    for begin in range(0, n_frames, _FRAMES_AT_ONCE):
        spectra = []
        for wave in (made, file):
            frames = np.lib.stride_tricks.sliding_window_view(wave, _FRAME)[::_HOP]
            part = frames[begin : begin + _FRAMES_AT_ONCE] * window
            spectra.append(np.abs(np.fft.rfft(part, axis=1)))
        error += float(np.square(spectra[0] - spectra[1]).sum())
        whole += float(np.square(spectra[1]).sum())
    return float(np.sqrt(error / whole)) if whole else float(error > 0)
