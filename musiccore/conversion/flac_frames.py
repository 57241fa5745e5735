"""The frames of FLAC, as far as its length hangs on them."""

from __future__ import annotations

from dataclasses import dataclass

_BLOCKS = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)},
           **{code: 256 << (code - 8) for code in range(8, 16)}}  # fmt: skip
_CODED = {6: 1, 7: 2}  # code -> bytes at the end of the head that hold the size of the block
_RATE_BYTES = {12: 1, 13: 2, 14: 2}
_TAIL = 1 << 20  # bytes; more than the largest frame


@dataclass(frozen=True, slots=True)
class FlacFrame:
    """Head of a frame.

    Attributes:
        variable: the number is one of samples, not of frames.
        number: of the frame, or of its first sample.
        block: samples per channel in it.
        kind: what all frames of a file have in common: codes of rate and size of samples.
    """

    variable: bool
    number: int
    block: int
    kind: int


def frame_at(data: bytes, at: int) -> FlacFrame | None:
    """Read the head of a frame; None where none begins."""
    head = data[at : at + 16]
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return None
    code, rate = head[2] >> 4, head[2] & 0x0F
    if not code or rate == 15 or head[3] >> 4 > 10 or head[3] & 1:
        return None
    number, position = _number(head, 4)
    if number is None:
        return None
    size = _CODED.get(code, 0)
    coded = int.from_bytes(head[position : position + size], "big") + 1
    position += size + _RATE_BYTES.get(rate, 0)
    if position >= len(head) or _crc8(head[:position]) != head[position]:
        return None
    return FlacFrame(head[1] & 1 == 1, number, _BLOCKS.get(code, coded), rate << 4 | head[3] & 0x0E)


def samples_up_to(tail: bytes, first: FlacFrame, most: int) -> int | None:
    """Return how many samples per channel end with the last frame.

    Args:
        tail: the last bytes of the file, enough for a frame.
        first: the first frame of the file.
        most: samples in a block.
    """
    last: FlacFrame | None = None
    at = tail.rfind(b"\xff")
    while at >= 0:
        frame = frame_at(tail, at)
        if frame is not None and (frame.variable, frame.kind) == (first.variable, first.kind):
            # Bytes of sound may look like a head; the one in front of it has to fit.
            if last is not None and frame.number + (frame.block if frame.variable else 1) == (
                last.number
            ):
                return _end(last, most)
            last = frame
            if not frame.number:
                return _end(frame, most)
        at = tail.rfind(b"\xff", 0, at)
    return None


def _end(frame: FlacFrame, most: int) -> int:
    return frame.number * (1 if frame.variable else most) + frame.block


def tail_bytes(size: int) -> int:
    """Return how many of the last bytes hold a frame."""
    return min(size, _TAIL)


def _number(head: bytes, at: int) -> tuple[int | None, int]:
    """A number of one to seven bytes, coded as UTF-8 codes letters."""
    lead = head[at]
    if lead < 0x80:
        return lead, at + 1
    more = next((bits for bits in range(1, 7) if not lead << (bits + 1) & 0x80), 6)
    value = lead & (0x3F >> more)
    rest = head[at + 1 : at + 1 + more]
    if lead < 0xC0 or lead == 0xFF or len(rest) < more or any(byte & 0xC0 != 0x80 for byte in rest):
        return None, at
    for byte in rest:
        value = value << 6 | byte & 0x3F
    return value, at + 1 + more


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc
