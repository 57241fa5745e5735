"""Whether an Ogg file is whole: decoders leave out damaged pages and say nothing."""

from __future__ import annotations

import zlib
from pathlib import Path

_HEAD_BYTES = 27
_LAST = 0x04  # flag of the last page of a stream
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_damage(path: Path) -> str | None:
    """Check every page of an Ogg file.

    Args:
        path: a file that begins with an Ogg page.

    Returns:
        Words that follow the name of the file; None if it is whole.
    """
    position, flags = 0, 0
    with path.open("rb") as file:
        while head := file.read(_HEAD_BYTES):
            if head[:4] != b"OggS" or len(head) < _HEAD_BYTES:
                return f"is damaged after {position} bytes: no page of Ogg begins there"
            lacing = file.read(head[26])
            body = file.read(sum(lacing))
            if len(lacing) < head[26] or len(body) < sum(lacing):
                return f"is cut short in its last page, at byte {position}"
            page = head[:22] + bytes(4) + head[26:] + lacing + body
            if _checksum(page) != int.from_bytes(head[22:26], "little"):
                return f"is damaged after {position} bytes: a checksum of Ogg is wrong"
            position += len(page)
            flags = head[5]
    return None if flags & _LAST else "is cut short: its last page is not marked as the last"


def _checksum(page: bytes) -> int:
    # The polynomial of zlib with the bits of each byte, and of the sum, the other way round.
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
