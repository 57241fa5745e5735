"""The measurements are checked on signals whose answer is known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musiccore.audio import measures
from musiccore.errors import AudioError

SR = 16000


def sine(hertz: float, seconds: float = 4.0, *, rate: int = SR, amplitude: float = 0.5):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(seconds: float = 4.0, *, seed: int = 0, amplitude: float = 0.1):
    return amplitude * np.random.default_rng(seed).standard_normal(round(seconds * SR))


def notes(semitones, *, seconds: float = 0.5, cents: float = 0.0, rate: int = SR):
    t = np.arange(round(seconds * rate)) / rate
    envelope = np.exp(-4 * t) * np.minimum(1, t / 0.005)
    clips = []
    for semitone in semitones:
        hertz = 440 * 2 ** ((semitone + cents / 100) / 12)
        clips.append(
            sum(0.3 / k * envelope * np.sin(2 * np.pi * k * hertz * t) for k in (1, 2, 3, 4))
        )
    return np.concatenate(clips)


MELODY = notes([-9, -5, -2, 3, -2, -5, -9, -7])
OTHER = notes([-8, -3, 0, 1, 6, 1, -1, -6])


# Level


def test_peak_and_rms_of_a_sine():
    assert measures.peak(sine(440)) == pytest.approx(0.5, abs=1e-4)
    assert measures.rms(sine(440)) == pytest.approx(0.5 / math.sqrt(2), abs=1e-4)


def test_peak_is_the_largest_magnitude_of_any_channel():
    assert measures.peak(np.array([[0.1, 0.2], [0.0, -0.9]])) == pytest.approx(0.9)


def test_longest_silence_is_the_gap_and_not_the_sum_of_gaps():
    gap = np.zeros(SR * 2)
    clip = np.concatenate([sine(440, 1), gap, sine(440, 1), gap[:SR], sine(440, 1)])
    assert measures.longest_silence(clip, SR) == pytest.approx(2.0, abs=0.06)


def test_longest_silence_counts_to_the_end_of_the_clip():
    clip = np.concatenate([sine(440, 1), np.zeros(SR * 3 + 123)])
    assert measures.longest_silence(clip, SR) == pytest.approx(3 + 123 / SR, abs=0.051)


def test_silence_is_found_in_frames_of_50_ms():
    clip = np.concatenate([sine(440, 1), np.zeros(SR * 3 // 10), sine(440, 1)])
    assert measures.longest_silence(clip, SR) == pytest.approx(0.3, abs=0.051)


def test_silence_is_judged_by_level_in_decibels_of_full_scale():
    quiet = sine(440, 2, amplitude=10 ** (-52 / 20) * math.sqrt(2))
    assert measures.longest_silence(quiet, SR) == pytest.approx(2.0)
    assert measures.longest_silence(quiet, SR, threshold_db=-54) == 0.0


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_full_scale_sine_in_one_channel_has_minus_3_lufs(rate):
    # BS.1770: a 0 dB 997 Hz sine in one front channel reads -3.01.
    clip = sine(997, 3, rate=rate, amplitude=1.0)
    assert measures.loudness_lufs(clip, rate) == pytest.approx(-3.01, abs=0.06)


def test_two_equal_channels_are_3_db_louder_than_one():
    clip = sine(997, 3, rate=48000)
    stereo = measures.loudness_lufs(np.stack([clip, clip]), 48000)
    assert stereo - measures.loudness_lufs(clip, 48000) == pytest.approx(3.01, abs=0.01)


def test_k_weighting_lifts_treble_and_cuts_bass():
    low, middle, high = (
        measures.loudness_lufs(sine(f, 3, rate=48000), 48000) for f in (30, 500, 8000)
    )
    assert high - middle == pytest.approx(3.9, abs=0.3)
    assert middle - low > 4


def test_silence_is_gated_out_of_loudness():
    clip = sine(997, 3, rate=48000, amplitude=0.5)
    with_gap = np.concatenate([clip, np.zeros(48000 * 6)])
    alone = measures.loudness_lufs(clip, 48000)
    assert measures.loudness_lufs(with_gap, 48000) == pytest.approx(alone, abs=0.4)


def test_quiet_passage_is_gated_relative_to_the_loud_one():
    clip = sine(997, 6, rate=48000, amplitude=0.5)
    quiet = sine(997, 6, rate=48000, amplitude=0.05)
    both = measures.loudness_lufs(np.concatenate([clip, quiet]), 48000)
    assert both == pytest.approx(measures.loudness_lufs(clip, 48000), abs=0.2)


def test_sound_below_the_absolute_gate_has_no_loudness():
    faint = sine(997, 3, rate=48000, amplitude=10 ** (-75 / 20))
    assert measures.loudness_lufs(faint, 48000) == float("-inf")


def test_loudness_of_silence_is_minus_infinity():
    assert measures.loudness_lufs(np.zeros(SR), SR) == float("-inf")


def test_loudness_of_a_clip_shorter_than_a_block_is_measured():
    assert measures.loudness_lufs(sine(997, 0.2, rate=48000), 48000) == pytest.approx(-9.0, abs=0.2)


# Distance


def test_si_sdr_ignores_scale_and_finds_the_noise_ratio():
    clip = sine(440)
    added = noise(seed=1, amplitude=1.0)
    added *= np.linalg.norm(clip) / np.linalg.norm(added) / 10  # 20 dB down
    assert measures.si_sdr(clip, 0.3 * (clip + added)) == pytest.approx(20, abs=0.1)


def test_si_sdr_ignores_an_offset():
    assert measures.si_sdr(MELODY, MELODY + 0.2) > 200


def test_si_sdr_of_a_clip_with_itself_is_huge_and_with_silence_minus_infinity():
    assert measures.si_sdr(MELODY, 2 * MELODY) > 200
    assert measures.si_sdr(MELODY, np.zeros_like(MELODY)) == float("-inf")


def test_spectral_convergence_is_relative_to_the_reference():
    assert measures.spectral_convergence(MELODY, MELODY) == 0.0
    assert measures.spectral_convergence(MELODY, np.zeros_like(MELODY)) == 1.0
    assert measures.spectral_convergence(MELODY, 0.5 * MELODY) == pytest.approx(0.5)
    assert measures.spectral_convergence(MELODY, 3 * MELODY) == pytest.approx(2.0)
    assert measures.spectral_convergence(MELODY, -MELODY) == pytest.approx(0.0)


def test_log_mel_has_80_bands_and_80_db():
    mel = measures.log_mel(MELODY, SR)
    assert mel.shape == (80, 1 + len(MELODY) // 256)
    assert mel.max() - mel.min() == pytest.approx(80.0)


def test_log_mel_puts_a_sine_where_it_belongs():
    low, high = (int(measures.log_mel(sine(f), SR).mean(axis=1).argmax()) for f in (200.0, 3000.0))
    top = 2595 * math.log10(1 + 8000 / 700)
    for band, hertz in ((low, 200.0), (high, 3000.0)):
        assert band == pytest.approx(81 * 2595 * math.log10(1 + hertz / 700) / top - 1, abs=1.0)


def test_log_mel_of_a_full_scale_sine_is_about_0_db():
    assert measures.log_mel(sine(1000, amplitude=1.0), SR).max() == pytest.approx(0, abs=3)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_no_mel_band_is_empty(rate):
    clip = np.random.default_rng(0).standard_normal(2 * rate)
    levels = measures.log_mel(clip, rate).mean(axis=1)
    assert levels.min() > levels.max() - 40


def test_log_mel_distance_of_a_gain_is_the_gain():
    loud = noise(amplitude=0.1)
    assert measures.log_mel_distance(loud, loud, SR) == 0.0
    assert measures.log_mel_distance(loud, loud / 2, SR) == pytest.approx(6.02, abs=0.05)


def test_log_mel_distance_is_larger_for_another_clip_and_largest_for_silence():
    near = measures.log_mel_distance(MELODY, MELODY + noise(len(MELODY) / SR, amplitude=1e-4), SR)
    other = measures.log_mel_distance(MELODY, OTHER, SR)
    silent = measures.log_mel_distance(MELODY, np.zeros_like(MELODY), SR)
    assert near < other < silent


def test_log_mel_distance_ends_at_one_floor_for_both():
    assert measures.log_mel_distance(MELODY, 1e-6 * MELODY, SR) < 80
    hiss = noise(4, amplitude=10 ** (-85 / 20))
    assert measures.log_mel_distance(sine(440), sine(440) + hiss, SR) < 1


def test_clips_of_different_length_are_not_compared():
    for measure in (measures.si_sdr, measures.spectral_convergence):
        with pytest.raises(AudioError, match="64000 and 63999"):
            measure(sine(440), sine(440)[:-1])


def test_not_a_number_is_refused():
    with pytest.raises(AudioError, match="NaN"):
        measures.tuned(np.full(SR, np.nan), SR)


# Pitch


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
@pytest.mark.parametrize(
    ("hertz", "pitch_class"), [(261.63, 0), (440.0, 9), (987.77, 11), (130.81, 0)]
)
def test_chroma_names_the_pitch_class(hertz, pitch_class, rate):
    energy = measures.chroma(sine(hertz, rate=rate), rate).sum(axis=1)
    assert energy.argmax() == pitch_class
    assert energy[pitch_class] > 0.9 * energy.sum()


def test_chroma_ignores_what_is_outside_60_to_4000_hz():
    outside = sine(30) + sine(6000)
    assert measures.chroma(outside, SR).sum() < 1e-3 * measures.chroma(sine(440), SR).sum()


def test_chroma_has_a_frame_every_1024_samples():
    assert measures.chroma(sine(440), SR).shape == (12, 1 + 4 * SR // 1024)


def test_chroma_correlation_of_a_clip_with_itself_is_one_at_any_gain():
    assert measures.chroma_correlation(MELODY, MELODY, SR) == pytest.approx(1.0)
    assert measures.chroma_correlation(MELODY, 0.1 * MELODY, SR) == pytest.approx(1.0)


def test_chroma_correlation_survives_a_phase_change_but_not_another_melody():
    shifted = np.roll(MELODY, 40)
    assert measures.chroma_correlation(MELODY, shifted, SR) > 0.97
    assert measures.chroma_correlation(MELODY, OTHER, SR) < 0.4


def test_chroma_correlation_counts_only_frames_where_the_reference_sounds():
    half = np.concatenate([MELODY, np.zeros_like(MELODY)])
    filled = np.concatenate([MELODY, OTHER])
    assert measures.chroma_correlation(half, filled, SR) > 0.9
    assert measures.chroma_correlation(filled, half, SR) == pytest.approx(0.5, abs=0.06)
    assert measures.chroma_correlation(np.zeros(SR), noise(1), SR) == 0.0


def test_chroma_correlation_with_what_nobody_hears_is_zero():
    assert measures.chroma_correlation(MELODY, 1e-7 * MELODY, SR) == 0.0


def test_chroma_correlation_with_noise_is_near_zero():
    assert abs(measures.chroma_correlation(MELODY, noise(len(MELODY) / SR), SR)) < 0.25


def test_chroma_entropy_of_one_note_two_notes_and_noise():
    assert measures.chroma_entropy(sine(440), SR) < 0.2
    assert measures.chroma_entropy(sine(440) + sine(659.26), SR) == pytest.approx(1.0, abs=0.15)
    assert measures.chroma_entropy(noise(), SR) == pytest.approx(math.log2(12), abs=0.05)
    assert measures.chroma_entropy(np.zeros(SR), SR) == 0.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_white_noise_is_tuned_one(seed):
    assert measures.tuned(noise(10, seed=seed), SR) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
def test_notes_in_tune_are_near_two(rate):
    clip = notes([-9, -5, -2, 3, 5, 8, -12], rate=rate)
    assert 1.75 < measures.tuned(clip, rate) < 2.1


def test_notes_a_quarter_tone_off_are_far_below_noise():
    assert measures.tuned(notes([-9, -5, -2, 3], cents=50), SR) < 0.5


def test_tuned_looks_only_at_200_to_2000_hz():
    in_tune, off = sine(440), 0.9 * sine(3000 * 2 ** (0.7 / 12)) + sine(120)
    assert measures.tuned(in_tune + off, SR) == pytest.approx(measures.tuned(in_tune, SR), abs=0.02)
    assert measures.tuned(np.zeros(SR), SR) == 0.0


# Time


@pytest.mark.parametrize("per_second", [1, 2, 5])
def test_onset_rate_counts_notes(per_second):
    clip = notes([0, 3, 7, 5] * (2 * per_second), seconds=1 / per_second)
    assert measures.onset_rate(clip, SR) == pytest.approx(per_second, rel=0.15)


def test_onset_rate_counts_clicks():
    clip = np.zeros(10 * SR)
    clip[SR // 4 :: SR // 2] = 0.8
    assert measures.onset_rate(clip, SR) == pytest.approx(2.0, rel=0.1)


def test_onset_rate_counts_notes_in_noise():
    clip = notes([0, 3, 7, 5] * 5)
    assert measures.onset_rate(clip + noise(10, amplitude=0.003), SR) == pytest.approx(2, rel=0.15)


def test_steady_sound_has_hardly_an_onset():
    assert measures.onset_rate(sine(440, 10), SR) <= 0.2
    assert measures.onset_rate(noise(10), SR) <= 0.5
    assert measures.onset_rate(np.zeros(SR), SR) == 0.0


def test_channels_are_averaged():
    stereo = np.stack([MELODY, MELODY])
    assert measures.onset_rate(stereo, SR) == measures.onset_rate(MELODY, SR)
    assert measures.tuned(stereo, SR) == pytest.approx(measures.tuned(MELODY, SR))


def test_one_sample_can_be_measured():
    tick = np.array([0.5])
    assert measures.chroma_correlation(tick, tick, SR) == pytest.approx(1.0)
    for measure in (measures.tuned, measures.onset_rate, measures.chroma_entropy):
        assert math.isfinite(measure(tick, SR))
