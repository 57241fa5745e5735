"""Ogg: the comment packet of Vorbis, Opus and FLAC streams, on pages of its own.

A longer comment takes more pages, so the pages after it get new numbers and checksums; the packets
of sound on them stay as they are. The pages are made by hand because libsndfile's own writer
spoils a long comment in Opus, while every reader takes one that spans pages.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags import comments, pictures
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import LIMIT, FoundFields, Tags
from musiccore.tags.pieces import ByteSpan, Piece, Source

_HEAD: Final = struct.Struct("<4sBBqIIIB")  # up to the number of lacing values
_CONTINUED, _FIRST, _LAST = 1, 2, 4
HOME: Final = "ogg"
_NOWHERE: Final = -1  # position of a page on which no packet ends
_LACING: Final = 255
_MOST_PAGES: Final = 20_000  # of headers
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_VORBIS, _OPUS, _FLAC = b"\x03vorbis", b"OpusTags", b"\x7fFLAC"
_SPEEX, _THEORA = b"Speex   ", b"\x80theora"


@dataclass(frozen=True, slots=True)
class _Page:
    """One page: its header's numbers, and where it lies."""

    flags: int
    position: int
    serial: int
    number: int
    lacing: bytes
    start: int

    @property
    def body(self) -> int:
        return self.start + _HEAD.size + len(self.lacing)

    @property
    def end(self) -> int:
        return self.body + sum(self.lacing)


