"""CAF: an `info` chunk of keys and texts for players, and a `uuid` chunk with everything."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import LIMIT, MOST_FIELDS, FoundFields, Tags, from_json, to_json
from musiccore.tags.objects import from_object, to_object
from musiccore.tags.pieces import ByteSpan, Chunk, Piece, Source, limited, take_raw

HOME: Final = "caf"
_WRITTEN: Final = {
    "date": "year",
    "track": "track number",
    "comment": "comments",
    "software": "encoding application",
    "bpm": "tempo",
    "key": "key signature",
    "encoding_date": "encoding date",
    "release_date": "recorded date",
}
_READ: Final = {**{key: name for name, key in _WRITTEN.items()}, "time signature": "time signature"}
_SOUND: Final = (b"desc", b"data", b"pakt", b"kuki", b"chan", b"free", b"peak", b"ovvw", b"fact")
_TO_THE_END: Final = -1
_INFO_LIMIT: Final = 30_000  # bytes; libsndfile skips a longer chunk, or refuses the file
_OURS: Final = bytes.fromhex("9c1d5e0a6b7f4c3e8a52d04be1f7386d")


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of a CAF file."""
    found, short = FoundFields(), FoundFields()
    for chunk in _chunks(source):
        if chunk.name == b"uuid" and source.read(chunk.start, 16) == _OURS:
            whole = from_json(source.read(chunk.start + 16, chunk.size - 16).decode())
            found.fill(from_object(whole))
        elif chunk.name == b"info":
            texts = source.read(chunk.start + 4, chunk.size - 4).split(b"\0", 2 * MOST_FIELDS)
            for key, text in zip(texts[::2], texts[1::2], strict=False):
                name = key.decode(errors="replace")
                if known := _READ.get(name.casefold()):
                    short.add(known, text.decode(errors="replace"))
                else:
                    short.add_free(name, text.decode(errors="replace"))
        elif chunk.name not in _SOUND:
            take_raw(found, source, chunk, HOME)
    if not found.fields:  # else the short texts are there as a whole
        found.fill(short.tags())
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags, behind everything else.

    Raises:
        AudioError: if the tags are too long.
    """
    pieces: list[Piece] = [ByteSpan(0, 8)]
    raws = [raw for raw in tags.raws if raw.home == HOME]
    names = {raw.name for raw in raws}
    for chunk in _chunks(source):
        ours = chunk.name == b"uuid" and source.read(chunk.start, 16) == _OURS
        if ours or chunk.name == b"info" or chunk.name.decode("latin-1") in names:
            continue
        pieces += (chunk.name + struct.pack(">q", chunk.size), ByteSpan(chunk.start, chunk.end))
    body = _OURS + to_json(to_object(tags)).encode()
    if len(body) >= LIMIT:
        raise AudioError(f"tags of {len(body)} bytes are too long for a CAF file (16 MiB)")
    pieces += [_chunk(raw.name.encode("latin-1"), raw.body) for raw in raws]
    return [*pieces, _chunk(b"info", _info(tags)), _chunk(b"uuid", body)]


def _info(tags: Tags) -> bytes:
    """Return keys and texts, the shortest first, as many as every reader takes."""
    rows = {_WRITTEN.get(name, name): "; ".join(values) for name, values in tags.fields.items()}
    rows |= {_WRITTEN.get(name, name): text for name, text in tags.rows()}
    if "licence" in rows:
        rows["copyright"] = rows.get("copyright") or rows["licence"]
        del rows["licence"]
    texts: list[bytes] = []
    for name, text in sorted(rows.items(), key=lambda row: len(row[1])):
        raw = f"{name}\0{text}\0".encode()
        if sum(map(len, texts)) + len(raw) < _INFO_LIMIT:
            texts.append(raw)
    return struct.pack(">I", len(texts)) + b"".join(texts)


def _chunks(source: Source) -> list[Chunk]:
    return limited(_walk(source))


def _walk(source: Source) -> Iterator[Chunk]:
    position = 8
    while position + 12 <= source.size:
        name, size = struct.unpack(">4sq", source.read(position, 12))
        start = position + 12
        if size < 0 and not (size == _TO_THE_END and name == b"data"):
            raise ValueError(f"a chunk of {size} bytes")
        end = source.size if size == _TO_THE_END else min(start + size, source.size)
        yield Chunk(name, position, start, end)
        position = end


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">q", len(body)) + body
