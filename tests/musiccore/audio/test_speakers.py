"""Channels are mixed and written by the speakers they are for."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musiccore.conversion import ConversionOptions, convert, open_sound
from musiccore.conversion.channels import mixing_matrix
from musiccore.conversion.speakers import (
    BC,
    BL,
    BR,
    FC,
    FL,
    FLC,
    FR,
    FRC,
    LFE,
    SL,
    SR,
    fitting_layout,
    speakers_of,
)
from musiccore.errors import ConfigError

RATE = 8000
GUID = bytes.fromhex("0100000000001000800000aa00389b71")
LAYOUTS = {
    "2.1": FL | FR | LFE,
    "3.0": FL | FR | FC,
    "3.1": FL | FR | FC | LFE,
    "4.0": FL | FR | FC | BC,
    "quad": FL | FR | BL | BR,
    "quad side": FL | FR | SL | SR,
    "5.0": FL | FR | FC | BL | BR,
    "5.1": FL | FR | FC | LFE | BL | BR,
    "5.1 side": FL | FR | FC | LFE | SL | SR,
    "6.1": FL | FR | FC | LFE | BC | SL | SR,
    "6.1 back": FL | FR | FC | LFE | BL | BR | BC,
    "7.1": FL | FR | FC | LFE | BL | BR | SL | SR,
    "7.1 wide": FL | FR | FC | LFE | BL | BR | FLC | FRC,
}
SIDES = {FL: "l", FR: "r", FC: "lr", LFE: "", BL: "l", BR: "r", BC: "lr", SL: "l", SR: "r",
         FLC: "l", FRC: "r"}  # fmt: skip


def wavex(path: Path, mask: int, channels: int | None = None) -> np.ndarray:
    """A WAV with a tone of its own in each channel; return the samples."""
    n = channels or mask.bit_count()
    t = np.arange(RATE)[:, None] / RATE
    samples = 0.3 * np.sin(2 * np.pi * (200 + 100 * np.arange(n)) * t)
    whole = np.rint(samples * 32767).astype("<i2")
    fmt = struct.pack("<HHIIHH", 0xFFFE, n, RATE, RATE * n * 2, n * 2, 16)
    fmt += struct.pack("<HHI", 22, 16, mask) + GUID
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", whole.nbytes) + whole.tobytes()
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return whole / 32768


def mask_of(path: Path) -> int:
    data = path.read_bytes()
    at = data.index(b"fmt ") + 8
    return struct.unpack_from("<I", data, at + 20)[0] if data[at : at + 2] == b"\xfe\xff" else 0


def level(samples: np.ndarray, channel: int) -> float:
    """How much of a channel's tone there is."""
    t = np.arange(len(samples)) / RATE
    tone = np.exp(-2j * np.pi * (200 + 100 * channel) * t)
    return float(2 * abs(np.mean(samples * tone)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_stereo_is_mixed_by_speakers_and_without_low_effects(tmp_path, name) -> None:
    mask = LAYOUTS[name]
    wavex(tmp_path / "a.wav", mask)
    convert(tmp_path / "a.wav", tmp_path / "b.wav", ConversionOptions(kind="wav", channels=2))
    after, _ = soundfile.read(tmp_path / "b.wav")
    for channel, speaker in enumerate(speakers_of(mask, mask.bit_count())):
        left, right = (level(after[:, side], channel) for side in (0, 1))
        for heard, side in ((left, "l"), (right, "r")):
            assert (heard > 0.03) == (side in SIDES[speaker]), (name, channel, left, right)
        if len(SIDES[speaker]) == 2:
            assert left == pytest.approx(right, rel=0.02)
    assert np.abs(after).max() <= 1.0


@pytest.mark.parametrize("kind", ["wav", "rf64", "caf", "flac"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_mask_and_every_sample_are_kept(tmp_path, kind, name) -> None:
    mask = LAYOUTS[name]
    samples = wavex(tmp_path / "a.wav", mask)
    options = ConversionOptions(kind=kind, strict=True)
    convert(tmp_path / "a.wav", tmp_path / f"b.{kind}", options)
    sound = open_sound(tmp_path / f"b.{kind}")
    np.testing.assert_array_equal(np.concatenate(list(sound.blocks())), samples)
    assert sound.mask == mask
    convert(tmp_path / f"b.{kind}", tmp_path / "c.wav", ConversionOptions(kind="wav"))
    np.testing.assert_array_equal(soundfile.read(tmp_path / "c.wav")[0], samples)
    assert mask_of(tmp_path / "c.wav") == sound.mask
    if kind in ("wav", "rf64"):
        assert mask_of(tmp_path / f"b.{kind}") == mask


@pytest.mark.parametrize("kind", ["w64", "aiff", "au"])
def test_formats_without_a_mask_say_so(tmp_path, kind) -> None:
    wavex(tmp_path / "a.wav", LAYOUTS["3.1"])
    result = convert(tmp_path / "a.wav", tmp_path / f"b.{kind}", ConversionOptions(kind=kind))
    assert result.changes == (f"{kind} does not say that the channels are 3.1",)
    wavex(tmp_path / "a.wav", LAYOUTS["5.1"])
    options = ConversionOptions(kind=kind, strict=True)
    convert(tmp_path / "a.wav", tmp_path / f"b.{kind}", options, force=True)


@pytest.mark.parametrize("kind", ["ogg", "opus", "m4a", "webm"])
@pytest.mark.parametrize(
    ("name", "channels"), [("2.1", 6), ("3.1", 6), ("quad side", 4), ("6.1", 7)]
)
def test_formats_with_fixed_speakers_put_every_channel_where_it_belongs(
    tmp_path, kind, name, channels
) -> None:
    mask = LAYOUTS[name]
    wavex(tmp_path / "a.wav", mask)
    result = convert(tmp_path / "a.wav", tmp_path / f"b.{kind}", ConversionOptions(kind=kind))
    assert result.channels == channels
    assert bool([words for words in result.changes if "becomes" in words]) == (
        channels != mask.bit_count()
    )
    convert(
        tmp_path / f"b.{kind}",
        tmp_path / "c.wav",
        ConversionOptions(kind="wav", channels=2, sample_rate=RATE),
    )
    after, _ = soundfile.read(tmp_path / "c.wav")
    for channel, speaker in enumerate(speakers_of(mask, mask.bit_count())):
        left, right = (level(after[:, side], channel) for side in (0, 1))
        for heard, side in ((left, "l"), (right, "r")):
            assert (heard > 0.02) == (side in SIDES[speaker]), (channel, left, right)
    if channels != mask.bit_count():
        with pytest.raises(ConfigError, match=f"becomes 5.1: {kind} has no"):
            convert(
                tmp_path / "a.wav",
                tmp_path / f"d.{kind}",
                ConversionOptions(kind=kind, strict=True),
            )


def test_fewer_speakers_play_what_the_missing_ones_had() -> None:
    matrix = mixing_matrix(8, 6, LAYOUTS["7.1"])
    assert (matrix.sum(axis=0) > 0).tolist() == [True] * 8  # nothing is left out
    np.testing.assert_allclose(matrix[4] / matrix[4, 4], [0, 0, 0, 0, 1, 0, 1, 0])
    assert matrix.sum(axis=1).max() <= 1.0
    assert mixing_matrix(2, 6).tolist()[:2] == [[1, 0], [0, 1]]


def test_a_mask_that_does_not_fit_is_not_believed(tmp_path) -> None:
    wavex(tmp_path / "a.wav", LAYOUTS["5.1"], channels=2)
    assert open_sound(tmp_path / "a.wav").mask == 0
    assert speakers_of(LAYOUTS["5.1"], 2) == (FL, FR)
    assert speakers_of(0, 11) == ()


def test_layouts_are_widened_to_the_smallest_that_has_all_speakers() -> None:
    assert fitting_layout(LAYOUTS["2.1"], 8) == LAYOUTS["5.1"]
    assert fitting_layout(LAYOUTS["4.0"], 8) == LAYOUTS["6.1"]
    assert fitting_layout(LAYOUTS["4.0"], 6) is None
