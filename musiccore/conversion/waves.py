"""Headers of WAV and its relatives: what a recorder that never finished them left open.

A length of 0 or of all ones means that nobody came back to write it. What is there is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from musiccore.audio.signatures import cut_short
from musiccore.conversion.splices import Part, Splice

_OURS = {1: "PCM", 2: "MS ADPCM", 3: "float", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM",
         0x31: "GSM 6.10", 0x38: "NMS ADPCM", 0x40: "G.721"}  # fmt: skip
_FOREIGN = {0x28F: "G.722", 0x65: "G.722", 0x161: "WMA", 0x162: "WMA", 0x50: "MP2", 0x55: "MP3",
            0x2000: "AC-3", 0x2001: "DTS", 0xFF: "AAC", 0x1600: "AAC", 0x22: "TrueSpeech",
            0x42: "G.723.1", 0x45: "G.726", 0x64: "G.726", 0x706D: "AAC", 0x674F: "Vorbis",
            0x10: "OKI ADPCM", 0x20: "Yamaha ADPCM"}  # fmt: skip
_EXTENSIBLE = 0xFFFE
_MOST_CHUNKS = 20_000
_OPEN_32, _OPEN_64 = 0xFFFFF000, 1 << 62  # from here on a length is none
_HALF_32 = (0x7FFFF000, 0x80001000)  # what some programs write for "very long"
_ONES_32, _ONES_64 = b"\xff" * 4, b"\xff" * 8
_SOUND = {"<": b"data", ">": b"SSND"}
_W64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveHead:
    """What the header says.

    Attributes:
        codec: how samples are coded, where soundfile cannot read it; None where it can.
        mask: which speakers the channels are for, bits as in WAVE_FORMAT_EXTENSIBLE; 0 unsaid.
        splice: what a decoder is to see instead; None for the file itself.
        unfinished: the length was never written.
        following: where another file of the kind begins behind this one; 0 for none.
        damage: words that follow the name of the file; None if nothing is missing.
    """

    codec: str | None = None
    mask: int = 0
    splice: Splice | None = None
    unfinished: bool = False
    following: int = 0
    damage: str | None = None


def read_wave_head(path: Path, kind: str, start: int) -> WaveHead:
    """Look at the header of a file.

    Args:
        path: of the file.
        kind: "wav", "w64", "aiff", "au" or "caf".
        start: where it begins, behind alien tags.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _READERS[kind](_Bytes(file, start, size))
        except (struct.error, IndexError, ValueError, OverflowError):
            return WaveHead()


class _Bytes:
    """A file whose places count from where its format begins."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self.start, self.size = file, start, size - start

    def at(self, place: int, n_bytes: int) -> bytes:
        if place >= self.size:
            return b""
        self._file.seek(self.start + place)
        return self._file.read(n_bytes)

    def patched(self, patches: list[tuple[int, bytes]], end: int = 0) -> Splice:
        """The file with other bytes in some places, up to a place."""
        parts: list[Part] = []
        position = 0
        for place, data in sorted(patches):
            if place > position:
                parts.append((self.start + position, self.start + place))
            parts.append(data)
            position = place + len(data)
        parts.append((self.start + position, self.start + (end or self.size)))
        return Splice(tuple(parts))


def _is_open(size: int) -> bool:
    return size >= _OPEN_32 or _HALF_32[0] <= size < _HALF_32[1]


def _chunks(file: _Bytes, position: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place of the body and size."""
    for _ in range(_MOST_CHUNKS):
        head = file.at(position, 8)
        if len(head) < 8:
            return
        name, size = struct.unpack(f"{order}4sI", head)
        yield name, position + 8, size
        position += 8 + size + size % 2


def _are_chunks(file: _Bytes, position: int, order: str) -> bool:
    """Whether only chunks lie from a place to the end, or a byte of filling."""
    while position + 8 <= file.size:
        name, size = struct.unpack(f"{order}4sI", file.at(position, 8))
        if not all(32 <= byte < 127 for byte in name) or position + 8 + size > file.size + 1:
            return False
        position += 8 + size + size % 2
    return file.size - position <= 1


