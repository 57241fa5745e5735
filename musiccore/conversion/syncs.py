"""Streams that somebody began to record in the middle of a frame: AAC (ADTS) and AC-3."""

from __future__ import annotations

_MARKS = (b"\xff\xf1", b"\xff\xf9", b"\xff\xf0", b"\xff\xf8", b"\x0b\x77")
_LEAST = 4  # frames that follow each other: fewer are an accident
_AC3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576,
              640)  # fmt: skip


def first_sync(head: bytes) -> tuple[str, int] | None:
    """Find where whole frames begin.

    Args:
        head: the first bytes of a file.

    Returns:
        "aac" or "ac3", and the place of the first of at least four frames; None if there is none.
    """
    places = []
    for mark in _MARKS:
        at = head.find(mark)
        while at >= 0 and not _follow(head, at):
            at = head.find(mark, at + 1)
        if at >= 0:
            places.append((at, "ac3" if mark[0] == 0x0B else "aac"))
    return min(places)[::-1] if places else None


def _follow(head: bytes, at: int) -> bool:
    kind, second = head[at], head[at + 1]
    for _ in range(_LEAST):
        if at + 7 > len(head) or head[at] != kind or head[at + 1] != second:
            return False
        length = _ac3_length(head, at) if kind == 0x0B else _adts_length(head, at)
        if length < 8:
            return False
        at += length
    return True


def _adts_length(head: bytes, at: int) -> int:
    """Bytes of a frame of AAC, header included; 0 if this is none."""
    if head[at + 2] & 0x3C >= 0x34:  # a rate that there is not
        return 0
    return (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5


def _ac3_length(head: bytes, at: int) -> int:
    """Bytes of a frame of AC-3; 0 if this is none."""
    rate, size = head[at + 4] >> 6, head[at + 4] & 0x3F
    if rate == 3 or size >= 2 * len(_AC3_KBITS):
        return 0
    kbits = _AC3_KBITS[size >> 1]
    if rate == 1:  # 44.1 kHz: some frames have a word more
        return 2 * (kbits * 96_000 // 44_100 + (size & 1))
    return kbits * (4 if rate == 0 else 6)
