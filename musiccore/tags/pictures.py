"""Pictures in tags: what they are, and the block of FLAC and Vorbis that holds one."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

KINDS: Final = (
    "other", "icon", "other icon", "front cover", "back cover", "leaflet", "medium",
    "lead artist", "artist", "conductor", "band", "composer", "lyricist", "location",
    "recording", "performance", "screen capture", "fish", "illustration", "band logo",
    "publisher logo",
)  # fmt: skip
"""What a picture shows, by the numbers that ID3, FLAC and others share."""

FRONT_COVER: Final = 3
LINK: Final = "-->"
"""A media type that says: the data are the address of a picture."""

_STARTS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"), (b"II*\0", "image/tiff"), (b"MM\0*", "image/tiff"),
)  # fmt: skip
_BLOCK: Final = struct.Struct(">II")
_SIZES: Final = struct.Struct(">5I")  # width, height, depth, colours, bytes that follow


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPicture:
    """One picture.

    Attributes:
        data: the file of the picture, or its address where `mime` is `LINK`.
        mime: media type.
        kind: number of what it shows, an index of `KINDS`.
        description: what it is called.
    """

    data: bytes
    mime: str = ""
    kind: int = FRONT_COVER
    description: str = ""

    @property
    def shows(self) -> str:
        """What it shows, in words."""
        return KINDS[self.kind] if self.kind < len(KINDS) else KINDS[0]


def media_type(data: bytes, said: str = "") -> str:
    """Return the media type of a picture: by its bytes, or else as was said."""
    for start, mime in _STARTS:
        if data.startswith(start):
            return mime
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return said if "/" in said or said == LINK else "image/" + (said.lower() or "jpeg")


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height of a PNG or JPEG picture; 0 and 0 if it does not say."""
    if data[:4] == b"\x89PNG" and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    position = 2
    while data[:2] == b"\xff\xd8" and position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        position += 2 + max(length, 2)
    return 0, 0


def encode(picture: EmbeddedPicture) -> bytes:
    """Return a PICTURE block of FLAC, without its header."""
    mime, words = picture.mime.encode("ascii", "replace"), picture.description.encode()
    return b"".join(
        (
            _BLOCK.pack(picture.kind, len(mime)), mime, struct.pack(">I", len(words)), words,
            _SIZES.pack(*size_of(picture.data), 0, 0, len(picture.data)), picture.data,
        )
    )  # fmt: skip


def decode(block: bytes) -> EmbeddedPicture:
    """Return the picture in a PICTURE block.

    Raises:
        ValueError, struct.error: if a length goes beyond the block.
    """
    kind, length = _BLOCK.unpack_from(block)
    position = _BLOCK.size
    mime, position = block[position : position + length], position + length
    (length,) = struct.unpack_from(">I", block, position)
    words, position = block[position + 4 : position + 4 + length], position + 4 + length
    size = _SIZES.unpack_from(block, position)[-1]
    data = block[position + _SIZES.size : position + _SIZES.size + size]
    if len(data) < size or not data:
        raise ValueError("a picture is cut")
    return EmbeddedPicture(
        data=data,
        mime=media_type(data, mime.decode("ascii", "replace")),
        kind=kind if kind < len(KINDS) else 0,
        description=words.decode(errors="replace"),
    )
