"""A file read in parts, and a new one described as pieces of it: hours of audio need no memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from musiccore.storage.atomic import rewriting
from musiccore.tags.extras import Raw
from musiccore.tags.fields import LIMIT, FoundFields

_BLOCK: Final = 1 << 20
_MOST_CHUNKS: Final = 20_000  # a file of nothing but chunk headers must not take minutes


class Source:
    """A seekable file.

    Args:
        file: open for reading.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)

    def read(self, start: int, n_bytes: int, limit: int = LIMIT) -> bytes:
        """Return bytes; fewer where the file ends.

        Raises:
            ValueError: if a place before the file, or more than tags may have, is asked for.
        """
        n_bytes = min(n_bytes, self.size - start)
        if start < 0 or n_bytes > limit:
            raise ValueError(f"{n_bytes} bytes at {start} are too many for tags")
        if n_bytes <= 0:
            return b""
        self._file.seek(start)
        return self._file.read(n_bytes)

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end`, a megabyte at a time."""
        self._file.seek(start)
        while start < end:
            block = self._file.read(min(_BLOCK, end - start))
            if not block:
                return
            yield block
            start += len(block)


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """Bytes [start, end) of the source."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A named part of a file: its header begins at `header`, its body is [start, end).

    `whole` says whether the file holds all of it.
    """

    name: bytes
    header: int
    start: int
    end: int
    whole: bool = True

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.end - self.start


Piece = bytes | ByteSpan


def is_name(name: bytes) -> bool:
    """Return whether bytes can name a chunk: those of sound mostly cannot."""
    return all(0x20 <= byte < 0x7F for byte in name)


def limited(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Return chunks.

    Raises:
        ValueError: if there are absurdly many.
    """
    found: list[Chunk] = []
    for chunk in chunks:
        if len(found) == _MOST_CHUNKS:
            raise ValueError(f"the file has more than {_MOST_CHUNKS} chunks")
        found.append(chunk)
    return found


def take_raw(found: FoundFields, source: Source, chunk: Chunk, home: str, name: str = "") -> None:
    """Take in a chunk that only its own family of formats can hold; if it is huge, say so.

    Args:
        found: what is there already.
        source: of the chunk.
        chunk: it.
        home: name of the family.
        name: of the chunk, where its bytes do not say it.
    """
    name = name or chunk.name.decode("latin-1")
    before = sum(len(raw.body) for raw in found.raws)
    if not chunk.whole:
        found.extra(f"a cut chunk {name!r}")
    elif before + chunk.size >= LIMIT:
        found.extra(f"a chunk {name!r} of {chunk.size} bytes")
    elif name.isascii() and name.isprintable():
        found.raws.append(Raw(home=home, name=name, body=source.read(chunk.start, chunk.size)))


def joined(source: Source, pieces: Iterable[Piece]) -> bytes:
    """Return the new file's bytes."""
    buffer = io.BytesIO()
    for piece in pieces:
        _put(source, piece, buffer)
    return buffer.getvalue()


def rewrite(path: Path, source: Source, pieces: Iterable[Piece]) -> None:
    """Replace a file by pieces of itself.

    Where every piece stays where it is, only the bytes around them are written; else a new file
    is written beside it and takes its place.

    Args:
        path: of the file.
        source: the same file, open.
        pieces: of the new one.

    Raises:
        OSError: if the file system refuses; a new file beside it is then removed.
    """
    if isinstance(pieces, list) and _stays(pieces):
        with path.open("r+b") as file:
            for piece in pieces:
                if isinstance(piece, ByteSpan):
                    file.seek(piece.end)
                else:
                    file.write(piece)
            file.truncate()
        return
    with rewriting(path) as file:
        for piece in pieces:
            _put(source, piece, file)


def _put(source: Source, piece: Piece, file: BinaryIO) -> None:
    if isinstance(piece, ByteSpan):
        file.writelines(source.blocks(piece.start, piece.end))
    else:
        file.write(piece)


def _stays(pieces: list[Piece]) -> bool:
    position = 0
    for piece in pieces:
        if isinstance(piece, ByteSpan):
            if piece.start != position:
                return False
            position = piece.end
        else:
            position += len(piece)
    return True
