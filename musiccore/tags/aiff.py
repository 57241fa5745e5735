"""AIFF: short text chunks, and an `ID3 ` chunk with everything."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags import id3
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import MOST_FIELDS, FoundFields, Tags, cut
from musiccore.tags.pieces import ByteSpan, Chunk, Piece, Source, is_name, limited, take_raw

HOME: Final = "aiff"
_TEXTS: Final = {"title": b"NAME", "artist": b"AUTH", "copyright": b"(c) ", "comment": b"ANNO"}
_SOUND: Final = (b"COMM", b"SSND", b"FVER", b"PEAK", b"CHAN", b"FLLR", b"JUNK")
_ID3: Final = (b"ID3 ", b"id3 ")
_TEXT_LIMIT: Final = 1000  # bytes, as in WAV
_FILE_BYTES: Final = 1 << 32


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of an AIFF or AIFF-C file."""
    found, short = FoundFields(), FoundFields()
    names = {chunk: name for name, chunk in _TEXTS.items()}
    for chunk in _chunks(source):
        if chunk.name in _ID3:
            found.fill(id3.decode(source.read(chunk.start, chunk.size), old))
        elif chunk.name in names:
            short.add(names[chunk.name], old(source.read(chunk.start, chunk.size).rstrip(b"\0 ")))
        elif chunk.name == b"COMT":
            for raw in _comments(source.read(chunk.start, chunk.size)):
                short.add("comment", old(raw))
        elif chunk.name not in _SOUND:
            take_raw(found, source, chunk, HOME)
    found.fill(short.tags())
    return found.tags()


def _comments(body: bytes) -> Iterator[bytes]:
    """Yield the texts of a COMT chunk, without their dates."""
    position = 2
    for _ in range(min(int.from_bytes(body[:2], "big"), MOST_FIELDS)):
        size = int.from_bytes(body[position + 6 : position + 8], "big")
        yield body[position + 8 : position + 8 + size].rstrip(b"\0")
        position += 8 + size + size % 2


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags, behind everything else.

    Raises:
        AudioError: if it would grow beyond 4 GiB.
    """
    kept: list[Piece] = []
    raws = [(raw.name.encode("latin-1"), raw.body) for raw in tags.raws if raw.home == HOME]
    gone = {*_ID3, *_TEXTS.values(), *(name for name, _ in raws)}
    length = 4
    for chunk in _chunks(source):
        if chunk.name in gone:
            continue
        if chunk.whole:
            kept.append(ByteSpan(chunk.header, chunk.end))
        else:
            kept += (chunk.name + struct.pack(">I", chunk.size), ByteSpan(chunk.start, chunk.end))
        if chunk.size % 2:
            kept.append(b"\0")
        length += 8 + chunk.size + chunk.size % 2
    parts = b"".join(_chunk(name, body) for name, body in raws)
    for name, text in tags.rows():
        name = "copyright" if name == "licence" else name
        if name in _TEXTS:
            parts += _chunk(_TEXTS[name], cut(text, _TEXT_LIMIT))
    parts += _chunk(b"ID3 ", id3.encode(tags))
    if length + len(parts) >= _FILE_BYTES:
        raise AudioError("the file would be larger than an AIFF can be (4 GiB)", hint="use caf")
    return [b"FORM", struct.pack(">I", length + len(parts)), ByteSpan(8, 12), *kept, parts]


def _chunks(source: Source) -> list[Chunk]:
    return limited(_walk(source))


def _walk(source: Source) -> Iterator[Chunk]:
    position = 12
    while position + 8 <= source.size:
        name, size = struct.unpack(">4sI", source.read(position, 8))
        if not is_name(name):
            return  # sound whose length was never written
        start = position + 8
        end = min(start + size, source.size)
        yield Chunk(name, position, start, end, start + size <= source.size)
        position = start + size + size % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2)
