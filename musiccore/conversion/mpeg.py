"""The frames of an MPEG stream, counted one by one: nothing there is bound to say how many.

Files that were put one behind the other are streams of their own, each with its own silence in
front and behind.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from musiccore.conversion.mpegframes import HEADS, Head, begins, is_zero, tag_length, without_tags

_MONO = 0xC0
_SEARCHED = 1 << 20  # bytes in front of the first frame
_TAGS = (b"Xing", b"Info", b"VBRI")


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
        self._data, self._heads = data, dict(HEADS)
        self._end = without_tags(data, start)
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
            tagged = tag_length(self._data, at, self._end)
            if tagged:
                self.scan.plain = self.scan.plain and not self.scan.streams
                at += tagged
                continue
            after = self._next(at)
            self._note(at, after, inside=bool(self.scan.streams), first=at == first)
            at = after

    def _note(self, at: int, after: int, *, inside: bool, first: bool) -> None:
        """Take note of bytes that are no frames."""
        empty = is_zero(self._data, at, after)
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
                if tag_length(data, place, self._end):
                    return place
            elif begins(data, place, self._end, self._heads):
                return place
        return self._end

    def _run(self, at: int) -> int:
        """Add the frames that follow each other from a place on; return where they end."""
        data, end = self._data, self._end
        while at + 4 <= end and begins(data, at, end, self._heads):
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

    def _same(self, at: int, head: Head, mono: bool) -> tuple[int, int]:
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

    def _stream(self, head: Head, mono: bool, *, is_info: bool) -> Stream:
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
