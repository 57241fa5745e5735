"""MP4 (m4a): items of the `ilst` atom; the tables of chunk offsets follow when sound moves."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import LIMIT, FoundFields, Tags
from musiccore.tags.mp4chapters import track_chapters
from musiccore.tags.mp4items import (
    HOME,
    atom,
    chapter_list,
    chapters,
    items,
    take_items,
    take_user_text,
    within,
)
from musiccore.tags.pieces import ByteSpan, Chunk, Piece, Source, limited

__all__ = ["HOME", "read", "write"]

_PATH: Final = (b"trak", b"mdia", b"minf", b"stbl")
_META: Final = 4  # bytes of version and flags before the atoms in `meta`
_HANDLER: Final = struct.pack(">II4s4s9x", 0, 0, b"mdir", b"appl")
_MOVIE_BYTES: Final = 1 << 28  # tables of a sound of days


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of an MP4 file."""
    found = FoundFields()
    movie = _movie(source)
    parts = _atoms(source, movie.start, movie.end)
    for part in parts:
        if part.name == b"udta":
            body = source.read(part.start, part.size)
            for one in within(body, 0, len(body)):
                _take(found, one.name, body[one.start : one.end], old)
        elif part.name == b"meta":
            take_items(found, source.read(part.start, part.size))
    if not found.chapters:
        tracks = [source.read(p.start, p.size, _MOVIE_BYTES) for p in parts if p.name == b"trak"]
        try:
            found.chapters += track_chapters(source, tracks)
        except (ValueError, IndexError, struct.error):
            found.extra("damaged chapters")
    return found.tags()


def _take(found: FoundFields, name: bytes, body: bytes, old: OldTexts) -> None:
    if name == b"meta":
        take_items(found, body)
    elif name == b"chpl" and body:
        found.chapters += chapters(body)
    else:
        take_user_text(found, name, body, old)


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags.

    Raises:
        AudioError: if its sound lies in fragments, or the tags are too long.
    """
    place = _movie(source)
    moov = source.read(place.start, place.size, _MOVIE_BYTES)
    names = [one.name for one in _atoms(source, 0, source.size)]
    if b"moof" in names or names.count(b"moov") > 1:
        raise AudioError("tags cannot be written into a fragmented MP4 file")
    kept = [one for one in within(moov, 0, len(moov)) if one.name not in (b"udta", b"meta")]
    body = b"".join(moov[one.header : one.end] for one in kept)
    user = _user_data(moov, tags)
    if len(user) >= LIMIT:
        raise AudioError(f"tags of {len(user)} bytes are too long for an MP4 file (16 MiB)")
    new = atom(b"moov", body + user)
    moved = len(new) - (place.end - place.header)
    shifted = new[:8] + _shifted(new[8:], place.end, moved)
    return [ByteSpan(0, place.header), shifted, ByteSpan(place.end, source.size)]


def _movie(source: Source) -> Chunk:
    for one in _atoms(source, 0, source.size):
        if one.name == b"moov":
            return one
    raise ValueError("the file has no moov atom")


def _user_data(moov: bytes, tags: Tags) -> bytes:
    """Return `udta`: what it held besides tags, and new ones."""
    rest = b"".join(
        moov[part.header : part.end]
        for user in within(moov, 0, len(moov))
        if user.name == b"udta"
        for part in within(moov, user.start, user.end)
        if part.name not in (b"meta", b"chpl") and part.name[:1] != b"\xa9"
    )
    meta = b"\0" * _META + atom(b"hdlr", _HANDLER) + atom(b"ilst", items(tags))
    return atom(b"udta", rest + chapter_list(tags.chapters) + atom(b"meta", meta))


def _shifted(moov: bytes, after: int, moved: int) -> bytes:
    """Return `moov` in which offsets of sound behind it are moved."""
    changed = bytearray(moov)
    for place in _tables(moov, 0, len(moov), _PATH):
        wide = place.name == b"co64"
        code, step = (">Q", 8) if wide else (">I", 4)
        (count,) = struct.unpack_from(">I", moov, place.start + 4)
        if place.start + 8 + count * step > place.end:
            raise ValueError("a table of offsets is cut")
        for position in range(place.start + 8, place.start + 8 + count * step, step):
            (offset,) = struct.unpack_from(code, moov, position)
            if offset >= after:
                struct.pack_into(code, changed, position, offset + moved)
    return bytes(changed)


def _tables(moov: bytes, start: int, end: int, path: tuple[bytes, ...]) -> Iterator[Chunk]:
    for one in within(moov, start, end):
        if not path and one.name in (b"stco", b"co64"):
            yield one
        elif path and one.name == path[0]:
            yield from _tables(moov, one.start, one.end, path[1:])


def _atoms(source: Source, start: int, end: int) -> list[Chunk]:
    return limited(_walk(source, start, end))


def _walk(source: Source, position: int, end: int) -> Iterator[Chunk]:
    while position + 8 <= end:
        head = source.read(position, 16)
        size, start = int.from_bytes(head[:4], "big"), position + 8
        if size == 1:
            size, start = int.from_bytes(head[8:16], "big"), position + 16
        elif size == 0:
            size = end - position
        if size < start - position or position + size > end:
            raise ValueError(f"an atom of {size} bytes at {position}")
        yield Chunk(head[4:8], position, start, position + size)
        position += size
