"""Measurements on audio: how near two clips are, and whether one clip is music.

Every function takes float samples `[T]` or `[C, T]` (channels are averaged unless stated) and the
sample rate in Hz, and is a pure function of them: no randomness, no state. A silent clip never
raises; what it gives is stated at each function. Frames are centred and zero-padded, so a clip
shorter than one window still has one frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from musiccore.audio.loudness import LoudnessMeter
from musiccore.errors import AudioError

Samples = npt.NDArray[np.floating]
Real = npt.NDArray[np.float64]

MEL_BANDS = 80
MEL_RANGE_DB = 80.0
QUIETEST_POWER = 1e-12
SILENT_FRAME = 1e-6  # of the loudest frame's energy: 60 dB down
SILENCE_RMS = 1e-5  # -100 dBFS, whatever the loudest frame is
BLOCK_FRAMES = 512  # frames transformed at a time, so that memory stays small


def _mono(samples: Samples) -> Real:
    """[T] or [C, T] to float64 [T]."""
    if samples.ndim not in (1, 2) or samples.shape[-1] == 0:
        raise AudioError(f"audio of shape {samples.shape} cannot be measured, want [T] or [C, T]")
    mono = samples.astype(np.float64)
    if mono.ndim == 2:
        mono = mono.mean(axis=0)
    if not np.isfinite(mono).all():
        raise AudioError("audio holds NaN or infinite samples")
    return mono


def _pair(reference: Samples, candidate: Samples) -> tuple[Real, Real]:
    a, b = _mono(reference), _mono(candidate)
    if a.shape != b.shape:
        raise AudioError(f"clips of {a.shape[0]} and {b.shape[0]} samples cannot be compared")
    return a, b


def _power(mono: Real, n_fft: int, hop: int) -> Real:
    """Power spectrogram under a Hann window: [1 + T // hop, 1 + n_fft // 2]."""
    window = np.hanning(n_fft + 1)[:-1]
    padded = np.pad(mono, n_fft // 2 + 1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[1::hop]
    frames = frames[: 1 + mono.shape[0] // hop]
    power = np.empty((frames.shape[0], 1 + n_fft // 2))
    for start in range(0, frames.shape[0], BLOCK_FRAMES):
        spectrum = np.fft.rfft(frames[start : start + BLOCK_FRAMES] * window, axis=-1)
        power[start : start + BLOCK_FRAMES] = spectrum.real**2 + spectrum.imag**2
    return power


def _window_length(sample_rate: int, seconds: float) -> int:
    """The power of two nearest to `seconds`, so that results hardly depend on the rate."""
    return 1 << max(6, round(float(np.log2(sample_rate * seconds))))


# Level --------------------------------------------------------------------------------------


def peak(samples: Samples) -> float:
    """Largest magnitude over all channels; 1.0 is full scale, 0.0 for an empty clip."""
    return float(np.abs(samples).max()) if samples.size else 0.0


def rms(samples: Samples) -> float:
    """Root mean square over all channels and samples; 1.0 is full scale."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def longest_silence(samples: Samples, sample_rate: int, *, threshold_db: float = -50.0) -> float:
    """Length of the longest silent stretch.

    Args:
        samples: [T] or [C, T].
        sample_rate: Hz.
        threshold_db: a 50 ms frame is silent if its RMS is below this, in dB of full scale.

    Returns:
        Seconds, counted in whole frames of 50 ms (the last may be shorter).
    """
    mono = _mono(samples)
    frame = max(1, round(sample_rate * 0.05))
    starts = np.arange(0, mono.shape[0], frame)
    lengths = np.diff(np.append(starts, mono.shape[0]))
    silent = np.add.reduceat(mono**2, starts) / lengths < 10.0 ** (threshold_db / 10.0)
    longest = current = 0
    for is_silent, length in zip(silent, lengths, strict=True):
        current = current + int(length) if is_silent else 0
        longest = max(longest, current)
    return longest / sample_rate


def loudness_lufs(samples: Samples, sample_rate: int) -> float:
    """Integrated loudness of one or two channels.

    Args:
        samples: [T] or [C, T]; channels are summed in energy, not averaged.
        sample_rate: Hz.

    Returns:
        LUFS; minus infinity if every 400 ms block is below the absolute gate. A clip shorter than
        one block is measured as one block.

    Paper: ITU-R BS.1770-4; see `loudness`.
    """
    channels = np.atleast_2d(samples).astype(np.float64)
    _mono(channels)
    meter = LoudnessMeter(sample_rate, channels.shape[0], surround=False, true_peak=False)
    meter.add(channels.T)
    return meter.integrated()


# Distance between two clips -------------------------------------------------------------------


def si_sdr(reference: Samples, candidate: Samples) -> float:
    """Scale-invariant signal-to-distortion ratio.

    Args:
        reference: [T] or [C, T].
        candidate: the same length.

    Returns:
        dB, higher is nearer; infinite if equal up to scale, minus infinity if either is silent.

    Raises:
        AudioError: if the lengths differ.

    Paper: "SDR - half-baked or well done?", scale-invariant definition, means removed.
    """
    a, b = _pair(reference, candidate)
    a, b = a - a.mean(), b - b.mean()
    energy = float(a @ a)
    if energy == 0.0 or float(b @ b) == 0.0:
        return float("-inf")
    target = a * (float(a @ b) / energy)
    noise = b - target
    with np.errstate(divide="ignore"):
        return float(10.0 * np.log10(np.divide(target @ target, noise @ noise)))


def spectral_convergence(reference: Samples, candidate: Samples) -> float:
    """Frobenius norm of the magnitude error, relative to the reference (STFT 1024, hop 256).

    Args:
        reference: [T] or [C, T].
        candidate: the same length.

    Returns:
        0.0 for equal magnitudes, 1.0 for a silent candidate; infinite if only the reference is
        silent, 0.0 if both are.

    Raises:
        AudioError: if the lengths differ.
    """
    a, b = (np.sqrt(_power(mono, 1024, 256)) for mono in _pair(reference, candidate))
    error, norm = float(np.linalg.norm(a - b)), float(np.linalg.norm(a))
    if norm == 0.0:
        return 0.0 if error == 0.0 else float("inf")
    return error / norm


def mel_filters(n_fft: int, sample_rate: int) -> Real:
    """Triangular filters [80, 1 + n_fft // 2], evenly spaced in mel from 0 Hz to half the rate."""
    top = 2595.0 * np.log10(1.0 + sample_rate / 2.0 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, MEL_BANDS + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.maximum(np.minimum(rise, fall), 0.0))


def _mel_power(mono: Real, sample_rate: int) -> Real:
    """[80, frames]: mel power, floored only at QUIETEST_POWER."""
    n_fft = _window_length(sample_rate, 0.064)
    # A full-scale sine gives about 0 dB at every window length.
    power = _power(mono, n_fft, n_fft // 4) / (n_fft / 4.0) ** 2
    return np.asarray(np.maximum(mel_filters(n_fft, sample_rate) @ power.T, QUIETEST_POWER))


def log_mel(samples: Samples, sample_rate: int) -> Real:
    """Mel spectrogram in dB.

    Args:
        samples: [T] or [C, T].
        sample_rate: Hz.

    Returns:
        [80, frames], dB, about 0 for a full-scale sine; nothing is further than 80 dB below the
        clip's own maximum. Windows of about 64 ms (1024 samples at 16 kHz), a quarter apart.
    """
    levels = 10.0 * np.log10(_mel_power(_mono(samples), sample_rate))
    return np.asarray(np.maximum(levels, levels.max() - MEL_RANGE_DB))


def log_mel_distance(reference: Samples, candidate: Samples, sample_rate: int) -> float:
    """RMS difference of two log-mel spectrograms, over 80 bands and all frames.

    Args:
        reference: [T] or [C, T].
        candidate: the same length.
        sample_rate: Hz.

    Returns:
        dB. Both clips share one floor, 80 dB below the louder one's maximum, so a silent
        candidate is far away and not at its own floor.

    Raises:
        AudioError: if the lengths differ.
    """
    a, b = (10.0 * np.log10(_mel_power(mono, sample_rate)) for mono in _pair(reference, candidate))
    floor = max(a.max(), b.max()) - MEL_RANGE_DB
    return float(np.sqrt(np.mean((np.maximum(a, floor) - np.maximum(b, floor)) ** 2)))


# Pitch ----------------------------------------------------------------------------------------


def pitch_frames(sample_rate: int) -> tuple[int, int]:
    """Window and hop for pitch: 4096 and 1024, doubled at high rates to keep the resolution."""
    scale = 1 << max(0, round(float(np.log2(sample_rate / 22050.0))))
    return 4096 * scale, 1024 * scale


def pitch_class_filters(n_fft: int, sample_rate: int) -> Real:
    """0-1 table [12, 1 + n_fft // 2], C first: the pitch class of each bin from 60 to 4000 Hz."""
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    inside = np.flatnonzero((bins >= 60.0) & (bins <= 4000.0))
    classes = np.rint(12.0 * np.log2(bins[inside] / 440.0)).astype(np.int64) + 9
    table = np.zeros((12, len(bins)))
    table[classes % 12, inside] = 1.0
    return table


def chroma(samples: Samples, sample_rate: int) -> Real:
    """Energy per pitch class and frame, between 60 and 4000 Hz.

    Args:
        samples: [T] or [C, T].
        sample_rate: Hz; the window is 4096 samples, hop 1024 (twice that at 44.1 and 48 kHz).

    Returns:
        [12, frames], C first, not normalised.
    """
    n_fft, hop = pitch_frames(sample_rate)
    table = pitch_class_filters(n_fft, sample_rate)
    return np.asarray(table @ _power(_mono(samples), n_fft, hop).T)


def _sounding(energy: Real, sample_rate: int) -> npt.NDArray[np.bool_]:
    """Frames [12, frames] that are neither 60 dB below the loudest nor silent altogether."""
    total = energy.sum(axis=0)
    n_fft = pitch_frames(sample_rate)[0]
    absolute = SILENCE_RMS**2 * n_fft * n_fft * 3.0 / 16.0  # energy of a Hann-windowed frame
    return np.asarray(total > max(float(total.max()) * SILENT_FRAME, absolute))


def chroma_correlation(reference: Samples, candidate: Samples, sample_rate: int) -> float:
    """Mean over frames of the correlation between two chroma vectors.

    Args:
        reference: [T] or [C, T]; its silent frames are left out.
        candidate: the same length; a silent frame of it counts as correlation 0.
        sample_rate: Hz.

    Returns:
        -1 to 1; 0.0 if the reference is silent throughout.

    Raises:
        AudioError: if the lengths differ.
    """
    a_mono, b_mono = _pair(reference, candidate)
    a, b = chroma(a_mono, sample_rate), chroma(b_mono, sample_rate)
    sounding = _sounding(a, sample_rate)
    if not sounding.any():
        return 0.0
    b = np.where(_sounding(b, sample_rate), b, 0.0)
    a, b = (c[:, sounding] - c[:, sounding].mean(axis=0) for c in (a, b))
    norm = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    product = (a * b).sum(axis=0)
    return float(np.mean(np.divide(product, norm, out=np.zeros_like(norm), where=norm > 0.0)))


def chroma_entropy(samples: Samples, sample_rate: int) -> float:
    """Mean entropy of the chroma of the frames that sound.

    Args:
        samples: [T] or [C, T].
        sample_rate: Hz.

    Returns:
        Bits, from 0 (one pitch class, or silence) to log2(12) = 3.58 (noise).
    """
    energy = chroma(samples, sample_rate)
    energy = energy[:, _sounding(energy, sample_rate)]
    if not energy.size:
        return 0.0
    share = energy / energy.sum(axis=0)
    return float(-np.mean((share * np.log2(np.maximum(share, 1e-30))).sum(axis=0)))


def tuned(samples: Samples, sample_rate: int) -> float:
    """How far the energy from 200 to 2000 Hz keeps to equal-tempered pitches.

    Args:
        samples: [T] or [C, T].
        sample_rate: Hz.

    Returns:
        Share of that energy within 25 cents of a semitone (A4 = 440 Hz), relative to the share of
        flat noise: 1.0 for noise, about 2 for music in tune, 0.0 for silence.
    """
    n_fft = _window_length(sample_rate, 0.512)
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    inside = (bins >= 200.0) & (bins <= 2000.0)
    cents = 1200.0 * np.log2(bins[inside] / 440.0)
    near = np.abs(cents - 100.0 * np.rint(cents / 100.0)) <= 25.0
    energy = _power(_mono(samples), n_fft, n_fft // 4)[:, inside].sum(axis=0)
    total = float(energy.sum())
    if total <= QUIETEST_POWER:
        return 0.0
    return float(energy[near].sum()) / total / float(near.mean())


# Time -----------------------------------------------------------------------------------------


def onset_rate(samples: Samples, sample_rate: int) -> float:
    """Note beginnings per second, by spectral flux.

    Args:
        samples: [T] or [C, T].
        sample_rate: Hz.

    Returns:
        Onsets per second; 0.0 for silence. A peak of the mean rise of the log-mel bands over
        about 30 ms counts if it stands 2 dB above its surroundings and 70 ms after the last one.
    """
    mono = _mono(samples)
    if rms(mono) < SILENCE_RMS:
        return 0.0
    hop_seconds = _window_length(sample_rate, 0.064) / 4.0 / sample_rate
    # One quiet second before the clip lets a note that starts at once be seen.
    levels = log_mel(np.pad(mono, (sample_rate, 0)), sample_rate)
    lag = max(1, round(0.032 / hop_seconds))
    flux = np.maximum(levels[:, lag:] - levels[:, :-lag], 0.0).mean(axis=0)
    around = max(1, round(0.1 / hop_seconds))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(flux, around, mode="edge"), 2 * around + 1
    )
    near = np.lib.stride_tricks.sliding_window_view(np.pad(flux, 2, mode="edge"), 5)
    candidates = np.flatnonzero(
        (flux == near.max(axis=1)) & (flux > np.median(windows, axis=1) + 2.0)
    )
    onsets, last = 0, float("-inf")
    for frame in candidates:
        if (frame - last) * hop_seconds >= 0.07:
            onsets, last = onsets + 1, float(frame)
    return float(onsets * sample_rate / mono.shape[0])
