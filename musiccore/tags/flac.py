"""FLAC: a VORBIS_COMMENT block in front of the frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags import comments, id3
from musiccore.tags.fields import LIMIT, Found, Tags
from musiccore.tags.pieces import Chunk, Piece, Source, Span, limited

_PADDING, _COMMENT, _PICTURE = b"\x01", b"\x04", b"\x06"
_MAGIC: Final = b"fLaC"


def read(source: Source) -> Tags:
    """Return the tags of a FLAC file; those of an ID3 tag in front count where FLAC has none."""
    found = Found()
    for block in _blocks(source):
        if block.name == _COMMENT:
            found.fill(comments.decode(source.read(block.start, block.size))[0])
        elif block.name == _PICTURE:
            found.extra("a picture")
    if source.read(0, 3) == b"ID3":
        found.fill(id3.read_front(source))
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags; blocks of other kinds stay."""
    blocks = _blocks(source)
    old = [source.read(block.start, block.size) for block in blocks if block.name == _COMMENT]
    comment = comments.encode(tags, comments.vendor_of(old[0]) if old else b"")
    if len(comment) >= LIMIT:
        raise AudioError(f"tags of {len(comment)} bytes do not fit into a FLAC file (16 MiB)")
    pieces: list[Piece] = [_MAGIC]
    for block in blocks:
        if block.name not in (_COMMENT, _PADDING):
            pieces += (block.name + block.size.to_bytes(3, "big"), Span(block.start, block.end))
    last = (_COMMENT[0] | 0x80).to_bytes(1, "big")
    pieces += (last + len(comment).to_bytes(3, "big") + comment, Span(blocks[-1].end, source.size))
    return pieces


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
