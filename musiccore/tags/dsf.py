"""DSF: an ID3 tag at its end, found by the header. Read only."""

from __future__ import annotations

from typing import Final

from musiccore.tags import id3
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import Tags
from musiccore.tags.pieces import Source

HOME: Final = id3.HOME
_POINTER: Final = 20  # byte of the header at which the place of the tag stands


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of a DSF file."""
    place = int.from_bytes(source.read(_POINTER, 8), "little")
    return id3.read_at(source, place, old) if 0 < place < source.size else Tags()
