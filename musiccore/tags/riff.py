"""WAV and RF64: LIST/INFO, what players show, and an `id3 ` chunk with everything."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags import id3
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import (
    MOST_FIELDS,
    PROVENANCE,
    FoundFields,
    Tags,
    cut,
    from_json,
    to_json,
)
from musiccore.tags.names import INFO
from musiccore.tags.pieces import ByteSpan, Chunk, Piece, Source, is_name, limited, take_raw

HOME: Final = "riff"
_READ: Final = {
    **{chunk: name for name, chunk in INFO.items()},
    b"IPRT": "track",
    b"ILYC": "lyrics",
}
_SOUND: Final = (b"fmt ", b"data", b"fact", b"PEAK", b"ds64", b"JUNK", b"junk", b"PAD ", b"FLLR")
_INFO_LIMIT: Final = 1000  # bytes; libsndfile skips texts of 2048 and more
_ID3: Final = (b"id3 ", b"ID3 ")
_UNKNOWN: Final = 0xFFFFFFFF
_WAV_BYTES: Final = 1 << 32


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of a WAV or RF64 file."""
    found, short = FoundFields(), FoundFields()
    for chunk in _chunks(source):
        if chunk.name in _ID3:
            found.fill(id3.decode(source.read(chunk.start, chunk.size), old))
        elif _is_info(source, chunk):
            short.fill(decode_info(source.read(chunk.start + 4, chunk.size - 4), old))
        elif chunk.name == b"data" and (not chunk.whole or not chunk.size):
            break  # it never got its size: sound follows, no chunks
        elif chunk.name not in _SOUND:
            take_raw(found, source, chunk, HOME)
    found.fill(short.tags())
    return found.tags()


def _is_info(source: Source, chunk: Chunk) -> bool:
    return chunk.name == b"LIST" and source.read(chunk.start, 4) == b"INFO"


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags, behind everything else.

    In RF64 the texts lie in front of the sound: libsndfile looks only there.

    Raises:
        AudioError: if a WAV would grow beyond 4 GiB.
    """
    large = source.read(0, 4) == b"RF64"
    info = _chunk(b"LIST", b"INFO" + encode_info(tags))
    raws = [(raw.name.encode("latin-1"), raw.body) for raw in tags.raws if raw.home == HOME]
    gone = {*_ID3, *(name for name, _ in raws)}
    kept: list[Piece] = []
    for chunk in _chunks(source):
        if chunk.name in gone or _is_info(source, chunk):
            continue
        if large and chunk.name == b"data":
            kept.append(info)
        if chunk.whole or large:
            kept.append(ByteSpan(chunk.header, chunk.end))
        else:
            kept += (chunk.name + struct.pack("<I", chunk.size), ByteSpan(chunk.start, chunk.end))
        if chunk.size % 2:
            kept.append(b"\0")
    parts = b"".join(_chunk(name, body) for name, body in raws)
    parts += (b"" if large else info) + _chunk(b"id3 ", id3.encode(tags))
    length = 4 + sum(_length(piece) for piece in kept) + len(parts)
    if large:
        return [b"RF64", ByteSpan(4, 12), *_sized(source, kept, length), parts]
    if length >= _WAV_BYTES:
        raise AudioError("the file would be larger than a WAV can be (4 GiB)", hint="use rf64")
    return [b"RIFF", struct.pack("<I", length), b"WAVE", *kept, parts]


def encode_info(tags: Tags) -> bytes:
    """Return INFO chunks; texts are cut to what every reader takes."""
    rows = {name: "; ".join(values) for name, values in tags.fields.items() if name in INFO}
    rows |= dict(tags.rows())
    if licence := rows.get("licence"):
        rows.setdefault("copyright", licence)
    if "comment" not in rows and tags.provenance is not None:
        # For programs that do not look into `id3 `: the same object without its longest parts.
        whole = from_json(tags.provenance)
        short = to_json({key: value for key, value in whole.items() if not _is_long(value)})
        if len(short) <= _INFO_LIMIT:
            rows["comment"] = short
    chunks = ((INFO[name], cut(text, _INFO_LIMIT)) for name, text in rows.items() if name in INFO)
    return b"".join(_chunk(name, raw + b"\0") for name, raw in chunks)


def decode_info(body: bytes, old: OldTexts) -> Tags:
    """Return what INFO chunks say."""
    found, position = FoundFields(), 0
    for _ in range(MOST_FIELDS):
        if position + 8 > len(body):
            break
        name, size = struct.unpack_from("<4sI", body, position)
        raw = body[position + 8 : position + 8 + size].split(b"\0")[0]
        text = old(raw)
        if name == b"ICMT" and text.startswith("{"):
            found.add(PROVENANCE if _is_json(text) else "comment", text)
        else:
            found.add(_READ.get(name, name.decode() if name.isalnum() else None), text)
        position += 8 + size + size % 2
    return found.tags()


def _is_long(value: object) -> bool:
    return isinstance(value, dict | list) or (isinstance(value, str) and len(value) > 200)


def _is_json(text: str) -> bool:
    try:
        return "software" in from_json(text)
    except (ValueError, RecursionError):
        return False


def _chunks(source: Source) -> list[Chunk]:
    return limited(_walk(source))


def _walk(source: Source) -> Iterator[Chunk]:
    """Yield chunks as far as the file goes; RF64 tells the size of large ones in front."""
    position, data_size = 12, 0
    while position + 8 <= source.size:
        name, size = struct.unpack("<4sI", source.read(position, 8))
        if not is_name(name):
            return  # sound whose length was never written
        start = position + 8
        if name == b"ds64":
            data_size = int.from_bytes(source.read(start + 8, 8), "little")
        elif name == b"data" and size == _UNKNOWN and data_size:
            size = data_size
        end = min(start + size, source.size)
        yield Chunk(name, position, start, end, start + size <= source.size)
        position = start + size + size % 2


def _sized(source: Source, kept: list[Piece], length: int) -> list[Piece]:
    """Write the size of an RF64 file into its `ds64` chunk."""
    pieces: list[Piece] = []
    for piece in kept:
        if isinstance(piece, ByteSpan) and source.read(piece.start, 4) == b"ds64":
            size = struct.pack("<Q", length)
            pieces += (ByteSpan(piece.start, piece.start + 8), size)
            piece = ByteSpan(piece.start + 16, piece.end)
        pieces.append(piece)
    return pieces


def _length(piece: Piece) -> int:
    return piece.end - piece.start if isinstance(piece, ByteSpan) else len(piece)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
