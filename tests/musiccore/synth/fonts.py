"""Sound fonts that tests write themselves, so that no test depends on which one a machine has.

One looped period of a harmonic tone, exactly 440 Hz at the root key, that dies away like a plucked
string. A stereo font plays it twice, on the left and on the right, as the pianos of large fonts do.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_RATE, _PERIOD, _ROOT = 44_000, 100, 69  # 440 Hz is a period of whole samples
_LOOP = 40  # periods
_PADDING = 46  # zero samples that the format asks for after each sample
_PAN, _DECAY, _SUSTAIN, _RELEASE, _INSTRUMENT, _SAMPLE, _MODE = 17, 36, 37, 38, 41, 53, 54
_DRUMS = 128


def write_font(path: Path, *, stereo: bool = False) -> Path:
    """Write a sound font whose one instrument plays every program and the drums.

    Args:
        path: the file, `.sf2`.
        stereo: two samples, one on each side.

    Returns:
        The path.
    """
    pans = (-500, 500) if stereo else (0,)
    zones = [
        [(_PAN, pan), (_DECAY, _timecents(4.0)), (_SUSTAIN, 1000), (_RELEASE, _timecents(0.1)),
         (_MODE, 1), (_SAMPLE, number)]
        for number, pan in enumerate(pans)
    ]  # fmt: skip
    info = _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"isng", b"EMU8000\0")
    info += _chunk(b"INAM", b"tone\0\0")
    body = _list(b"INFO", info)
    body += _list(b"sdta", _chunk(b"smpl", _samples() * len(pans)))
    body += _list(b"pdta", _presets() + _instruments(zones) + _headers(len(pans)))
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + body))
    return path


def _timecents(seconds: float) -> int:
    return round(1200 * np.log2(seconds))


def _samples() -> bytes:
    phase = 2 * np.pi * np.arange(_LOOP * _PERIOD) / _PERIOD
    tone = sum(np.sin(k * phase) / k for k in range(1, 13))
    return np.pad(np.round(tone * 16_000), (0, _PADDING)).astype("<i2").tobytes()


def _presets() -> bytes:
    heads = [_preset(b"tone", 0, 0, 0), _preset(b"strokes", 0, _DRUMS, 1), _preset(b"EOP", 0, 0, 2)]
    bags = [(0, 0), (1, 0), (2, 0)]
    return (
        _chunk(b"phdr", b"".join(heads))
        + _chunk(b"pbag", b"".join(struct.pack("<HH", *bag) for bag in bags))
        + _chunk(b"pmod", bytes(10))
        + _chunk(b"pgen", struct.pack("<HH", _INSTRUMENT, 0) * 2 + bytes(4))
    )


def _preset(name: bytes, program: int, bank: int, bag: int) -> bytes:
    return struct.pack("<20sHHHIII", name, program, bank, bag, 0, 0, 0)


def _instruments(zones: list[list[tuple[int, int]]]) -> bytes:
    starts = np.cumsum([0, *map(len, zones)]).tolist()
    generators = [pair for zone in zones for pair in zone]
    heads = struct.pack("<20sH", b"tone", 0) + struct.pack("<20sH", b"EOI", len(zones))
    return (
        _chunk(b"inst", heads)
        + _chunk(b"ibag", b"".join(struct.pack("<HH", start, 0) for start in starts))
        + _chunk(b"imod", bytes(10))
        + _chunk(b"igen", b"".join(struct.pack("<Hh", *pair) for pair in generators) + bytes(4))
    )


def _headers(n: int) -> bytes:
    length = _LOOP * _PERIOD
    heads = []
    for number in range(n):
        start = number * (length + _PADDING)
        kind, link = (1, 0) if n == 1 else ((4, 1), (2, 0))[number]
        heads.append(
            struct.pack("<20sIIIIIBbHH", b"tone", start, start + length, start + _PERIOD,
                        start + length, _RATE, _ROOT, 0, link, kind)
        )  # fmt: skip
    heads.append(struct.pack("<20sIIIIIBbHH", b"EOS", *[0] * 9))
    return _chunk(b"shdr", b"".join(heads))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(name: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", name + content)