@dataclass(frozen=True, slots=True)
class _Headers:
    """The packets in front of the sound, and where the pages of sound begin."""

    first: _Page
    packets: tuple[bytes, ...]
    next_number: int
    end: int


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of the first stream of sound; others count where it says nothing.

    Raises:
        ValueError: if no stream holds tags that are known.
    """
    found, streams = FoundFields(), _first_packets(source)
    known = [packets for packets in streams if _comment(packets[0], packets[1:]) is not None]
    if not known:
        raise ValueError("no stream in it has tags that are known")
    for packets in sorted(known, key=lambda packets: packets[0].startswith(_THEORA)):
        block = _comment(packets[0], packets[1:])
        if block is not None:
            found.fill(comments.decode(block)[0])
        if packets[0].startswith(_FLAC):
            found.pictures += [pictures.decode(one[4:]) for one in packets[2:] if one[0] & 127 == 6]
    return found.tags()


def _comment(identity: bytes, packets: list[bytes]) -> bytes | None:
    """Return the comment block in the packets behind the first; None if there is none."""
    second = packets[0] if packets else b""
    if identity.startswith(_SPEEX):
        return second
    if identity.startswith(_FLAC):
        return second[4:]
    for start, magic in ((b"\x01vorbis", _VORBIS), (b"OpusHead", _OPUS), (_THEORA, b"\x81theora")):
        if identity.startswith(start) and second.startswith(magic):
            return second[len(magic) :]
    return None


def _first_packets(source: Source) -> list[list[bytes]]:
    """Return the packets in front of every stream at the beginning: two, of FLAC all headers."""
    streams: dict[int, list[bytes]] = {}
    parts: dict[int, list[bytes]] = {}
    total = 0
    for page in itertools.islice(_pages(source, 0), _MOST_PAGES):
        if page.flags & _FIRST:
            streams.setdefault(page.serial, [])
        elif page.serial not in streams or all(map(_complete, streams.values())):
            break
        packets, part = streams[page.serial], parts.setdefault(page.serial, [])
        position = page.body
        for value in page.lacing if not _complete(packets) else b"":
            part.append(source.read(position, value))
            position, total = position + value, total + value
            if total > 2 * LIMIT:
                raise ValueError("the headers are too long")
            if value < _LACING:
                packets.append(b"".join(part))
                part.clear()
    return [packets for packets in streams.values() if packets]


def _complete(packets: list[bytes]) -> bool:
    if packets and packets[0].startswith(_FLAC) and len(packets[0]) > 8:
        return len(packets) > int.from_bytes(packets[0][7:9], "big") and len(packets) > 1
    return len(packets) > 1


def write(source: Source, tags: Tags) -> Iterator[Piece]:
    """Yield the file with other tags.

    Raises:
        AudioError: if the tags are too long.
    """
    headers = _headers(source)
    old, *rest = headers.packets[1:]
    vendor = comments.vendor_of(_block(old))
    comment = comments.encode(tags, vendor)
    if len(comment) >= LIMIT:
        raise AudioError(f"tags of {len(comment)} bytes are too long for an Ogg file (16 MiB)")
    packet = _packet(old, comment)
    return _pieces(source, headers, [packet, *rest])


def _pieces(source: Source, headers: _Headers, packets: list[bytes]) -> Iterator[Piece]:
    yield ByteSpan(0, headers.first.end)
    number = headers.first.number + 1
    for flags, position, lacing, body in _paginated(packets):
        page = replace(headers.first, flags=flags, position=position, number=number, lacing=lacing)
        yield _bytes(page, body)
        number += 1
    moved = number - headers.next_number
    if not moved:
        yield ByteSpan(headers.end, source.size)
        return
    position = headers.end
    for page in _pages(source, headers.end):
        position = page.end
        if page.serial != headers.first.serial:
            yield ByteSpan(page.start, page.end)
            continue
        renumbered = replace(page, number=(page.number + moved) & 0xFFFFFFFF)
        yield _bytes(renumbered, source.read(page.body, page.end - page.body))
        if page.flags & _LAST:
            break
    yield ByteSpan(position, source.size)


def _headers(source: Source) -> _Headers:
    """Collect the packets in front of the sound.

    Raises:
        ValueError: if they are not there, or the stream is none that holds tags.
    """
    pages = _pages(source, 0)
    first = next(pages, None)
    if first is None or not first.flags & _FIRST:
        raise ValueError("no Ogg stream begins here")
    identity = source.read(first.body, first.end - first.body)
    wanted = 2 if identity[:8] == b"OpusHead" else 3
    if wanted == 3 and identity[:7] != b"\x01vorbis":
        raise ValueError("the stream is neither Vorbis nor Opus")
    packets, parts, total = [identity], [], 0
    for page in itertools.islice(pages, _MOST_PAGES):
        if page.serial != first.serial:
            raise ValueError("several streams lie beside each other")
        position = page.body
        for value in page.lacing:
            if len(packets) == wanted:
                raise ValueError("sound begins on a page of the headers")
            parts.append(source.read(position, value))
            position, total = position + value, total + value
            if total > 2 * LIMIT:
                raise ValueError("the headers are too long")
            if value < _LACING:
                packets.append(b"".join(parts))
                parts = []
        if len(packets) == wanted:
            return _Headers(first, tuple(packets), page.number + 1, page.end)
    raise ValueError("the headers do not end")


def _block(packet: bytes) -> bytes:
    """Return the comment block in a comment packet."""
    for magic in (_OPUS, _VORBIS):
        if packet.startswith(magic):
            return packet[len(magic) :]
    raise ValueError("the second packet holds no comments")


def _packet(old: bytes, comment: bytes) -> bytes:
    return _OPUS + comment if old.startswith(_OPUS) else _VORBIS + comment + b"\x01"


def _pages(source: Source, position: int) -> Iterator[_Page]:
    """Yield pages one behind the other, as far as they go.

    Raises:
        ValueError: where no page begins, or one is cut.
    """
    while position < source.size:
        head = source.read(position, _HEAD.size)
        if len(head) < _HEAD.size or head[:5] != b"OggS\0":
            raise ValueError(f"no Ogg page begins at byte {position}")
        _, _, flags, granule, serial, number, _, count = _HEAD.unpack(head)
        lacing = source.read(position + _HEAD.size, count)
        page = _Page(flags, granule, serial, number, lacing, position)
        if len(lacing) < count or page.end > source.size:
            raise ValueError(f"the Ogg page at byte {position} is cut")
        yield page
        position = page.end


def _paginated(packets: list[bytes]) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield flags, position, lacing values and body of the pages that hold packets.

    The last page ends with the last packet: sound begins on a fresh one.
    """
    values: list[int] = []
    for packet in packets:
        values += [_LACING] * (len(packet) // _LACING) + [len(packet) % _LACING]
    whole, place = b"".join(packets), 0
    for start in range(0, len(values), _LACING):
        lacing = values[start : start + _LACING]
        ends = any(value < _LACING for value in lacing)
        flags = _CONTINUED if start and values[start - 1] == _LACING else 0
        size = sum(lacing)
        yield flags, 0 if ends else _NOWHERE, bytes(lacing), whole[place : place + size]
        place += size


def _bytes(page: _Page, body: bytes) -> bytes:
    def head(checksum: int) -> bytes:
        return _HEAD.pack(
            b"OggS",
            0,
            page.flags,
            page.position,
            page.serial,
            page.number,
            checksum,
            len(page.lacing),
        )

    return head(_crc(head(0) + page.lacing + body)) + page.lacing + body


def _crc(data: bytes) -> int:
    """Return Ogg's checksum: the CRC of zlib on mirrored bits, without its inversions."""
    mirrored = zlib.crc32(data.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
