"""What the decoder of MP3 is told: a first frame that states how many there are.

Decoders estimate where no header tells, and stop at the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from musiccore.conversion.mpeg import Stream
from musiccore.conversion.mpegframes import HEADS
from musiccore.conversion.splices import Part, Splice

_DECODER_DELAY = 529  # samples, of layer III


@dataclass(frozen=True, slots=True)
class Told:
    """A stream for the decoder.

    Attributes:
        splice: what the decoder is to see.
        changed: it is another thing than the frames as they are.
        lost: frames that the first one promises and that are not there.
    """

    splice: Splice
    changed: bool
    lost: int = 0


def told(data: bytes, stream: Stream) -> Told:
    """Return what a decoder of layer III needs in order to decode all of a stream.

    Args:
        data: the frame that tells about the others, or else the first one.
        stream: it.
    """
    spans: tuple[Part, ...] = tuple(stream.spans)
    if stream.layer != 3:
        return Told(Splice(spans), False)
    counted = sum(end - start for start, end in stream.spans)
    if stream.info is None or b"VBRI" in data[:64]:
        return Told(Splice((_stating(data, stream, counted), *spans)), True)
    at = max(data.find(b"Xing", 0, 64), data.find(b"Info", 0, 64))
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    if at < 0 or not flags & 1:
        return Told(Splice((_stating(data, stream, counted), *spans)), True)
    stated = int.from_bytes(data[at + 8 : at + 12], "big")
    gaps = (
        at + 8 + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit) + 21
    )
    size = int.from_bytes(data[at + 12 : at + 16], "big") if flags & 2 else 0
    # Some writers count the frame that tells; the bytes say whether this one does.
    counts_itself = stated == stream.frames + 1 and size <= counted + len(data)
    lost = 0 if counts_itself else max(0, stated - stream.frames)
    info = bytearray(data)
    _without_too_much(info, gaps, stream, ends=not lost and stated >= stream.frames - 1)
    info[at + 8 : at + 12] = stream.frames.to_bytes(4, "big")
    if flags & 2:
        info[at + 12 : at + 16] = min(counted + len(data), 0xFFFFFFFF).to_bytes(4, "big")
    changed = stated != stream.frames or info[gaps : gaps + 3] != data[gaps : gaps + 3]
    return Told(Splice((bytes(info), *spans)), changed, lost)


def _without_too_much(info: bytearray, gaps: int, stream: Stream, *, ends: bool) -> None:
    """Keep the silence that is left out from being more than there is, or than was written."""
    if gaps + 3 > len(info):
        return
    delay = info[gaps] << 4 | info[gaps + 1] >> 4
    padding = (info[gaps + 1] & 0x0F) << 8 | info[gaps + 2]
    if delay + padding >= stream.frames * stream.samples:
        delay = padding = 0
    if not ends:  # what would be left out at the end is missing, or something follows
        padding = 0
    info[gaps : gaps + 3] = bytes((delay >> 4, (delay & 15) << 4 | padding >> 8, padding & 0xFF))


def _stating(first: bytes, stream: Stream, counted: int) -> bytes:
    """What states the number of the other frames: a frame without sound, and a silent one.

    Where such a statement is, the decoder leaves out its own delay at the beginning. The silent
    frame is what it leaves out; not where the first frame needs bytes of one that is not there.
    """
    version = first[1] >> 3 & 3
    side = (17 if stream.mono else 32) if version == 3 else (9 if stream.mono else 17)
    mark = bytes((0xFF, first[1] | 1, (5 if version == 3 else 8) << 4 | first[2] & 0x0C))
    head = mark + bytes((first[3] & 0xC0,))
    silent = head + bytes(HEADS[mark].length - 4)
    checked = 0 if first[1] & 1 else 2
    begin = int.from_bytes(first[4 + checked : 6 + checked], "big") >> (7 if version == 3 else 8)
    silences = b"" if begin else silent
    frame = bytearray(silent)
    frames = stream.frames + (1 if silences else 0)
    numbers = frames.to_bytes(4, "big") + min(
        counted + len(frame) + len(silences), 0xFFFFFFFF
    ).to_bytes(4, "big")
    at = 4 + side
    frame[at : at + 16] = b"Info" + (3).to_bytes(4, "big") + numbers
    if silences:
        delay = stream.samples - _DECODER_DELAY
        frame[at + 16 : at + 20] = b"LAME"  # whose field of delays follows
        frame[at + 16 + 21 : at + 16 + 24] = bytes((delay >> 4, (delay & 15) << 4, 0))
    return bytes(frame) + silences
