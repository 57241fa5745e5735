"""Frames of MPEG sound by their first bytes, and the tags that lie between and behind them."""

from __future__ import annotations

import mmap
from typing import NamedTuple

from musiccore.audio.signatures import id3_length

_V1_L1 = (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
_V1_L2 = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_V1_L3 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V2_L1 = (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_V2_LX = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_CHAIN = 3  # frames in a row that are no accident
_MOST_FREE = 8192  # bytes of a frame of free format
_ZEROS = b"\0" * 4096


class Head(NamedTuple):
    """What the first three bytes of a frame say."""

    length: int  # bytes
    stream: tuple[int, int]  # version and layer; rate
    layer: int
    rate: int
    samples: int


def _heads() -> dict[bytes, Head]:
    found = {}
    for version, rates in _RATES.items():
        for layer in (1, 2, 3):
            table = _bitrates(version, layer)
            for number, (row, rate) in (
                (column << 2, (row, rate))
                for column, rate in enumerate(rates)
                for row in enumerate(table, 1)
            ):
                for rest in range(8):  # protection, padding, private
                    first = 0xE0 | version << 3 | (4 - layer) << 1 | rest & 1
                    second = row[0] << 4 | number | rest >> 1
                    found[bytes((0xFF, first, second))] = _head(
                        version, layer, rate, row[1], rest >> 2, number
                    )
    return found


def _bitrates(version: int, layer: int) -> tuple[int, ...]:
    if version == 3:
        return (_V1_L1, _V1_L2, _V1_L3)[layer - 1]
    return _V2_L1 if layer == 1 else _V2_LX


def _head(version: int, layer: int, rate: int, kbit: int, padding: int, number: int) -> Head:
    samples = 384 if layer == 1 else 1152 if layer == 2 or version == 3 else 576
    if layer == 1:
        length = (12_000 * kbit // rate + padding) * 4
    else:
        length = samples * 125 * kbit // rate + padding
    return Head(length, (version << 2 | layer, number), layer, rate, samples)


HEADS = _heads()


def looks_like_mpeg(data: bytes, at: int, end: int) -> bool:
    """Tell whether frames follow each other from a place, at least three or up to the end."""
    heads = dict(HEADS)
    return begins(data, at, end, heads)


def begins(data: bytes | mmap.mmap, at: int, end: int, heads: dict[bytes, Head]) -> bool:
    """Whether some frames of a kind follow each other, or fewer up to the end."""
    first = heads.get(data[at : at + 3]) or _free(data, at, end, heads)
    if first is None or at + 4 > end or data[at + 3] & 3 == 2:
        return False
    for number in range(_CHAIN):
        head = heads.get(data[at : at + 3])
        if head is None:
            # The last one may end at the end, at zeros or at a tag.
            return number > 0 and (at >= end or bool(tag_length(data, at, end)) or (
                number > 1 and is_zero(data, at, min(at + 64, end))
            ))  # fmt: skip
        if head.stream != first.stream:
            return number > 1
        at += head.length
        if at >= end:
            return at == end or number > 0
    return True


def _free(data: bytes | mmap.mmap, at: int, end: int, heads: dict[bytes, Head]) -> Head | None:
    """The head of a frame of free format: as long as the way to the next one, three times."""
    mark = data[at : at + 3]
    if (
        len(mark) < 3
        or mark[0] != 0xFF
        or mark[1] & 0xE6 != 0xE2
        or mark[2] & 0xFC not in (0, 4, 8)
    ):
        return None
    version, column = mark[1] >> 3 & 3, mark[2] >> 2 & 3
    if version not in _RATES:
        return None
    marks = [bytes((0xFF, mark[1], mark[2] & 0xFC | rest)) for rest in range(4)]
    place, limit = at + 24, min(at + _MOST_FREE, end)
    while (place := data.find(mark[:2], place, limit)) >= 0:
        if data[place : place + 3] in marks:
            length = place - at - (mark[2] >> 1 & 1)
            following, good = place, 0
            while good < _CHAIN and data[following : following + 3] in marks:
                following += length + (data[following + 2] >> 1 & 1)
                good += 1
            if good == _CHAIN or (good and following == end):
                rate = _RATES[version][column]
                samples = 1152 if version == 3 else 576
                for each in marks:
                    size = length + (each[2] >> 1 & 1)
                    heads[each] = Head(size, (version << 2 | 3, column << 2), 3, rate, samples)
                return heads[mark]
        place += 1
    return None


def is_zero(data: bytes | mmap.mmap, start: int, end: int) -> bool:
    """Whether only zeros lie in a range."""
    return all(
        data[at : min(at + 4096, end)] == _ZEROS[: min(4096, end - at)]
        for at in range(start, end, 4096)
    )


def tag_length(data: bytes | mmap.mmap, at: int, end: int) -> int:
    """Bytes of a tag that begins at a place; 0 for anything else."""
    head = data[at : at + 32]
    if head[:3] == b"ID3":
        return id3_length(head)
    if head[:8] == b"APETAGEX" and len(head) == 32:
        size = int.from_bytes(head[12:16], "little")
        is_header = bool(int.from_bytes(head[20:24], "little") & 1 << 29)
        return min(size + 32, end - at) if is_header else 32
    if head[:3] == b"TAG":
        return min(227 if head[3:4] == b"+" else 128, end - at)
    if head[:11] == b"LYRICSBEGIN":
        for mark in (b"LYRICS200", b"LYRICSEND"):
            if (stop := data.find(mark, at, min(end, at + (1 << 20)))) >= 0:
                return stop + 9 - at
    return 0


def without_tags(data: mmap.mmap, start: int) -> int:
    """Where the sound ends at the latest: in front of the tags at the end."""
    end = len(data)
    while True:
        before = end
        if end - 128 >= start and data[end - 128 : end - 125] == b"TAG":
            end -= 128
        if end - 227 >= start and data[end - 227 : end - 223] == b"TAG+":
            end -= 227
        if end - 32 >= start and data[end - 32 : end - 24] == b"APETAGEX":
            size = int.from_bytes(data[end - 20 : end - 16], "little")
            has_header = bool(int.from_bytes(data[end - 12 : end - 8], "little") & 1 << 31)
            whole = size + (32 if has_header else 0)
            end = end - whole if start <= end - whole else end
        if data[max(start, end - 9) : end] in (b"LYRICS200", b"LYRICSEND"):
            begin = data.rfind(b"LYRICSBEGIN", max(start, end - (1 << 20)), end)
            end = begin if begin >= 0 else end
        if end == before:
            return end
