"""The pages of an Ogg file: which streams follow each other, and whether it is whole.

Decoders read the first of several, and leave out damaged pages, and say nothing.
"""

from __future__ import annotations

import mmap
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from musiccore.conversion.splices import Part, Splice

_HEAD_BYTES = 27
_FIRST, _LAST = 0x02, 0x04  # flags of a page
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CODECS = (
    (b"\x01vorbis", "vorbis"), (b"OpusHead", "opus"), (b"\x7fFLAC", "flac"), (b"Speex   ", "speex"),
    (b"\x80theora", "theora"), (b"fishead\0", "skeleton"), (b"BBCD\0", "dirac"),
    (b"OVP80", "vp8"), (b"PCM     ", "pcm"), (b"CELT    ", "celt"),
)  # fmt: skip
_SILENT = ("skeleton", "theora", "dirac", "vp8")


@dataclass(slots=True)
class Link:
    """Streams that begin together.

    Attributes:
        start, end: range of the file.
        codecs: of its streams, "unknown" for others.
        pages: those of its first stream of sound, ranges of the file.
        bodies: what they hold.
    """

    start: int
    end: int = 0
    codecs: list[str] = field(default_factory=list)
    pages: list[tuple[int, int]] = field(default_factory=list)
    bodies: list[tuple[int, int]] = field(default_factory=list)
    serial: int = -1
    heads_only: bool = True

    @property
    def codec(self) -> str:
        """The codec of its sound; "several" for more than one, "" for none."""
        heard = [codec for codec in self.codecs if codec not in _SILENT]
        return heard[0] if len(heard) == 1 else "several" if heard else ""


@dataclass(slots=True)
class OggScan:
    """What was found.

    Attributes:
        links: one behind the other.
        damage: words that follow the name of the file; None if it is whole.
    """

    links: list[Link] = field(default_factory=list)
    damage: str | None = None


def scan_ogg(path: Path, start: int = 0) -> OggScan:
    """Check every page of an Ogg file.

    Args:
        path: the file.
        start: where its first page begins.
    """
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return _scanned(data, start)


def _scanned(data: mmap.mmap, start: int) -> OggScan:
    scan, position, flags, size = OggScan(), start, 0, len(data)
    numbers: dict[int, int] = {}

    def damaged(words: str) -> None:
        scan.damage = scan.damage or words

    while position < size:
        head = data[position : position + _HEAD_BYTES]
        if head[:4] != b"OggS":
            after = data.find(b"OggS", position)
            if after < 0 and _is_tag(data, position):
                break
            damaged(f"is damaged after {position} bytes: no page of Ogg begins there")
            if after < 0:
                break
            position = after
            continue
        lacing = data[position + _HEAD_BYTES : position + _HEAD_BYTES + (head + bytes(27))[26]]
        body = position + _HEAD_BYTES + len(lacing)
        end = body + sum(lacing)
        if len(head) < _HEAD_BYTES or len(lacing) < head[26] or end > size:
            if (after := data.find(b"OggS", position + 4)) < 0:
                damaged(f"is cut short in its last page, at byte {position}")
                flags = _LAST  # which is said
                break
            damaged(f"is damaged after {position} bytes: no page of Ogg begins there")
            position = after
            continue
        page = head[:22] + bytes(4) + head[26:] + data[position + _HEAD_BYTES : end]
        if _checksum(page) != int.from_bytes(head[22:26], "little"):
            damaged(f"is damaged after {position} bytes: a checksum of Ogg is wrong")
            position = position + 4
            position = max(data.find(b"OggS", position), position) if position < size else size
            continue
        serial, number = (int.from_bytes(head[at : at + 4], "little") for at in (14, 18))
        flags = head[5]
        if flags & _FIRST:
            _begin(scan, position, serial, data[body:end])
        elif scan.links:
            scan.links[-1].heads_only = False
            if number != (numbers.get(serial, number - 1) + 1) & 0xFFFFFFFF:
                damaged(f"is damaged after {position} bytes: pages of Ogg are missing")
        numbers[serial] = number
        if scan.links:
            link = scan.links[-1]
            link.end = end
            if serial == link.serial:
                link.pages.append((position, end))
                link.bodies.append((body, end))
        position = end
    if not flags & _LAST:
        damaged("is cut short: its last page is not marked as the last")
    return scan


def _begin(scan: OggScan, position: int, serial: int, body: bytes) -> None:
    if not scan.links or not scan.links[-1].heads_only:
        scan.links.append(Link(position))
    link = scan.links[-1]
    codec = next((name for magic, name in _CODECS if body.startswith(magic)), "unknown")
    link.codecs.append(codec)
    if codec not in _SILENT and link.serial < 0:
        link.serial = serial


def sound_pages(link: Link) -> Splice:
    """Return the pages of a link that hold its sound, without those of a film."""
    if len(link.codecs) == 1:
        return Splice(((link.start, link.end),))
    return Splice(tuple(link.pages))


def native_flac(link: Link) -> Splice | None:
    """Return a link of FLAC as a FLAC file of its own: its packets without the pages.

    Args:
        link: whose codec is "flac".
    """
    if not link.bodies or link.bodies[0][1] - link.bodies[0][0] < 13:
        return None
    # The first packet: a byte, "FLAC", two of version, two that count headers, then "fLaC" ...
    first, *rest = link.bodies
    parts: tuple[Part, ...] = ((first[0] + 9, first[1]), *rest)
    return Splice(parts)


def _is_tag(data: mmap.mmap, position: int) -> bool:
    return data[position : position + 3] in (b"TAG", b"APE", b"ID3")


def _checksum(page: bytes) -> int:
    # The polynomial of zlib with the bits of each byte, and of the sum, the other way round.
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