def _riff(file: _Bytes) -> WaveHead:
    magic = file.at(0, 4)
    order = ">" if magic == b"RIFX" else "<"
    codec, mask = None, 0
    large: tuple[int, int] | None = None  # where ds64 is, and what it says
    patches: list[tuple[int, bytes]] = [(0, b"RF64")] if magic == b"BW64" else []
    for name, place, size in _chunks(file, 12, order):
        if name == b"ds64":
            large = place, int.from_bytes(file.at(place + 8, 8), "little")
        elif name == b"fmt ":
            codec, mask = _fmt(file.at(place, min(size, 64)), order)
        elif name == b"data":
            there = file.size - place
            if large is not None:
                unsaid = _unsaid_64(large[1], size, there)
                counted = 0 < size < 0xFFFFFFFF and not large[1]  # it was never that large
                if unsaid or counted:
                    patches += _whole_64(large[0], place, size if counted else there)
                ended = place + (there if unsaid else size if counted else large[1])
            else:
                unsaid = _is_open(size) or (
                    not size and there > 0 and not _are_chunks(file, place, order)
                )
                unsaid = unsaid and (size == 0 or size > there)
                if unsaid and not size:
                    patches += [(4, _ONES_32), (place - 4, _ONES_32)]
                ended = place + (there if unsaid else size)
            damage = None
            if not unsaid:
                damage = _missing(file) or _too_few(ended, file.size) or _uncounted(
                    file, ended, order
                )  # fmt: skip
            following = 0 if unsaid else _following(file, ended, order)
            end = following and following - file.start
            splice = file.patched(patches, end) if patches or file.start or following else None
            return WaveHead(
                codec=codec, mask=mask, splice=splice, unfinished=unsaid, damage=damage,
                following=following,
            )  # fmt: skip
    return WaveHead(codec=codec, mask=mask, damage=_missing(file))


def _unsaid_64(said: int, size: int, there: int) -> bool:
    real = said if size == 0xFFFFFFFF or not size else size
    return there > 0 and (not real or real >= _OPEN_64)


def _whole_64(ds64: int, place: int, there: int) -> list[tuple[int, bytes]]:
    sizes = struct.pack("<QQ", place + there - 8, there)
    return [(4, _ONES_32), (ds64, sizes), (ds64 + 16, bytes(8)), (place - 4, _ONES_32)]


def _missing(file: _Bytes) -> str | None:
    return cut_short(file.at(0, 64), file.size)


def _following(file: _Bytes, ended: int, order: str) -> int:
    """Where another WAV begins that was put behind this one."""
    for name, place, _ in _chunks(file, ended + ended % 2, order):
        if name == b"RIFF" and file.at(place, 4) == b"WAVE":
            return file.start + place - 8
    return 0


def _too_few(ended: int, size: int) -> str | None:
    return f"promises sound up to byte {ended} and has {size}" if ended > size else None


def _uncounted(file: _Bytes, ended: int, order: str) -> str | None:
    """Say what lies behind the sound and is no chunk: a length that is too small, most likely."""
    ended += ended % 2
    if any(name == _SOUND[order] for name, _, _ in _chunks(file, ended, order)):
        return "holds a second chunk of sound, which is not read"
    if _are_chunks(file, ended, order):
        return None
    return _behind(file, ended)


def _behind(file: _Bytes, ended: int) -> str | None:
    """Say what lies behind the sound where nothing should, unless it is filling or a tag."""
    rest = file.size - ended
    if rest <= 8:
        return None
    begin = file.at(ended, 4096)
    if begin[:3] in (b"TAG", b"ID3", b"APE") or not any(begin):
        return None
    at, letters = ended, begin[:4]
    if all(32 <= byte < 127 for byte in letters):  # a chunk that is damaged: no sound
        return None
    return f"holds {rest} bytes behind its sound (from {at} on) that its header does not count"


def _fmt(body: bytes, order: str) -> tuple[str | None, int]:
    """How samples are coded, if soundfile does not know it; which speakers they are for."""
    (tag,) = struct.unpack_from(f"{order}H", body)
    mask = 0
    if tag == _EXTENSIBLE and len(body) >= 40:
        mask, tag = struct.unpack_from(f"{order}IH", body, 20)
    if tag in _OURS or not tag:
        return None, mask
    return _FOREIGN.get(tag, f"codec {tag:#06x}"), mask


