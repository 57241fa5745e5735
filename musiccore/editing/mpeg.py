"""The frames of an MPEG stream, counted one by one: nothing there is bound to say how many.

Decoders estimate where no header tells, and stop at the estimate. Here every frame is found, what
lies between them is left out, and the decoder is given a first frame that states their number.
Files that were put one behind the other are streams of their own, each with its own silence in
front and behind.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from musiccore.editing.splices import Part, Splice

_V1_L1 = (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
_V1_L2 = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_V1_L3 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V2_L1 = (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_V2_LX = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MONO = 0xC0
_DECODER_DELAY = 529  # samples, of layer III
_CHAIN = 3  # frames in a row that are no accident
_MOST_FREE = 8192  # bytes of a frame of free format
_SEARCHED = 1 << 20  # bytes in front of the first frame
_TAGS = (b"Xing", b"Info", b"VBRI")
_ZEROS = b"\0" * 4096


@dataclass(frozen=True, slots=True)
class _Head:
    """What the first three bytes of a frame say."""

    length: int  # bytes
    stream: tuple[int, int]  # version and layer; rate
    layer: int
    rate: int
    samples: int


def _heads() -> dict[bytes, _Head]:
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


def _head(version: int, layer: int, rate: int, kbit: int, padding: int, number: int) -> _Head:
    samples = 384 if layer == 1 else 1152 if layer == 2 or version == 3 else 576
    if layer == 1:
        length = (12_000 * kbit // rate + padding) * 4
    else:
        length = samples * 125 * kbit // rate + padding
    return _Head(length, (version << 2 | layer, number), layer, rate, samples)


_HEADS = _heads()


@dataclass(slots=True)
class Stream:
    """Frames of one kind.

    Attributes:
        layer: 1 to 3.
        rate: Hz.
        mono: one channel, otherwise two.
        samples: of a frame.
        spans: where they lie, ranges of the file.
        frames: number of them.
        info: where the frame lies that tells about the others and holds no sound; None without.
    """

    layer: int
    rate: int
    mono: bool
    samples: int
    spans: list[tuple[int, int]] = field(default_factory=list)
    frames: int = 0
    info: tuple[int, int] | None = None


@dataclass(slots=True)
class MpegScan:
    """What was found.

    Attributes:
        streams: in order; empty if this is no MPEG sound.
        skipped: bytes between frames that are neither frames nor tags.
        cut: bytes at the end that begin like a frame and are less.
        behind: other bytes at the end.
        plain: a decoder finds the frames itself: one stream, nothing odd in front or between.
    """

    streams: list[Stream] = field(default_factory=list)
    skipped: int = 0
    cut: int = 0
    behind: int = 0
    plain: bool = True


def looks_like_mpeg(data: bytes, at: int, end: int) -> bool:
    """Tell whether frames follow each other from a place, at least three or up to the end."""
    heads = dict(_HEADS)
    return _begins(data, at, end, heads)


def scan_mpeg(path: Path, start: int) -> MpegScan:
    """Find every frame.

    Args:
        path: of the file.
        start: where to begin, behind the tags in front.
    """
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return _Scanner(data, start).scan


class _Scanner:
    def __init__(self, data: mmap.mmap, start: int) -> None:
        self._data, self._heads = data, dict(_HEADS)
        self._end = _without_tags(data, start)
        self._infos = frozenset(self._info_places(start))
        self.scan = MpegScan()
        self._all(start)
        self._merge()

    def _info_places(self, start: int) -> Iterator[int]:
        """Where frames may begin that tell about the others."""
        for tag in _TAGS:
            at = self._data.find(tag, start)
            while at >= 0:
                sides = (32,) if tag == b"VBRI" else (32, 34, 17, 19, 9, 11)
                yield from (at - 4 - side for side in sides)
                at = self._data.find(tag, at + 4)

    def _all(self, at: int) -> None:
        first = at
        while at < self._end:
            found = self._run(at)
            if found > at:
                at = found
                continue
            tagged = _tag_length(self._data, at, self._end)
            if tagged:
                self.scan.plain = self.scan.plain and not self.scan.streams
                at += tagged
                continue
            after = self._next(at)
            self._note(at, after, inside=bool(self.scan.streams), first=at == first)
            at = after

    def _note(self, at: int, after: int, *, inside: bool, first: bool) -> None:
        """Take note of bytes that are no frames."""
        empty = _is_zero(self._data, at, after)
        if after >= self._end:
            if not empty and inside:
                head = self._heads.get(self._data[at : at + 3])
                short = head is not None and after - at < head.length
                self.scan.cut += (after - at) if short else 0
                self.scan.behind += 0 if short else after - at
        elif inside or not (first or empty):
            self.scan.skipped += after - at
            self.scan.plain = False
        else:
            self.scan.plain = False

    def _next(self, at: int) -> int:
        """Where frames or a tag begin again, at or behind a place."""
        place, data = at, self._data
        limit = self._end if self.scan.streams else min(self._end, at + _SEARCHED)
        while place < limit:
            marks = (data.find(mark, place + 1, limit) for mark in (b"\xff", b"ID3", b"APETAGEX"))
            place = min((mark for mark in marks if mark >= 0), default=limit)
            if place >= limit:
                break
            if data[place] != 0xFF:
                if _tag_length(data, place, self._end):
                    return place
            elif _begins(data, place, self._end, self._heads):
                return place
        return self._end

    def _run(self, at: int) -> int:
        """Add the frames that follow each other from a place on; return where they end."""
        data, end = self._data, self._end
        while at + 4 <= end and _begins(data, at, end, self._heads):
            head, mono = self._heads[data[at : at + 3]], data[at + 3] & _MONO == _MONO
            is_info = at in self._infos and self._is_info(at, mono)
            stream, begun = self._stream(head, mono, is_info=is_info), at
            if is_info:
                stream.info, begun = (at, at + head.length), at + head.length
            at, count = self._same(begun, head, mono)
            stream.frames += count
            _span(stream, begun, at)
            if at == begun and not is_info:
                break
        return at

    def _same(self, at: int, head: _Head, mono: bool) -> tuple[int, int]:
        """Count frames of one kind: return where they end, and their number."""
        data, end, infos, count, begun = self._data, self._end, self._infos, 0, at
        # The loop of every frame of every file: no objects, no calls but these.
        known = {
            mark: each.length for mark, each in self._heads.items() if each.stream == head.stream
        }
        get, single = known.get, 3 if mono else 0
        while True:
            after = at + get(data[at : at + 3], end + 1)
            if after > end:
                return at, count
            mode = data[at + 3] >> 6
            if (mode == 3) != (single == 3):
                return at, count
            if at in infos and at != begun and self._is_info(at, mono):
                return at, count
            at, count = after, count + 1

    def _stream(self, head: _Head, mono: bool, *, is_info: bool) -> Stream:
        last = self.scan.streams[-1] if self.scan.streams else None
        same = (head.layer, head.rate, mono, head.samples)
        if last and not is_info and same == (last.layer, last.rate, last.mono, last.samples):
            return last  # they go on behind something odd
        self.scan.streams.append(Stream(*same))
        return self.scan.streams[-1]

    def _is_info(self, at: int, mono: bool) -> bool:
        data = self._data
        version_1 = data[at + 1] >> 3 & 3 == 3
        side = (17 if mono else 32) if version_1 else (9 if mono else 17)
        if data[at + 36 : at + 40] == b"VBRI":
            return True
        checked = 0 if data[at + 1] & 1 else 2  # bytes of a checksum in front
        places = {at + 4 + side, at + 4 + side + checked}
        return any(
            data[place : place + 4] in _TAGS[:2] and not any(data[at + 4 + checked : place])
            for place in places
        )

    def _merge(self) -> None:
        """Drop streams of a frame or two that are accidents, and those without sound."""
        scan = self.scan
        kept = [each for each in scan.streams if each.frames >= 2 or len(scan.streams) == 1]
        lost = [each for each in scan.streams if each not in kept and each.frames]
        scan.skipped += sum(end - start for each in lost for start, end in each.spans)
        scan.streams = [each for each in kept if each.frames > 0]
        scan.plain = scan.plain and len(scan.streams) == 1 and len(kept) == 1


def _span(stream: Stream | None, start: int, end: int) -> None:
    if stream is None or end <= start:
        return
    if stream.spans and stream.spans[-1][1] == start:
        start = stream.spans.pop()[0]
    stream.spans.append((start, end))


def _begins(data: bytes | mmap.mmap, at: int, end: int, heads: dict[bytes, _Head]) -> bool:
    """Whether some frames of a kind follow each other, or fewer up to the end."""
    first = heads.get(data[at : at + 3]) or _free(data, at, end, heads)
    if first is None or at + 4 > end or data[at + 3] & 3 == 2:
        return False
    for number in range(_CHAIN):
        head = heads.get(data[at : at + 3])
        if head is None:
            # The last one may end at the end, at zeros or at a tag.
            return number > 0 and (at >= end or bool(_tag_length(data, at, end)) or (
                number > 1 and _is_zero(data, at, min(at + 64, end))
            ))  # fmt: skip
        if head.stream != first.stream:
            return number > 1
        at += head.length
        if at >= end:
            return at == end or number > 0
    return True


def _free(data: bytes | mmap.mmap, at: int, end: int, heads: dict[bytes, _Head]) -> _Head | None:
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
                    heads[each] = _Head(size, (version << 2 | 3, column << 2), 3, rate, samples)
                return heads[mark]
        place += 1
    return None


def _is_zero(data: bytes | mmap.mmap, start: int, end: int) -> bool:
    return all(
        data[at : min(at + 4096, end)] == _ZEROS[: min(4096, end - at)]
        for at in range(start, end, 4096)
    )


def _tag_length(data: bytes | mmap.mmap, at: int, end: int) -> int:
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


def id3_length(head: bytes) -> int:
    """Bytes of the ID3v2 block whose first ten bytes are given, 0 if it is none."""
    if len(head) < 10 or head[:3] != b"ID3" or head[3] == 0xFF or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)


def _without_tags(data: mmap.mmap, start: int) -> int:
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


# What a decoder is given ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """A stream for the decoder.

    Attributes:
        splice: what the decoder is to see.
        changed: it is another thing than the frames as they are.
        lost: frames that the first one promises and that are not there.
    """

    splice: Splice
    changed: bool
    lost: int = 0


def told(data: bytes, stream: Stream) -> Told:
    """Return what a decoder of layer III needs in order to decode all of a stream.

    Args:
        data: the frame that tells about the others, or else the first one.
        stream: it.
    """
    spans: tuple[Part, ...] = tuple(stream.spans)
    if stream.layer != 3:
        return Told(Splice(spans), False)
    counted = sum(end - start for start, end in stream.spans)
    if stream.info is None or b"VBRI" in data[:64]:
        return Told(Splice((_stating(data, stream, counted), *spans)), True)
    at = max(data.find(b"Xing", 0, 64), data.find(b"Info", 0, 64))
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    if at < 0 or not flags & 1:
        return Told(Splice((_stating(data, stream, counted), *spans)), True)
    stated = int.from_bytes(data[at + 8 : at + 12], "big")
    gaps = (
        at + 8 + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit) + 21
    )
    size = int.from_bytes(data[at + 12 : at + 16], "big") if flags & 2 else 0
    # Some writers count the frame that tells; the bytes say whether this one does.
    counts_itself = stated == stream.frames + 1 and size <= counted + len(data)
    lost = 0 if counts_itself else max(0, stated - stream.frames)
    info = bytearray(data)
    _without_too_much(info, gaps, stream, ends=not lost and stated >= stream.frames - 1)
    info[at + 8 : at + 12] = stream.frames.to_bytes(4, "big")
    if flags & 2:
        info[at + 12 : at + 16] = min(counted + len(data), 0xFFFFFFFF).to_bytes(4, "big")
    changed = stated != stream.frames or info[gaps : gaps + 3] != data[gaps : gaps + 3]
    return Told(Splice((bytes(info), *spans)), changed, lost)


def _without_too_much(info: bytearray, gaps: int, stream: Stream, *, ends: bool) -> None:
    """Keep the silence that is left out from being more than there is, or than was written."""
    if gaps + 3 > len(info):
        return
    delay = info[gaps] << 4 | info[gaps + 1] >> 4
    padding = (info[gaps + 1] & 0x0F) << 8 | info[gaps + 2]
    if delay + padding >= stream.frames * stream.samples:
        delay = padding = 0
    if not ends:  # what would be left out at the end is missing, or something follows
        padding = 0
    info[gaps : gaps + 3] = bytes((delay >> 4, (delay & 15) << 4 | padding >> 8, padding & 0xFF))


def _stating(first: bytes, stream: Stream, counted: int) -> bytes:
    """What states the number of the other frames: a frame without sound, and a silent one.

    Where such a statement is, the decoder leaves out its own delay at the beginning. The silent
    frame is what it leaves out; not where the first frame needs bytes of one that is not there.
    """
    version = first[1] >> 3 & 3
    side = (17 if stream.mono else 32) if version == 3 else (9 if stream.mono else 17)
    mark = bytes((0xFF, first[1] | 1, (5 if version == 3 else 8) << 4 | first[2] & 0x0C))
    head = mark + bytes((first[3] & 0xC0,))
    silent = head + bytes(_HEADS[mark].length - 4)
    checked = 0 if first[1] & 1 else 2
    begin = int.from_bytes(first[4 + checked : 6 + checked], "big") >> (7 if version == 3 else 8)
    silences = b"" if begin else silent
    frame = bytearray(silent)
    frames = stream.frames + (1 if silences else 0)
    numbers = frames.to_bytes(4, "big") + min(
        counted + len(frame) + len(silences), 0xFFFFFFFF
    ).to_bytes(4, "big")
    at = 4 + side
    frame[at : at + 16] = b"Info" + (3).to_bytes(4, "big") + numbers
    if silences:
        delay = stream.samples - _DECODER_DELAY
        frame[at + 16 : at + 20] = b"LAME"  # whose field of delays follows
        frame[at + 16 + 21 : at + 16 + 24] = bytes((delay >> 4, (delay & 15) << 4, 0))
    return bytes(frame) + silences
