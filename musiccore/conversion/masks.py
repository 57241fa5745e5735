"""Masks of speakers, written into finished files: libsndfile leaves their place open."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import BinaryIO

from musiccore.errors import AudioError
from musiccore.storage.atomic import rewriting

_EXTENSIBLE = b"\xfe\xff"
_HEAD = 1 << 16  # bytes in which everything in front of the sound lies
_COMMENT = b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK="
_MOST_BLOCKS = 200
_COMMENTS, _LAST = 4, 0x80
_BITMAP = 1 << 16  # a layout of CAF that is a mask


def state_mask(path: Path, kind: str, mask: int) -> None:
    """Say in a file which speakers its channels are for.

    Args:
        path: of a finished file, as libsndfile writes it.
        kind: "wav" or "rf64", or "caf".
        mask: as in WAVE_FORMAT_EXTENSIBLE; 0 leaves the file alone.
    """
    if not mask:
        return
    with path.open("r+b") as file:
        head = file.read(_HEAD)
        place, data = _in_caf(head, mask) if kind == "caf" else _in_wave(head, mask)
        if data:
            file.seek(place)
            file.write(data)


def _in_wave(head: bytes, mask: int) -> tuple[int, bytes]:
    at = head.find(b"fmt ")
    if at < 0 or head[at + 8 : at + 10] != _EXTENSIBLE:
        return 0, b""
    return at + 8 + 20, struct.pack("<I", mask)


def _in_caf(head: bytes, mask: int) -> tuple[int, bytes]:
    """A chunk of its own in the free room that libsndfile leaves in front of the sound."""
    chunk = b"chan" + struct.pack(">QIII", 12, _BITMAP, mask, 0)
    at = head.find(b"free")
    room = int.from_bytes(head[at + 4 : at + 12], "big")
    if at < 0 or room < len(chunk):
        return 0, b""
    return at, chunk + b"free" + struct.pack(">Q", room - len(chunk))


def flac_mask(head: bytes) -> int:
    """Return the mask that a comment of FLAC states, 0 where none does.

    Args:
        head: the first bytes of the file.
    """
    at = head.upper().find(_COMMENT)
    if at < 4:
        return 0
    length = int.from_bytes(head[at - 4 : at], "little")
    text = head[at + len(_COMMENT) : at + min(length, len(_COMMENT) + 10)]
    try:
        return int(text, 16)
    except ValueError:
        return 0


def state_flac_mask(path: Path, mask: int) -> None:
    """Say in a comment of FLAC which speakers its channels are for, where that is unusual.

    Args:
        path: of a finished file.
        mask: as in WAVE_FORMAT_EXTENSIBLE.
    """
    with path.open("rb") as file:
        blocks, start = _flac_blocks(file.read(4), file)
        vendor = (0).to_bytes(4, "little")
        comments: list[bytes] = []
        for number, (kind, body) in enumerate(blocks):
            if kind == _COMMENTS:
                vendor, comments = _comments(body)
                del blocks[number]
                break
        comments = [each for each in comments if not each.upper().startswith(_COMMENT)]
        comments.append(_COMMENT + f"0x{mask:X}".encode())
        body = vendor + len(comments).to_bytes(4, "little")
        body += b"".join(len(each).to_bytes(4, "little") + each for each in comments)
        blocks.insert(1, (_COMMENTS, body))
        with rewriting(path) as target:
            target.write(b"fLaC")
            for number, (kind, data) in enumerate(blocks):
                last = _LAST if number == len(blocks) - 1 else 0
                target.write(bytes((kind | last,)) + len(data).to_bytes(3, "big") + data)
            file.seek(start)
            shutil.copyfileobj(file, target)


def _flac_blocks(magic: bytes, file: BinaryIO) -> tuple[list[tuple[int, bytes]], int]:
    """Blocks in front of the sound, kind and body, and where the sound begins."""
    if magic != b"fLaC":
        raise AudioError("the FLAC that was written does not begin like one")
    blocks = []
    for _ in range(_MOST_BLOCKS):
        head = file.read(4)
        blocks.append((head[0] & 0x7F, file.read(int.from_bytes(head[1:4], "big"))))
        if head[0] & _LAST:
            break
    return blocks, file.tell()


def _comments(body: bytes) -> tuple[bytes, list[bytes]]:
    length = int.from_bytes(body[:4], "little")
    vendor, at, found = body[: 4 + length], 8 + length, []
    for _ in range(int.from_bytes(body[4 + length : 8 + length], "little")):
        size = int.from_bytes(body[at : at + 4], "little")
        found.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return vendor, found