def _w64(file: _Bytes) -> WaveHead:
    position = 40
    for _ in range(_MOST_CHUNKS):
        head = file.at(position, 24)
        if len(head) < 24:
            break
        size = int.from_bytes(head[16:24], "little")
        if head[:16] == b"fmt " + _W64_TAIL:
            codec, mask = _fmt(file.at(position + 24, 64), "<")
            unfinished = _w64_is_open(file, position + (size + 7) // 8 * 8)
            damage = None if unfinished else _missing(file)
            splice = file.patched([]) if file.start else None
            return WaveHead(
                codec=codec, mask=mask, unfinished=unfinished, damage=damage, splice=splice
            )
        if size < 24:
            break
        position += (size + 7) // 8 * 8
    return WaveHead(damage=_missing(file))


def _w64_is_open(file: _Bytes, position: int) -> bool:
    for _ in range(_MOST_CHUNKS):
        head = file.at(position, 24)
        if len(head) < 24:
            return False
        size = int.from_bytes(head[16:24], "little")
        if head[:16] == b"data" + _W64_TAIL:
            return file.size > position + 24 and (size <= 24 or size >= _OPEN_64)
        if size < 24:
            return False
        position += (size + 7) // 8 * 8
    return False


def _aiff(file: _Bytes) -> WaveHead:
    splice = file.patched([]) if file.start else None
    for name, place, size in _chunks(file, 12, ">"):
        if name == b"SSND":
            there = file.size - place - 8
            unsaid = there > 0 and (_is_open(size) or size <= 8)
            if size <= 8 and _are_chunks(file, place + size, ">"):
                unsaid = False
            patches = [(place - 4, struct.pack(">I", min(there + 8, 0xFFFFFFFF)))] if unsaid else []
            splice = file.patched(patches) if unsaid else splice
            damage = None
            if not unsaid:
                ended = place + size
                damage = _missing(file) or _too_few(ended, file.size) or _uncounted(
                    file, ended, ">"
                )  # fmt: skip
            return WaveHead(splice=splice, unfinished=unsaid, damage=damage)
    return WaveHead(splice=splice, damage=_missing(file))


def _au(file: _Bytes) -> WaveHead:
    order = "<" if file.at(0, 4) == b"dns." else ">"
    offset, size = struct.unpack(f"{order}II", file.at(4, 8))
    unsaid = not size and file.size > offset
    splice = file.patched([(8, _ONES_32)] if unsaid else []) if unsaid or file.start else None
    damage = None
    if not unsaid:
        damage = _missing(file)
        if size < 0xFFFFFFFF:
            damage = damage or _behind(file, offset + size)
    return WaveHead(splice=splice, unfinished=unsaid, damage=damage)


def _are_caf_chunks(file: _Bytes, position: int) -> bool:
    """Whether only chunks lie from a place to the end."""
    while position + 12 <= file.size:
        position += 12 + int.from_bytes(file.at(position + 4, 8), "big")
    return position == file.size


def _caf(file: _Bytes) -> WaveHead:
    position, mask, codec = 8, 0, None
    for _ in range(_MOST_CHUNKS):
        head = file.at(position, 12)
        if len(head) < 12:
            break
        size = int.from_bytes(head[4:], "big")
        if head[:4] == b"desc":
            letters = file.at(position + 12 + 8, 4)
            codec = None if letters in (b"lpcm", b"alac", b"alaw", b"ulaw") else letters.decode(
                "latin-1"
            ).strip()  # fmt: skip
        elif head[:4] == b"chan":
            layout, bits = struct.unpack(">II", file.at(position + 12, 8))
            mask = bits if layout == 1 << 16 else _CAF_LAYOUTS.get(layout, 0)
        elif head[:4] == b"data":
            there = file.size - position - 12
            # All ones are allowed there: up to the end. Nought is a writer that never came back.
            unsaid = size == (1 << 64) - 1 or (not size and there > 4)
            patches = [(position + 4, there.to_bytes(8, "big"))] if unsaid else []
            damage = None
            if not unsaid and size > there:
                damage = _too_few(position + 12 + size, file.size)
                patches = [(position + 4, there.to_bytes(8, "big"))]
            elif not unsaid and not _are_caf_chunks(file, position + 12 + size):
                damage = _behind(file, position + 12 + size)
            splice = file.patched(patches) if patches or file.start else None
            return WaveHead(
                mask=mask, codec=codec, splice=splice, unfinished=unsaid and not size, damage=damage
            )
        position += 12 + size
    return WaveHead(mask=mask, codec=codec)


_CAF_LAYOUTS = {
    100 << 16 | 1: 0x4, 101 << 16 | 2: 0x3, 113 << 16 | 3: 0x7, 108 << 16 | 4: 0x33,
    117 << 16 | 5: 0x37, 121 << 16 | 6: 0x3F, 128 << 16 | 8: 0x63F,
}  # fmt: skip
"""Layouts of CAF whose channels lie in the order of WAV -> their mask."""

_READERS = {"wav": _riff, "w64": _w64, "aiff": _aiff, "au": _au, "caf": _caf}
