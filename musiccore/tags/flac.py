"""FLAC: VORBIS_COMMENT and PICTURE blocks in front of the frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags import comments, id3, mp3, pictures
from musiccore.tags.encodings import OldTexts
from musiccore.tags.extras import Raw
from musiccore.tags.fields import LIMIT, FoundFields, Tags
from musiccore.tags.pieces import ByteSpan, Chunk, Piece, Source, limited

HOME: Final = "flac"
_INFO, _PADDING, _COMMENT, _PICTURE = b"\x00", b"\x01", b"\x04", b"\x06"
_RAW: Final = {b"\x02": "APPLICATION", b"\x05": "CUESHEET"}
_MAGIC: Final = b"fLaC"


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of a FLAC file; those of ID3 and APE around it count where FLAC has none."""
    found = FoundFields()
    for block in _blocks(source):
        body = b"" if block.name == _INFO else source.read(block.start, block.size)
        if block.name == _COMMENT:
            found.fill(comments.decode(body)[0])
        elif block.name == _PICTURE:
            try:
                found.pictures.append(pictures.decode(body))
            except (ValueError, struct.error):
                found.extra("a damaged picture")
        elif block.name in _RAW:
            found.raws.append(Raw(home=HOME, name=_RAW[block.name], body=body))
    found.fill(mp3.read(source, old))
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags; what describes the sound stays."""
    blocks = _blocks(source)
    old = [source.read(block.start, block.size) for block in blocks if block.name == _COMMENT]
    vendor = comments.vendor_of(old[0]) if old else b""
    new = [(_COMMENT, comments.encode(tags, vendor, with_pictures=False))]
    names = {name: number for number, name in _RAW.items()}
    new += [(names[raw.name], raw.body) for raw in tags.raws if raw.home == HOME]
    new += [(_PICTURE, pictures.encode(one)) for one in tags.pictures]
    for _, body in new:
        if len(body) >= LIMIT:
            raise AudioError(f"tags of {len(body)} bytes do not fit into a FLAC file (16 MiB)")
    pieces: list[Piece] = [_MAGIC]
    gone = {_COMMENT, _PADDING, _PICTURE, *(name for name, _ in new)}
    for block in blocks:
        if block.name not in gone:
            pieces += (block.name + block.size.to_bytes(3, "big"), ByteSpan(block.start, block.end))
    for number, (name, body) in enumerate(new, start=1):
        kind = name[0] | (0x80 if number == len(new) else 0)
        pieces.append(bytes([kind]) + len(body).to_bytes(3, "big") + body)
    return [*pieces, ByteSpan(blocks[-1].end, source.size)]


def stream_info(source: Source) -> tuple[int, int, bytes]:
    """Return bits per sample, samples per channel (0 if unsaid), and the MD5 of all of them.

    Raises:
        ValueError: if the file does not begin as FLAC.
    """
    first = _blocks(source)[0]
    body = source.read(first.start, first.size)
    if first.name != _INFO or len(body) < 34:
        raise ValueError("the stream says nothing about itself")
    packed = int.from_bytes(body[10:18], "big")
    return (packed >> 36 & 0x1F) + 1, packed & ((1 << 36) - 1), body[18:34]


def _blocks(source: Source) -> list[Chunk]:
    """Return metadata blocks, named by the byte of their type."""
    start = id3.front_end(source)
    if source.read(start, 4) != _MAGIC:
        raise ValueError("no FLAC data follow")
    return limited(_walk(source, start + 4))


def _walk(source: Source, position: int) -> Iterator[Chunk]:
    last = False
    while not last:
        head = source.read(position, 4)
        if len(head) < 4:
            raise ValueError("the metadata blocks do not end")
        last, start = bool(head[0] & 0x80), position + 4
        end = start + int.from_bytes(head[1:], "big")
        if end > source.size:
            raise ValueError("a metadata block goes beyond the file")
        yield Chunk(bytes([head[0] & 0x7F]), position, start, end)
        position = end
