"""How long the sound of an MP4 file is, to the sample: its edit list, written and read.

AAC holds frames of 1024 samples; what is silence in front and filling behind stands in the edit
list, in units of the movie. Some versions of ffmpeg write milliseconds there, and some read
frames to their end all the same, so both ends are made exact here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MOOV_LIMIT = 64 << 20  # bytes; an hour of AAC has half a megabyte
_MOST_ATOMS = 10_000
_SMPB = b"\x00\x00\x00\x00iTunSMPB"
_DAMAGE = (struct.error, ValueError, IndexError, OverflowError, OSError)


@dataclass(frozen=True, slots=True)
class _Atom:
    name: bytes
    start: int  # of the body
    end: int


@dataclass(frozen=True, slots=True)
class _Edit:
    """The only edit of a track: how long, in units of the movie; from where, of the track."""

    duration: int
    media_time: int
    place: int
    wide: bool


def sound_frames(path: Path, sample_rate: int) -> int | None:
    """Return how many frames the sound of an MP4 file has, by its own account.

    Args:
        path: of the file.
        sample_rate: Hz of the decoded sound; twice that of the track where AAC is doubled.

    Returns:
        None where the file does not say, or says it in parts.
    """
    try:
        _, moov = _movie(path)
        atoms = _Moov(moov)
        track = atoms.sound()
        timescale, total = atoms.timescale(track), atoms.media_frames(track)
        edit, scale = atoms.edit(track), atoms.movie_timescale()
        if edit is None:
            length = _smpb_frames(moov)
        else:
            asked, rest = edit.duration * timescale / scale, total - edit.media_time
            # A rounded length of the movie stands for all that the track has.
            all_of_it = scale != timescale and abs(asked - rest) <= timescale / scale + 1
            length = rest if all_of_it else round(asked)
    except _DAMAGE:
        return None
    if length is None or length <= 0 or not total:
        return None
    return round(length * sample_rate / timescale)


def state_frames(path: Path, frames: int, sample_rate: int) -> None:
    """Write the exact length into the edit list of a finished file.

    Args:
        path: an MP4 file of one track of sound, as ffmpeg writes it. One whose structure is
            another one stays as it is.
        frames: that went into it.
        sample_rate: Hz.
    """
    try:
        at, moov = _movie(path)
        atoms, changed = _Moov(moov), bytearray(moov)
        track = atoms.sound()
        edit = atoms.edit(track)
        if edit is None or atoms.timescale(track) != sample_rate or frames >= 1 << 32:
            return
        atoms.set_movie_duration(changed, sample_rate, frames)
        atoms.set_track_duration(changed, track, frames)
        struct.pack_into(">Q" if edit.wide else ">I", changed, edit.place, frames)
    except _DAMAGE:
        return
    with path.open("r+b") as file:
        file.seek(at)
        file.write(changed)


def _movie(path: Path) -> tuple[int, bytes]:
    """Return where the body of `moov` begins, and the body."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        for _ in range(_MOST_ATOMS):
            file.seek(position)
            head = file.read(16)
            length, body = int.from_bytes(head[:4], "big"), position + 8
            if length == 1:
                length, body = int.from_bytes(head[8:16], "big"), position + 16
            elif length == 0:
                length = size - position
            if len(head) < 8 or length < body - position:
                break
            if head[4:8] == b"moov":
                if length > _MOOV_LIMIT or position + length > size:
                    break
                file.seek(body)
                return body, file.read(position + length - body)
            position += length
    raise ValueError("no moov")


class _Moov:
    """The body of `moov`; raises one of `_DAMAGE` where it is another than expected."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def sound(self) -> _Atom:
        """The first track of sound."""
        for track in self._all(_Atom(b"moov", 0, len(self._data)), b"trak"):
            handler = self._one(self._one(track, b"mdia"), b"hdlr")
            if self._data[handler.start + 8 : handler.start + 12] == b"soun":
                return track
        raise ValueError("no track of sound")

    def movie_timescale(self) -> int:
        place, _ = self._times(self._one(_Atom(b"moov", 0, len(self._data)), b"mvhd"))
        return self._positive(place)

    def timescale(self, track: _Atom) -> int:
        place, _ = self._times(self._one(self._one(track, b"mdia"), b"mdhd"))
        return self._positive(place)

    def media_frames(self, track: _Atom) -> int:
        """All samples of the track, in its own units."""
        inside = self._one(self._one(self._one(track, b"mdia"), b"minf"), b"stbl")
        table = self._one(inside, b"stts")
        (count,) = struct.unpack_from(">I", self._data, table.start + 4)
        rows = struct.iter_unpack(">II", self._data[table.start + 8 : table.start + 8 + 8 * count])
        return sum(number * step for number, step in rows)

    def edit(self, track: _Atom) -> _Edit | None:
        for edits in self._all(track, b"edts"):
            table = self._one(edits, b"elst")
            wide, place = self._data[table.start] == 1, table.start + 8
            if struct.unpack_from(">I", self._data, table.start + 4) != (1,):
                return None
            code = ">Qq" if wide else ">Ii"
            duration, start = struct.unpack_from(code, self._data, place)
            return _Edit(duration, start, place, wide) if start >= 0 and duration else None
        return None

    def set_movie_duration(self, changed: bytearray, timescale: int, duration: int) -> None:
        place, wide = self._times(self._one(_Atom(b"moov", 0, len(self._data)), b"mvhd"))
        struct.pack_into(">IQ" if wide else ">II", changed, place, timescale, duration)

    def set_track_duration(self, changed: bytearray, track: _Atom, duration: int) -> None:
        head = self._one(track, b"tkhd")
        wide = self._data[head.start] == 1
        place = head.start + (28 if wide else 20)
        struct.pack_into(">Q" if wide else ">I", changed, place, duration)

    def _times(self, atom: _Atom) -> tuple[int, bool]:
        """Where timescale and duration stand, and whether in 64 bit."""
        wide = self._data[atom.start] == 1
        return atom.start + (20 if wide else 12), wide

    def _positive(self, place: int) -> int:
        (number,) = struct.unpack_from(">I", self._data, place)
        if not number:
            raise ValueError("a timescale of 0")
        return int(number)

    def _one(self, parent: _Atom, name: bytes) -> _Atom:
        return next(iter(self._all(parent, name)))

    def _all(self, parent: _Atom, name: bytes) -> list[_Atom]:
        found = [atom for atom in self._within(parent) if atom.name == name]
        if not found and name not in (b"edts", b"trak"):
            raise ValueError(f"no {name!r}")
        return found

    def _within(self, parent: _Atom) -> Iterator[_Atom]:
        position = parent.start
        for _ in range(_MOST_ATOMS):
            if position + 8 > parent.end:
                return
            size = int.from_bytes(self._data[position : position + 4], "big")
            if size < 8 or position + size > parent.end:
                return
            name = self._data[position + 4 : position + 8]
            yield _Atom(name, position + 8, position + size)
            position += size


def _smpb_frames(moov: bytes) -> int | None:
    """The length that iTunes writes as text: four numbers in hexadecimal, the last of them."""
    at = moov.find(_SMPB)
    text = moov[at + len(_SMPB) : at + len(_SMPB) + 200] if at >= 0 else b""
    words = text[text.find(b"data") + 12 :].split()
    if at < 0 or len(words) < 4:
        return None
    return int(words[3][:16], 16)
