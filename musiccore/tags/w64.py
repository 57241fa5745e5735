"""Sony Wave64: a chunk of our own with an ID3 tag, and the list of texts that ffmpeg reads."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.tags import id3
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import MOST_FIELDS, FoundFields, Tags
from musiccore.tags.names import INFO
from musiccore.tags.pieces import ByteSpan, Chunk, Piece, Source, limited, take_raw

HOME: Final = "riff"
_TAIL: Final = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of names that WAV has, too
_ID3: Final = b"id3 " + _TAIL
_DATA: Final = b"data" + _TAIL
_LIST: Final = bytes.fromhex("925f94bc525ad21186dc00c04f8edb8a")
_SOUND: Final = tuple(name + _TAIL for name in (b"fmt ", b"data", b"fact", b"levl", b"junk"))
_START: Final = 40  # name and size of the file, name of the form
_HEAD: Final = 24


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of a Wave64 file."""
    found, short = FoundFields(), FoundFields()
    for chunk in _chunks(source):
        if chunk.name == _ID3:
            found.fill(id3.decode(source.read(chunk.start, chunk.size), old))
        elif chunk.name == _LIST:
            short.fill(_texts(source.read(chunk.start, chunk.size)))
        elif chunk.name.endswith(_TAIL) and chunk.name not in _SOUND:
            take_raw(found, source, chunk, HOME, chunk.name[:4].decode("latin-1"))
    found.fill(short.tags())
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags, in front of the sound.

    libsndfile takes everything behind it for sound.
    """
    pieces: list[Piece] = []
    raws = [(raw.name.encode("latin-1") + _TAIL, raw.body) for raw in tags.raws if raw.home == HOME]
    gone = {_ID3, _LIST, *(name for name, _ in raws)}
    parts = b"".join(_chunk(name, body) for name, body in raws)
    parts += _chunk(_LIST, _list(tags)) + _chunk(_ID3, id3.encode(tags))
    length = _START + len(parts)
    for chunk in _chunks(source):
        if chunk.name in gone:
            continue
        if chunk.name == _DATA:
            pieces.append(parts)
        padding = -chunk.size % 8
        pieces += (
            chunk.name,
            struct.pack("<Q", _HEAD + chunk.size),
            ByteSpan(chunk.start, chunk.end),
        )
        if padding and chunk.end + padding <= source.size:
            pieces.append(ByteSpan(chunk.end, chunk.end + padding))
        length += _HEAD + chunk.size + padding
    return [ByteSpan(0, 16), struct.pack("<Q", length), ByteSpan(24, _START), *pieces]


def _list(tags: Tags) -> bytes:
    texts = {"copyright" if name == "licence" else name: text for name, text in tags.rows()}
    rows = [(INFO[name], text) for name, text in texts.items() if name in INFO]
    body = struct.pack("<I", len(rows))
    for name, text in rows:
        raw = text.encode("utf-16-le") + b"\0\0"
        body += name + struct.pack("<I", len(raw)) + raw
    return body


def _texts(body: bytes) -> Tags:
    found, position = FoundFields(), 4
    names = {chunk: name for name, chunk in INFO.items()}
    for _ in range(MOST_FIELDS):
        if position + 8 > len(body):
            break
        name, size = struct.unpack_from("<4sI", body, position)
        raw = body[position + 8 : position + 8 + size]
        found.add(names.get(name), raw.decode("utf-16-le", errors="replace"))
        position += 8 + size
    return found.tags()


def _chunks(source: Source) -> list[Chunk]:
    return limited(_walk(source))


def _walk(source: Source) -> Iterator[Chunk]:
    position = _START
    while position + _HEAD <= source.size:
        name, size = struct.unpack("<16sQ", source.read(position, _HEAD))
        if not size and name.startswith(b"data"):
            return  # a length that was never written: all that follows is sound
        if size < _HEAD:
            raise ValueError(f"a chunk of {size} bytes")
        start, end = position + _HEAD, min(position + size, source.size)
        yield Chunk(name, position, start, end, position + size <= source.size)
        position = position + size + -size % 8


def _chunk(name: bytes, body: bytes) -> bytes:
    # libsndfile skips a chunk by its size alone, and loses its way where that is no multiple of 8.
    body += b"\0" * (-len(body) % 8)
    return name + struct.pack("<Q", _HEAD + len(body)) + body
