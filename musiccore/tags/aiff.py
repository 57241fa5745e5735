"""AIFF: short text chunks, and an `ID3 ` chunk with everything."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags import id3
from musiccore.tags.fields import Found, Tags, cut, repaired
from musiccore.tags.pieces import Chunk, Piece, Source, Span, limited

_TEXTS: Final = {"title": b"NAME", "artist": b"AUTH", "licence": b"(c) ", "comment": b"ANNO"}
_ID3: Final = (b"ID3 ", b"id3 ")
_TEXT_LIMIT: Final = 1000  # bytes, as in WAV
_FILE_BYTES: Final = 1 << 32


def read(source: Source) -> Tags:
    """Return the tags of an AIFF or AIFF-C file."""
    found, short = Found(), Found()
    names = {chunk: name for name, chunk in _TEXTS.items()}
    for chunk in _chunks(source):
        if chunk.name in _ID3:
            found.fill(id3.decode(source.read(chunk.start, chunk.size)))
        elif chunk.name in names:
            short.add(names[chunk.name], repaired(source.read(chunk.start, chunk.size)))
    found.fill(short.tags())
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags, behind everything else.

    Raises:
        AudioError: if it would grow beyond 4 GiB.
    """
    kept: list[Piece] = []
    length = 4
    for chunk in _chunks(source):
        if chunk.name in _ID3 or chunk.name in _TEXTS.values():
            continue
        if chunk.whole:
            kept.append(Span(chunk.header, chunk.end))
        else:
            kept += (chunk.name + struct.pack(">I", chunk.size), Span(chunk.start, chunk.end))
        if chunk.size % 2:
            kept.append(b"\0")
        length += 8 + chunk.size + chunk.size % 2
    parts = b"".join(
        _chunk(_TEXTS[name], cut(text, _TEXT_LIMIT)) for name, text in tags.rows() if name in _TEXTS
    )
    parts += _chunk(b"ID3 ", id3.encode(tags))
    if length + len(parts) >= _FILE_BYTES:
        raise AudioError("the file would be larger than an AIFF can be (4 GiB)", hint="use caf")
    return [b"FORM", struct.pack(">I", length + len(parts)), Span(8, 12), *kept, parts]


def _chunks(source: Source) -> list[Chunk]:
    return limited(_walk(source))


def _walk(source: Source) -> Iterator[Chunk]:
    position = 12
    while position + 8 <= source.size:
        name, size = struct.unpack(">4sI", source.read(position, 8))
        start = position + 8
        end = min(start + size, source.size)
        yield Chunk(name, position, start, end, start + size <= source.size)
        position = start + size + size % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2)
