"""A file made of parts of another one, for a decoder that would stumble over the rest."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Part = bytes | tuple[int, int]
"""Bytes of their own, or a range [start, end) of the file."""


@dataclass(frozen=True, slots=True)
class Splice:
    """What a decoder is to see instead of the file.

    Args:
        parts: in order.
    """

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(_length, self.parts))

    def with_head(self, head: bytes) -> Splice:
        """The same with other bytes at the beginning."""
        left, rest = len(head), list(self.parts)
        while left and rest:
            part = rest.pop(0)
            if _length(part) > left:
                kept = part[left:] if isinstance(part, bytes) else (part[0] + left, part[1])
                rest.insert(0, kept)
            left = max(0, left - _length(part))
        return Splice((head, *rest))


class SplicedFile:
    """A splice, opened like a file for reading.

    Args:
        path: of the file that its ranges mean.
        splice: the parts.
    """

    def __init__(self, path: Path, splice: Splice) -> None:
        self._file = path.open("rb")
        self._parts: Sequence[Part] = splice.parts
        self._starts = [0]
        for part in self._parts:
            self._starts.append(self._starts[-1] + _length(part))
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; as `io.RawIOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The place."""
        return self._position

    def read(self, n_bytes: int = -1) -> bytes:
        """The next bytes, fewer only at the end."""
        left = max(0, self._starts[-1] - self._position)
        n_bytes = left if n_bytes < 0 else min(n_bytes, left)
        found = io.BytesIO()
        while n_bytes:
            number = bisect_right(self._starts, self._position) - 1
            part, inside = self._parts[number], self._position - self._starts[number]
            if isinstance(part, bytes):
                piece = part[inside : inside + n_bytes]
            else:
                self._file.seek(part[0] + inside)
                piece = self._file.read(min(n_bytes, part[1] - part[0] - inside))
            if not piece:  # the file became shorter meanwhile
                break
            found.write(piece)
            self._position += len(piece)
            n_bytes -= len(piece)
        return found.getvalue()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]
