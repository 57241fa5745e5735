"""Every kind of sound into every format: rate, length, channels, samples."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from musiccore.conversion import (
    KINDS,
    TARGETS,
    ConversionOptions,
    convert,
    deliver,
    open_sound,
    plan_target,
)
from musiccore.errors import AudioError, ConfigError, MissingProgram

RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000)
SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")
CHANNELS = (1, 2, 6)
OWN = tuple(kind for kind in KINDS if not TARGETS[kind].foreign)
LOSSLESS = tuple(kind for kind in OWN if not TARGETS[kind].lossy)
MP3_RATES = {8000: 8000, 11025: 11025, 16000: 16000, 22050: 22050, 44100: 44100}
OPUS_RATES = {8000: 8000, 16000: 16000}


def chord(rate: int, channels: int, seconds: float = 0.6) -> np.ndarray:
    """[T, C]: a few tones, others in each channel; the fourth is deep, as low effects are."""
    t = np.arange(round(seconds * rate)) / rate
    out = np.zeros((len(t), channels))
    for channel in range(channels):
        base = 55.0 if channel == 3 else 220.0 * 2 ** (channel / 5)
        for overtone in range(1, 2 if channel == 3 else 4):
            out[:, channel] += np.sin(2 * np.pi * base * overtone * t + channel) / overtone
    fade = np.minimum(1.0, np.minimum(t, t[::-1]) * 50)[:, None]
    return 0.4 * out * fade


def put(path: Path, samples: np.ndarray, rate: int, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype, format="WAV")
    return path


def heard(path: Path) -> tuple[np.ndarray, int]:
    sound = open_sound(path)
    return np.concatenate(list(sound.blocks())), sound.sample_rate


def snr(reference: np.ndarray, sound: np.ndarray) -> float:
    error = sound.astype(np.float64) - reference
    return float(10 * np.log10(np.sum(reference**2) / max(np.sum(error**2), 1e-30)))


def cases() -> list[tuple[str, int, str, int]]:
    """Each target with each rate; sample types and channels take turns."""
    return [
        (kind, rate, SUBTYPES[(i + k) % 5], CHANNELS[(i + k // 2) % 3])
        for (k, kind), (i, rate) in product(enumerate(OWN), enumerate(RATES))
    ]


def expected_rate(kind: str, rate: int) -> int:
    table = {"mp3": MP3_RATES, "opus": OPUS_RATES}.get(kind)
    return rate if table is None else table.get(rate, 48000)


@pytest.mark.parametrize("kind", OWN)
def test_every_sound_fits_every_format(tmp_path, kind) -> None:
    for _, rate, subtype, channels in [case for case in cases() if case[0] == kind]:
        source = put(tmp_path / "a.wav", chord(rate, channels), rate, subtype)
        target = tmp_path / f"b.{kind}"
        options = ConversionOptions(kind=kind, engine="soundfile")
        result = convert(source, target, options, force=True)
        case = f"{kind} from {rate} Hz, {subtype}, {channels} channels"
        before, _ = heard(source)
        after, new_rate = heard(target)
        assert new_rate == result.sample_rate == expected_rate(kind, rate), case
        assert len(after) == round(len(before) * new_rate / rate), case
        assert (
            after.shape[1] == result.channels == (min(channels, 2) if kind == "mp3" else channels)
        )
        if kind in LOSSLESS and subtype == {"flac": "PCM_24"}.get(kind, subtype):
            np.testing.assert_array_equal(before, after, err_msg=case)
            continue
        if after.shape[1] == channels:  # each channel where it was
            reference = soxr.resample(before, rate, new_rate, quality="VHQ")
            for channel in range(channels):
                assert snr(reference[:, channel], after[:, channel]) >= 20.0, (case, channel)


@pytest.mark.parametrize("kind", ["m4a", "aac", "wma", "webm"])
def test_formats_of_ffmpeg_are_written_and_read(tmp_path, kind) -> None:
    source = put(tmp_path / "a.wav", chord(48000, 2, 2.0), 48000)
    result = convert(source, tmp_path / f"b.{kind}", ConversionOptions(kind=kind))
    assert result.engine == "ffmpeg"
    after, rate = heard(tmp_path / f"b.{kind}")
    assert (rate, after.shape[1]) == (48000, 2)
    before, _ = heard(source)
    if kind in ("m4a", "webm"):  # the two that keep the exact length
        assert len(after) == len(before)
        assert snr(before, after) >= 20.0
    assert len(after) == pytest.approx(len(before), abs=4096)
    back = convert(tmp_path / f"b.{kind}", tmp_path / "c.flac", ConversionOptions(kind="flac"))
    assert back.source_kind == kind
    assert back.seconds == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("engine", ["soundfile", "ffmpeg", "pydub"])
def test_16_bit_stereo_becomes_music_not_noise_in_mp3(tmp_path, engine) -> None:
    rng = np.random.default_rng(5)
    samples = chord(44100, 2, 2.0) + 0.002 * rng.standard_normal((88200, 2))
    source = put(tmp_path / "a.wav", samples, 44100, "PCM_16")
    result = convert(source, tmp_path / "a.mp3", ConversionOptions(kind="mp3", engine=engine))
    assert (result.engine, result.bitrate) == (engine, 192)
    before, after = heard(source)[0], heard(tmp_path / "a.mp3")[0]
    assert len(after) == len(before)
    assert snr(before, after) > 20.0
    assert (tmp_path / "a.mp3").stat().st_size * 8 / 2000 == pytest.approx(192, rel=0.06)


def test_equal_sound_gives_equal_bytes(tmp_path) -> None:
    source = put(tmp_path / "a.wav", chord(48000, 2), 48000, "FLOAT")
    for kind, engine in (("wav", "auto"), ("flac", "auto"), ("mp3", "soundfile"), ("mp3", "ffmpeg"),
                         ("m4a", "auto"), ("webm", "auto")):  # fmt: skip
        options = ConversionOptions(kind=kind, engine=engine, bits={"wav": "16"}.get(kind))
        for name in ("x", "y"):
            convert(source, tmp_path / f"{name}.{kind}", options, force=True)
        assert (tmp_path / f"x.{kind}").read_bytes() == (tmp_path / f"y.{kind}").read_bytes(), kind


def test_five_minutes_of_vorbis_survive(tmp_path) -> None:
    source = tmp_path / "a.wav"
    second = chord(8000, 1, 1.0).astype(np.float32)
    soundfile.write(source, np.tile(second, (330, 1)), 8000, "PCM_16")
    convert(source, tmp_path / "a.ogg", ConversionOptions(kind="ogg"))
    assert soundfile.info(tmp_path / "a.ogg").frames == 330 * 8000


def test_rate_that_kills_the_vorbis_encoder_is_never_given_to_it(tmp_path) -> None:
    source = put(tmp_path / "a.wav", chord(384000, 1), 384000)
    result = convert(source, tmp_path / "a.ogg", ConversionOptions(kind="ogg"))
    assert result.sample_rate == 192_000
    assert result.changes == ("384000 Hz become 192000 Hz",)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac"])
def test_pitch_is_kept_to_a_cent(tmp_path, kind) -> None:
    t = np.arange(96000 * 2) / 96000
    source = put(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * t)[:, None], 96000)
    convert(source, tmp_path / f"a.{kind}", ConversionOptions(kind=kind, engine="soundfile"))
    after, rate = heard(tmp_path / f"a.{kind}")
    spectrum = np.abs(np.fft.rfft(after[:, 0] * np.hanning(len(after)), 16 * len(after)))
    found = np.argmax(spectrum) * rate / (16 * len(after))
    assert abs(1200 * np.log2(found / 440)) < 1.0


def test_surround_is_in_the_order_that_players_of_vorbis_expect(tmp_path) -> None:
    source = put(tmp_path / "a.wav", chord(48000, 6), 48000)
    for kind in ("ogg", "opus"):
        convert(source, tmp_path / f"a.{kind}", ConversionOptions(kind=kind))
        raw, _ = soundfile.read(tmp_path / f"a.{kind}")  # left, centre, right, behind, low effects
        before = heard(source)[0]
        for place, channel in enumerate((0, 2, 1, 4, 5, 3)):
            assert snr(before[:, channel], raw[:, place]) > 10.0, (kind, place)


# Channels -----------------------------------------------------------------------------------------


def test_channels_are_mixed(tmp_path) -> None:
    levels = np.array([0.4, 0.2, 0.1, 0.5, 0.3, 0.05])
    source = put(tmp_path / "a.wav", np.tile(levels, (100, 1)), 48000, "FLOAT")

    def mixed(n: int, before: Path = source) -> np.ndarray:
        target = tmp_path / f"{n}.wav"
        convert(before, target, ConversionOptions(kind="wav", channels=n), force=True)
        return heard(target)[0][50]

    half = np.sqrt(0.5)
    stereo = np.array([0.4 + half * (0.1 + 0.3), 0.2 + half * (0.1 + 0.05)]) / (1 + 2 * half)
    np.testing.assert_allclose(mixed(2), stereo, atol=1e-6)
    np.testing.assert_allclose(mixed(1), [stereo.mean()], atol=1e-6)
    two = put(tmp_path / "two.wav", np.tile([0.4, 0.2], (100, 1)), 48000, "FLOAT")
    np.testing.assert_allclose(mixed(1, two), [0.3], atol=1e-6)
    one = put(tmp_path / "one.wav", np.full((100, 1), 0.25), 48000, "FLOAT")
    np.testing.assert_allclose(mixed(2, one), [0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(mixed(6, two), [0.4, 0.2, 0, 0, 0, 0], atol=1e-6)


# Samples ------------------------------------------------------------------------------------------


def spectrum_db(samples: np.ndarray) -> np.ndarray:
    """dBFS of a sine at each bin of a second."""
    window = np.blackman(len(samples))
    return 20 * np.log10(np.abs(np.fft.rfft(samples * window)) / window.sum() * 2 + 1e-12)


def test_quiet_tone_has_no_harmonics_after_dither(tmp_path) -> None:
    rate, n = 48000, 48000 * 20
    tone = 10 ** (-90 / 20) * np.sin(2 * np.pi * 1000 * np.arange(n) / rate)
    source = put(tmp_path / "a.wav", tone[:, None], rate, "FLOAT")
    convert(source, tmp_path / "b.wav", ConversionOptions(kind="wav", bits="16"))
    after = spectrum_db(heard(tmp_path / "b.wav")[0][:, 0])
    assert after[20 * 1000] == pytest.approx(-90, abs=0.5)
    for harmonic in range(2, 10):
        assert after[20 * 1000 * harmonic] < -125, harmonic
    convert(source, tmp_path / "c.wav", ConversionOptions(kind="wav", bits="16", dither=False))
    plain = spectrum_db(heard(tmp_path / "c.wav")[0][:, 0])
    assert max(plain[20 * 1000 * harmonic] for harmonic in range(2, 10)) > -115


def test_dither_stays_away_from_samples_that_fit(tmp_path) -> None:
    samples = chord(44100, 2)
    for subtype, kind in (("PCM_U8", "flac"), ("PCM_16", "aiff"), ("PCM_16", "caf"),
                          ("PCM_24", "flac"), ("PCM_32", "w64"), ("DOUBLE", "au")):  # fmt: skip
        source = put(tmp_path / "a.wav", samples, 44100, subtype)
        result = convert(source, tmp_path / f"b.{kind}", ConversionOptions(kind=kind), force=True)
        assert result.subtype.lstrip("PCM_US") == subtype.lstrip("PCM_US")
        before, _ = soundfile.read(source, dtype="float64")
        after, _ = soundfile.read(tmp_path / f"b.{kind}", dtype="float64")
        np.testing.assert_array_equal(before, after)


def test_size_of_blocks_does_not_show(tmp_path) -> None:
    samples = chord(44100, 2, 4.0)  # several blocks
    source = put(tmp_path / "a.wav", samples, 44100, "FLOAT")
    options = ConversionOptions(kind="wav", bits="float", sample_rate=48000)
    convert(source, tmp_path / "b.wav", options)
    once = soxr.resample(samples.astype(np.float32), 44100, 48000, quality="VHQ")
    np.testing.assert_array_equal(once, soundfile.read(tmp_path / "b.wav", dtype="float32")[0])


# Levels beyond full scale -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "opus", "flac", "m4a"])
def test_peak_of_three_is_turned_down_until_nothing_decodes_beyond_one(tmp_path, kind) -> None:
    source = put(tmp_path / "a.wav", chord(48000, 2) * 3.0 / 0.6, 48000, "FLOAT")
    bits = "16" if kind == "wav" else None
    result = convert(source, tmp_path / f"b.{kind}", ConversionOptions(kind=kind, bits=bits))
    assert "turned down by" in result.warnings[0]
    after, _ = heard(tmp_path / f"b.{kind}")
    assert 0.7 < np.abs(after).max() <= 1.0


def test_beyond_full_scale_can_be_clipped_or_refused_and_is_kept_in_float(tmp_path) -> None:
    source = put(tmp_path / "a.wav", chord(48000, 2) * 4, 48000, "FLOAT")
    clip = ConversionOptions(kind="wav", bits="16", on_clip="clip")
    assert "were clipped" in convert(source, tmp_path / "b.wav", clip).warnings[0]
    after = heard(tmp_path / "b.wav")[0]
    assert np.sum(np.abs(after) >= 0.9999) > 100
    with pytest.raises(AudioError, match=r"'a.wav' goes .* dB beyond full scale"):
        convert(source, tmp_path / "c.flac", ConversionOptions(kind="flac", on_clip="error"))
    assert not (tmp_path / "c.flac").exists()
    result = convert(source, tmp_path / "d.caf", ConversionOptions(kind="caf"))
    assert (result.subtype, result.warnings) == ("FLOAT", ())
    np.testing.assert_array_equal(heard(source)[0], heard(tmp_path / "d.caf")[0])


# Planning -----------------------------------------------------------------------------------------


def plan(kind: str, rate: int, channels: int, frames: int = 1000, *, bits: str = "16", **words):
    options = ConversionOptions(kind=kind, **words)
    return plan_target(kind, rate, channels, frames, options, bits=bits)


@pytest.mark.parametrize(
    ("kind", "rate", "channels", "bits", "changes"),
    [
        ("mp3", 96000, 6, "24", ["96000 Hz become 48000 Hz", "6 channels become 2"]),
        ("mp3", 18000, 1, "16", ["18000 Hz become 22050 Hz"]),
        ("opus", 44100, 2, "16", ["44100 Hz become 48000 Hz"]),
        ("flac", 48000, 2, "float", ["float samples become 24 bit"]),
        ("flac", 48000, 12, "16", ["12 channels become 2"]),
        ("wav", 384000, 16, "double", []),
        ("ogg", 4000, 2, "16", ["4000 Hz become 8000 Hz"]),
    ],
)
def test_plan_says_what_the_format_cannot_hold(kind, rate, channels, bits, changes) -> None:
    assert list(plan(kind, rate, channels, bits=bits).changes) == changes
    if changes:
        with pytest.raises(ConfigError, match=f"strict: {kind} cannot hold this sound as it is"):
            plan(kind, rate, channels, bits=bits, strict=True)


def test_what_is_asked_for_is_no_change() -> None:
    options = ConversionOptions(kind="flac", sample_rate=48000, channels=2, bits="16", strict=True)
    assert plan_target("flac", 96000, 6, 1000, options, bits="float").changes == ()
    assert plan("mp3", 44100, 2, bitrate=512).changes == ("512 kbit/s become 320",)


def test_wav_above_four_gibibytes_becomes_rf64() -> None:
    largest = (1 << 30) - (1 << 19)
    assert plan("wav", 48000, 2, largest).container == "WAV"
    above = plan("wav", 48000, 2, 1 << 30)
    assert (above.kind, above.container) == ("rf64", "RF64")
    assert above.changes == ("WAV becomes RF64: 4.0 GiB are more than WAV's 4 GiB",)
    for kind in ("aiff", "au"):
        with pytest.raises(AudioError, match="do not fit into"):
            plan(kind, 48000, 2, 1 << 30)
    for kind in ("flac", "caf", "w64", "ogg"):
        assert plan(kind, 48000, 2, 1 << 30).changes == ()


def test_huge_files_are_read_where_they_are_cut(tmp_path) -> None:
    frames = (1 << 30) + 48000  # over 4 GiB of 16 bit stereo, nearly all of it a hole
    source = tmp_path / "a.wav"
    soundfile.write(source, np.zeros((1, 2)), 48000, "PCM_16", format="RF64")
    data = bytearray(source.read_bytes())
    ds64, start = data.index(b"ds64"), data.index(b"data") + 8
    sizes = (start + 4 * frames - 8, 4 * frames, frames)
    data[ds64 + 8 : ds64 + 32] = b"".join(size.to_bytes(8, "little") for size in sizes)
    tail = np.full((24000, 2), 8192, dtype="<i2").tobytes()
    with source.open("wb") as file:
        file.write(data[:start])
        file.seek(start + 4 * frames - len(tail))
        file.write(tail)
    seconds = frames / 48000
    options = ConversionOptions(kind="flac", start=seconds - 1.0)
    result = deliver(open_sound(source), tmp_path / "b.flac", options)
    after, _ = heard(tmp_path / "b.flac")
    assert (result.source_kind, len(after)) == ("rf64", 48000)
    np.testing.assert_array_equal(after[:, 0], np.repeat([0.0, 0.25], 24000))


# Options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"kind": "xyz"}, "kind: 'xyz' is unknown"),
        ({"kind": "mp3", "bits": "16"}, "bits: mp3 has no '16'"),
        ({"kind": "flac", "bits": "32"}, "bits: flac has no '32'"),
        ({"kind": "flac", "bitrate": 192}, "bitrate: flac keeps every sample"),
        ({"kind": "mp3", "bitrate": 5}, "bitrate: 5 kbit/s is out of range"),
        ({"kind": "mp3", "sample_rate": 96000}, "sample_rate: mp3 cannot hold 96000 Hz"),
        ({"kind": "wav", "sample_rate": 0}, "sample_rate: 0 Hz is out of range"),
        ({"kind": "mp3", "channels": 6}, "channels: mp3 cannot hold 6"),
        ({"kind": "wav", "channels": 0}, "channels: 0 channels is out of range"),
        ({"kind": "wav", "loudness": 3.0}, "loudness: 3 LUFS is out of range"),
        ({"kind": "wav", "loudness": float("nan")}, "loudness: nan is no number"),
        ({"kind": "wav", "true_peak": 1.0}, "true_peak: 1 dBTP is out of range"),
        ({"kind": "wav", "start": -1.0}, "start: -1 s is out of range"),
        ({"kind": "wav", "start": 5.0, "end": 5.0}, "end: 5 s is not after the start"),
        ({"kind": "wav", "seconds": 0.0}, "seconds: 0 s is out of range"),
        ({"kind": "wav", "fade_out": 1e9}, r"fade_out: 1e\+09 s is out of range"),
        ({"kind": "wav", "on_clip": "shout"}, "on_clip: 'shout' is unknown"),
        ({"kind": "wav", "engine": "sox"}, "engine: 'sox' is unknown"),
        ({"kind": "m4a", "engine": "soundfile"}, "engine: soundfile cannot write m4a"),
    ],
)
def test_bad_option_names_its_field(words, named) -> None:
    with pytest.raises(ConfigError, match=named):
        ConversionOptions(**words)


def test_engine_that_cannot_write_the_format_is_refused(tmp_path) -> None:
    source = put(tmp_path / "a.wav", chord(8000, 1), 8000)
    with pytest.raises(ConfigError, match="engine: ffmpeg is not used for flac"):
        convert(source, tmp_path / "a.flac", ConversionOptions(kind="flac", engine="ffmpeg"))


def test_ffmpeg_without_the_codec_is_done_without_where_that_is_possible(tmp_path) -> None:
    small = tmp_path / "ffmpeg"
    small.write_text("#!/bin/sh\necho \"[x @ 0x1] Unknown encoder 'it'\" >&2\nexit 1\n")
    small.chmod(0o755)
    source = put(tmp_path / "a.wav", chord(44100, 2, 2.0), 44100)
    result = convert(source, tmp_path / "a.mp3", ConversionOptions(kind="mp3", ffmpeg=str(small)))
    assert result.engine == "soundfile"
    assert "this ffmpeg lacks the codec (Unknown encoder 'it')" in result.warnings[0]
    for kind, engine in (("m4a", "auto"), ("mp3", "ffmpeg")):
        options = ConversionOptions(kind=kind, engine=engine, ffmpeg=str(small))
        with pytest.raises(MissingProgram, match=f"b.{kind}' cannot be written: this ffmpeg lacks"):
            convert(source, tmp_path / f"b.{kind}", options)
    with pytest.raises(ConfigError, match=r"ffmpeg: '/nowhere' is no program"):
        convert(source, tmp_path / "b.m4a", ConversionOptions(kind="m4a", ffmpeg="/nowhere"))


@pytest.mark.benchmark
@pytest.mark.parametrize(("engine", "most"), [("soundfile", 4.0), ("ffmpeg", 1.5)])
def test_minute_becomes_mp3_in_few_cpu_seconds(tmp_path, engine, most) -> None:
    source = put(tmp_path / "a.wav", chord(44100, 2, 60.0), 44100)
    before = os.times()
    convert(source, tmp_path / "a.mp3", ConversionOptions(kind="mp3", engine=engine))
    assert sum(os.times()[:4]) - sum(before[:4]) < most
