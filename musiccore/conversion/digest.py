"""The MD5 that a FLAC file carries of its samples, against what was decoded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from musiccore.audio.streams import Frames
from musiccore.errors import AudioError
from musiccore.tags import opened
from musiccore.tags.flac import stream_info


class FlacDigest:
    """Compares the samples of a FLAC file with what its header says of them.

    Args:
        path: the file.

    Attributes:
        known: whether the header says anything: many encoders in a pipe leave it empty.
    """

    def __init__(self, path: Path) -> None:
        self._hash = hashlib.md5(usedforsecurity=False)
        self._bits, self._promised, self.known = 0, b"", False
        try:
            with opened(path) as source:
                self._bits, self._length, self._promised = stream_info(source)
        except (AudioError, ValueError):  # no header that is understood: others say so
            return
        self.known = any(self._promised)

    def add(self, block: Frames) -> None:
        """Take in the next samples [T, C], floats that are whole numbers of steps."""
        if not self.known:
            return
        width = (self._bits + 7) // 8
        steps = block * block.dtype.type(1 << (self._bits - 1))
        if width <= 2:
            raw = steps.astype(np.int8 if width == 1 else "<i2").tobytes()
        else:
            whole = np.ascontiguousarray(steps.astype("<i4"))
            raw = whole.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
        self._hash.update(raw)

    def differs(self) -> bool:
        """Whether other samples were decoded than were encoded."""
        return self.known and self._hash.digest() != self._promised
