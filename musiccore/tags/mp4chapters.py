"""Chapters as QuickTime keeps them in MP4: a track of texts that the track of sound refers to."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.tags.extras import Chapter
from musiccore.tags.mp4items import within
from musiccore.tags.pieces import Source

_MOST: Final = 5000  # chapters, and bytes of a title
_TABLES: Final = (b"mdia", b"minf", b"stbl")


def track_chapters(source: Source, tracks: list[bytes]) -> tuple[Chapter, ...]:
    """Return the chapters of a file; none if there is no such track.

    Args:
        source: of the file.
        tracks: bodies of its `trak` atoms.

    Raises:
        ValueError, struct.error, IndexError: if a table is cut.
    """
    wanted = {number for track in tracks for number in _referred(track)}
    for track in tracks:
        if _number(track) in wanted:
            rows = list(_texts(source, track))
            return tuple(Chapter(start=start, end=end, title=text) for start, end, text in rows)
    return ()


def _part(data: bytes, path: tuple[bytes, ...]) -> bytes:
    """Return the body of an atom inside others; nothing if it is not there."""
    for name in path:
        data = next(
            (data[one.start : one.end] for one in within(data, 0, len(data)) if one.name == name),
            b"",
        )
    return data


def _referred(track: bytes) -> tuple[int, ...]:
    body = _part(track, (b"tref", b"chap"))
    return struct.unpack_from(f">{min(len(body) // 4, _MOST)}I", body)


def _number(track: bytes) -> int:
    head = _part(track, (b"tkhd",))
    start = 20 if head[:1] == b"\1" else 12
    return int.from_bytes(head[start : start + 4], "big")


def _texts(source: Source, track: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield start and end in milliseconds, and the text, of every sample of a track."""
    media = _part(track, (b"mdia", b"mdhd"))
    (scale,) = struct.unpack_from(">I", media, 20 if media[:1] == b"\1" else 12)
    time = 0
    for place, length in zip(_places(track), _lengths(track), strict=False):
        size = int.from_bytes(source.read(place, 2), "big")
        raw = source.read(place + 2, min(size, _MOST))
        wide = raw[:2] in (b"\xfe\xff", b"\xff\xfe")
        text = raw.decode("utf-16" if wide else "utf-8", errors="replace")
        yield time * 1000 // max(scale, 1), (time + length) * 1000 // max(scale, 1), text
        time += length


def _lengths(track: bytes) -> Iterator[int]:
    table = _part(track, (*_TABLES, b"stts"))
    done = 0
    for number in range(int.from_bytes(table[4:8], "big")):
        count, length = struct.unpack_from(">II", table, 8 + 8 * number)
        for _ in range(min(count, _MOST - done)):
            yield length
        done += count
        if done >= _MOST:
            return


def _places(track: bytes) -> Iterator[int]:
    """Yield where the samples lie: chunk by chunk, one behind the other in each."""
    sizes = _part(track, (*_TABLES, b"stsz"))
    one, count = struct.unpack_from(">II", sizes, 4)
    runs = _part(track, (*_TABLES, b"stsc"))
    firsts = [
        struct.unpack_from(">II", runs, 8 + 12 * number)
        for number in range(min(int.from_bytes(runs[4:8], "big"), _MOST))
    ]
    done = 0
    for chunk, offset in enumerate(_offsets(track), start=1):
        held = next((many for first, many in reversed(firsts) if first <= chunk), 1)
        for _ in range(min(held, _MOST, count - done)):
            yield offset
            offset += one or struct.unpack_from(">I", sizes, 12 + 4 * done)[0]
            done += 1
        if done >= min(count, _MOST):
            return


def _offsets(track: bytes) -> Iterator[int]:
    for name, code, step in ((b"stco", ">I", 4), (b"co64", ">Q", 8)):
        table = _part(track, (*_TABLES, name))
        count = min(int.from_bytes(table[4:8], "big"), (len(table) - 8) // step) if table else 0
        for number in range(min(count, _MOST)):
            yield struct.unpack_from(code, table, 8 + step * number)[0]
