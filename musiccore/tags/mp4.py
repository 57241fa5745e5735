"""MP4 (m4a): items of the `ilst` atom; the tables of chunk offsets follow when sound moves."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags.fields import LIMIT, MOST_FIELDS, PROVENANCE, Found, Tags
from musiccore.tags.genres import genre_name
from musiccore.tags.pieces import Chunk, Piece, Source, Span, limited

_WRITTEN: Final = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "album": b"\xa9alb",
    "date": b"\xa9day",
    "genre": b"\xa9gen",
    "comment": b"\xa9cmt",
    "licence": b"cprt",
    "software": b"\xa9too",
    "lyrics": b"\xa9lyr",
}
_READ: Final = {atom: name for name, atom in _WRITTEN.items()}
_FREE: Final = b"----"  # an item with a name of its own
_OWNER: Final = b"jukeflow"
_TEXT: Final = 1
_PATH: Final = (b"trak", b"mdia", b"minf", b"stbl")
_META: Final = 4  # bytes of version and flags before the atoms in `meta`
_HANDLER: Final = struct.pack(">II4s4s9x", 0, 0, b"mdir", b"appl")


def read(source: Source) -> Tags:
    """Return the tags of an MP4 file."""
    found = Found()
    _, moov = _movie(source)
    for item in _items(moov):
        name, kind, raw = _item(item, moov)
        if name == b"covr":
            found.extra("a picture")
        elif name == b"trkn" and len(raw) >= 6:
            number, total = struct.unpack_from(">HH", raw, 2)
            found.add("track", (f"{number}/{total}" if total else str(number)) if number else "")
        elif name == b"gnre" and len(raw) >= 2:
            found.add("genre", genre_name(str(int.from_bytes(raw[:2], "big") - 1)))
        elif kind == _TEXT:
            key = PROVENANCE if name == PROVENANCE.encode() else _READ.get(name)
            found.add("track" if name == b"TRACK" else key, raw.decode(errors="replace"))
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags.

    Raises:
        AudioError: if its sound lies in fragments, or the tags are too long.
    """
    place, moov = _movie(source)
    names = [atom.name for atom in _atoms(source, 0, source.size)]
    if b"moof" in names or names.count(b"moov") > 1:
        raise AudioError("tags cannot be written into a fragmented MP4 file")
    kept = [atom for atom in _within(moov, 0, len(moov)) if atom.name != b"udta"]
    body = b"".join(moov[atom.header : atom.end] for atom in kept)
    new = _atom(b"moov", body + _user_data(moov, tags))
    if len(new) >= LIMIT:
        raise AudioError(f"tags of {len(new)} bytes are too long for an MP4 file (16 MiB)")
    moved = len(new) - (place.end - place.header)
    shifted = new[:8] + _shifted(new[8:], place.end, moved)
    return [Span(0, place.header), shifted, Span(place.end, source.size)]


def _movie(source: Source) -> tuple[Chunk, bytes]:
    for atom in _atoms(source, 0, source.size):
        if atom.name == b"moov":
            return atom, source.read(atom.start, atom.size)
    raise ValueError("the file has no moov atom")


def _items(moov: bytes) -> list[Chunk]:
    """Return the items of every `ilst`, as places in `moov`."""
    found: list[Chunk] = []
    for user in _within(moov, 0, len(moov)):
        if user.name != b"udta":
            continue
        for meta in _within(moov, user.start, user.end):
            if meta.name != b"meta":
                continue
            for part in _within(moov, meta.start + _META, meta.end):
                if part.name == b"ilst":
                    found += _within(moov, part.start, part.end)
    return found


def _item(item: Chunk, moov: bytes) -> tuple[bytes, int, bytes]:
    """Return name, kind and value of an item; of several values, the first."""
    name = item.name
    for part in _within(moov, item.start, item.end):
        if part.name == b"name" and name == _FREE:
            name = moov[part.start + 4 : part.end].upper()
        elif part.name == b"data" and part.size >= 8:
            kind = int.from_bytes(moov[part.start + 1 : part.start + 4], "big")
            return name, kind, moov[part.start + 8 : part.end]
    return name, 0, b""


def _user_data(moov: bytes, tags: Tags) -> bytes:
    """Return `udta`: what it held besides the items, and new ones."""
    rest = b"".join(
        moov[part.header : part.end]
        for user in _within(moov, 0, len(moov))
        if user.name == b"udta"
        for part in _within(moov, user.start, user.end)
        if part.name != b"meta"
    )
    items = b""
    for name, text in tags.rows():
        if name == "track":
            items += _track(text)
        else:
            items += _atom(_WRITTEN[name], _data(text))
    if tags.provenance is not None:
        items += _free(PROVENANCE.encode(), tags.provenance)
    meta = b"\0" * _META + _atom(b"hdlr", _HANDLER) + _atom(b"ilst", items)
    return _atom(b"udta", rest + _atom(b"meta", meta))


def _track(text: str) -> bytes:
    number, _, total = text.partition("/")
    if not number.isdecimal() or int(number) > 0xFFFF or not (total or "0").isdecimal():
        return _free(b"TRACK", text)
    value = struct.pack(">HHHH", 0, int(number), min(int(total or 0), 0xFFFF), 0)
    return _atom(b"trkn", _atom(b"data", struct.pack(">II", 0, 0) + value))


def _free(name: bytes, text: str) -> bytes:
    head = _atom(b"mean", b"\0" * 4 + _OWNER) + _atom(b"name", b"\0" * 4 + name)
    return _atom(_FREE, head + _data(text))


def _data(text: str) -> bytes:
    return _atom(b"data", struct.pack(">II", _TEXT, 0) + text.encode())


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
    for atom in _within(moov, start, end):
        if not path and atom.name in (b"stco", b"co64"):
            yield atom
        elif path and atom.name == path[0]:
            yield from _tables(moov, atom.start, atom.end, path[1:])


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


def _within(data: bytes, position: int, end: int) -> list[Chunk]:
    """Return the atoms in bytes that were read; four zeros end the list."""
    found: list[Chunk] = []
    while position + 8 <= end:
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 0:
            break
        if len(found) == MOST_FIELDS:
            raise ValueError(f"more than {MOST_FIELDS} atoms beside each other")
        if size < 8 or position + size > end:
            raise ValueError(f"an atom of {size} bytes in moov")
        name = data[position + 4 : position + 8]
        found.append(Chunk(name, position, position + 8, position + size))
        position += size
    return found


def _atom(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body
