"""Vorbis comments: the tags of FLAC, Vorbis and Opus."""

from __future__ import annotations

import struct
from typing import Final

from musiccore.tags.fields import MOST_FIELDS, PROVENANCE, Found, Tags

_WRITTEN: Final = {
    "title": "TITLE",
    "artist": "ARTIST",
    "album": "ALBUM",
    "date": "DATE",
    "genre": "GENRE",
    "track": "TRACKNUMBER",
    "comment": "COMMENT",
    "licence": "LICENSE",
    "software": "ENCODER",
    "lyrics": "LYRICS",
}
_READ: Final = {
    **{field: name for name, field in _WRITTEN.items()},
    "YEAR": "date",
    "TRACK": "track",
    "DESCRIPTION": "comment",
    "COPYRIGHT": "licence",
    "UNSYNCEDLYRICS": "lyrics",
    PROVENANCE: PROVENANCE,
}
_PICTURES: Final = frozenset({"METADATA_BLOCK_PICTURE", "COVERART"})


def encode(tags: Tags, vendor: bytes = b"") -> bytes:
    """Return a comment block: vendor and fields, without the framing bit of Vorbis."""
    fields = [f"{_WRITTEN[name]}={text}".encode() for name, text in tags.rows()]
    if tags.provenance is not None:
        fields.append(f"{PROVENANCE}={tags.provenance}".encode())
    parts = [struct.pack("<I", len(vendor)), vendor, struct.pack("<I", len(fields))]
    for one in fields:
        parts += (struct.pack("<I", len(one)), one)
    return b"".join(parts)


def decode(block: bytes) -> tuple[Tags, bytes]:
    """Return the tags in a comment block, and its vendor.

    Raises:
        ValueError: if a length goes beyond the block.
    """
    vendor, position = _text(block, 0)
    if position + 4 > len(block):
        raise ValueError("the comments end in the middle")
    (count,) = struct.unpack_from("<I", block, position)
    position += 4
    if count > MOST_FIELDS:
        raise ValueError(f"{count} comments")
    found = Found()
    for _ in range(count):
        raw, position = _text(block, position)
        name, _, text = raw.decode(errors="replace").partition("=")
        name = name.upper()
        if name in _PICTURES:
            found.extra("a picture")
        found.add(_READ.get(name), text)
    return found.tags(), vendor


def vendor_of(block: bytes) -> bytes:
    """Return who encoded, from a block that may be damaged after it."""
    try:
        return _text(block, 0)[0]
    except ValueError:
        return b""


def _text(block: bytes, position: int) -> tuple[bytes, int]:
    start = position + 4
    size = int.from_bytes(block[position:start], "little")
    if start + size > len(block):
        raise ValueError(f"a comment of {size} bytes does not fit into its block")
    return block[start : start + size], start + size
