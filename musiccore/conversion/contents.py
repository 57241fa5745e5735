"""What a file holds, whatever it is called, and how it is to be read to its end.

What reads a format is loaded when a file of it is met.
"""

from __future__ import annotations

import mmap
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from musiccore.audio.signatures import HEAD_BYTES, id3_length, sniff, sniff_foreign
from musiccore.audio.streams import head_of
from musiccore.conversion.splices import Splice, SplicedFile

if TYPE_CHECKING:
    from musiccore.conversion.flac_frames import FlacFrame

_LOOKED = 1 << 16  # bytes
_MOST_JOINED = 1000
_MOST_TAGS = 100
_WAVES = ("wav", "w64", "aiff", "au", "caf")
_TAGGED_BEHIND = ("wavpack",)
_PACKET = 188  # bytes of MPEG TS
_FLAC_HEAD = b"fLaC\0\0\0\x22"  # and the first block of it
_FLAC_LEAST = 16  # samples of a block, says libFLAC
_LENGTH = (1 << 36) - 1  # bits of its length


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was found.

    Attributes:
        kind: format: one of `containers`, or "speex", "mp2", "ts" and the like.
        streams: what the decoder is to see, one after the other; empty for the file itself.
        codec: how sound is coded inside, where that is not what the format is known for.
        foreign: only ffmpeg reads it.
        spans: of what only ffmpeg reads: recordings one after the other, ranges of the file.
        doubtful: soundfile reads it wrongly, and says nothing: ffmpeg where it is found.
        mask: which speakers the channels are for; 0 unsaid.
        warnings: what is odd and heals, words that follow the name.
        damage: what is missing or broken, words that follow the name; None if it is whole.
    """

    kind: str
    streams: tuple[Splice, ...] = ()
    codec: str = ""
    foreign: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    doubtful: bool = False
    mask: int = 0
    warnings: tuple[str, ...] = ()
    damage: str | None = None


def examine(path: Path) -> Content | None:
    """Find out what a file is by what is in it.

    Args:
        path: the file.

    Returns:
        None if nothing in it is known.

    Raises:
        AudioError: naming the file: missing, a folder, a pipe or a device, unreadable, empty.
    """
    head_of(path)
    start, tags, head = _front(path)
    kind = sniff(head[:HEAD_BYTES])
    if kind == "ogg":
        return _ogg(path, start)
    if kind == "flac":
        return _flacs(path, start)
    if kind in _WAVES:
        return _wave(path, kind, start)
    if foreign := _foreign(head):
        return _of_others(path, foreign, start)
    if kind == "mp3" or start or _holds_frames(head):
        found = _mpeg(path, start, odd=tags > 1)
        if found is not None:
            return found
    from musiccore.conversion.syncs import first_sync

    if (late := first_sync(head)) is not None:
        return _begun_late(path, late[0], start + late[1])
    return Content(kind="mp3") if kind == "mp3" or start else None


def _begun_late(path: Path, kind: str, start: int) -> Content:
    words = f"begins with {start} bytes that are no whole frame of sound"
    return Content(
        kind=kind, foreign=True, spans=((start, path.stat().st_size),), warnings=(words,)
    )


def _front(path: Path) -> tuple[int, int, bytes]:
    """Where the format begins, how much odd stands in front of it, and its first bytes."""
    with path.open("rb") as file:
        start = tags = 0
        while tags < _MOST_TAGS:
            file.seek(start)
            length = id3_length(file.read(10))
            if not length:
                break
            start, tags = start + length, tags + 1
        file.seek(start)
        begun, head = start, file.read(_LOOKED)
        while len(head) == _LOOKED and not any(head):
            start += _LOOKED
            head = file.read(_LOOKED)
    zeros = len(head) - len(head.lstrip(b"\0"))
    known = sniff(head[:HEAD_BYTES]) or sniff_foreign(head[:HEAD_BYTES])
    if known is None and sniff(head[zeros : zeros + HEAD_BYTES]) is not None:
        start, head = start + zeros, head[zeros:]
    return start, tags if start == begun else _MOST_TAGS, head


def _foreign(head: bytes) -> str | None:
    """Name a format that only ffmpeg reads, by its first bytes or by what repeats in them."""
    for first, step, kind in ((0, _PACKET, "ts"), (4, _PACKET + 4, "ts")):
        marks = head[first : first + 5 * step : step]
        if len(marks) >= 3 and set(marks) == {0x47}:
            return kind
    if sniff(head[:HEAD_BYTES]) is not None:
        return None
    from musiccore.conversion.mpegframes import looks_like_mpeg

    if looks_like_mpeg(head, 0, len(head)):
        return None
    return sniff_foreign(head[:HEAD_BYTES])


def _of_others(path: Path, kind: str, start: int) -> Content:
    """What only ffmpeg reads, without the tags behind it that ffmpeg takes for damage."""
    from musiccore.conversion.mpegframes import without_tags

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = without_tags(data, start)
        spans = ((start, end),) if kind in _TAGGED_BEHIND and end < len(data) else ()
    return Content(kind=kind, foreign=True, spans=spans)


def _holds_frames(head: bytes) -> bool:
    """Whether frames of MPEG follow each other somewhere in the first bytes."""
    from musiccore.conversion.mpegframes import looks_like_mpeg

    at = head.find(b"\xff")
    while at >= 0:
        # A whole file may be one frame; in the middle of so many bytes a pair is an accident.
        if looks_like_mpeg(head, at, 1 << 30 if at else len(head)):
            return True
        at = head.find(b"\xff", at + 1)
    return False


# MPEG -----------------------------------------------------------------------------------------


def _mpeg(path: Path, start: int, *, odd: bool) -> Content | None:
    from musiccore.conversion.mpeg import scan_mpeg
    from musiccore.conversion.mpegtold import told

    scan = scan_mpeg(path, start)
    if not scan.streams:
        return None
    layer = scan.streams[0].layer
    splices, changed, lost = [], odd or not scan.plain or len(scan.streams) > 1, 0
    with path.open("rb") as file:
        for stream in scan.streams:
            first, last = stream.info or (stream.spans[0][0], stream.spans[0][0] + 64)
            file.seek(first)
            each = told(file.read(last - first), stream)
            splices.append(each.splice)
            changed = changed or each.changed
            lost += each.lost
    damage = None
    if scan.skipped:
        damage = f"is damaged: {scan.skipped} bytes between its frames are no sound"
    elif lost:
        damage = f"is cut short: {lost} of the frames of sound that it promises are missing"
    elif scan.cut:
        damage = f"is cut short: it ends in the middle of a frame, {scan.cut} bytes in"
    warnings: tuple[str, ...] = ()
    if scan.behind:
        warnings = (f"ends with {scan.behind} bytes that are no sound",)
    if len(scan.streams) > 1:
        warnings += (f"holds {len(scan.streams)} recordings; they follow each other",)
    return Content(
        kind="mp3" if layer == 3 else f"mp{layer}",
        streams=tuple(splices) if changed else (),
        doubtful=layer != 3,
        warnings=warnings,
        damage=damage,
    )


# Ogg ------------------------------------------------------------------------------------------


def _ogg(path: Path, start: int) -> Content:
    from musiccore.conversion.ogg_pages import native_flac, scan_ogg, sound_pages

    scan = scan_ogg(path, start)
    links = [link for link in scan.links if link.codec]
    codecs = {link.codec for link in links}
    if not links:
        return Content(kind="ogg", damage=scan.damage, foreign=bool(scan.links))
    warnings: tuple[str, ...] = ()
    if len(links) > 1:
        warnings = (f"holds {len(links)} recordings; they follow each other",)
    if foreign := sorted(codecs - {"vorbis", "opus", "flac"}):
        inside = "several codecs" if foreign == ["several"] else ", ".join(foreign)
        spans = tuple((link.start, link.end) for link in links) if len(links) > 1 else ()
        return Content(
            kind="ogg", codec=inside, foreign=True, damage=scan.damage, warnings=warnings,
            spans=spans,
        )  # fmt: skip
    kind, plain = "opus" if codecs == {"opus"} else "ogg", len(scan.links[0].codecs) == 1
    if len(scan.links) == 1 and plain and not start and "flac" not in codecs:
        return Content(kind=kind, damage=scan.damage)
    streams: list[Splice] = []
    for link in links:
        if link.codec == "flac" and (native := native_flac(link)) is not None:
            flac = _flac(path, native, whole_file=False)
            streams += flac.streams
        else:
            streams.append(sound_pages(link))
    return Content(kind=kind, streams=tuple(streams), damage=scan.damage, warnings=warnings)


# FLAC and WAV ---------------------------------------------------------------------------------


def _flacs(path: Path, start: int) -> Content:
    """One FLAC, or several that were put one behind the other."""
    starts = [start]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while (at := data.find(_FLAC_HEAD, starts[-1] + 8)) >= 0:
            starts.append(at)
    ends = [*starts[1:], path.stat().st_size]
    if len(starts) == 1:
        return _flac(path, Splice(((start, ends[0]),)), whole_file=not start)
    each = [
        _flac(path, Splice((span,)), whole_file=False) for span in zip(starts, ends, strict=True)
    ]
    return Content(
        kind="flac",
        streams=tuple(splice for one in each for splice in one.streams),
        mask=each[0].mask,
        warnings=(f"holds {len(each)} recordings; they follow each other",),
    )


def _flac(path: Path, splice: Splice, *, whole_file: bool) -> Content:
    """Look at the first block of FLAC; a length of 0 and blocks that are too short are mended."""
    from musiccore.conversion.flac_frames import samples_up_to, tail_bytes
    from musiccore.conversion.masks import flac_mask

    with closing(SplicedFile(path, splice)) as file:
        head = file.read(42)
        if len(head) < 42 or head[4] & 0x7F:
            return Content(kind="flac", streams=() if whole_file else (splice,))
        first = _first_frame(file, head)
        file.seek(0)
        mask = flac_mask(file.read(_LOOKED))
        least, most = (int.from_bytes(head[at : at + 2], "big") for at in (8, 10))
        numbers, length = int.from_bytes(head[18:26], "big"), None
        stated = numbers & _LENGTH
        if first is not None:
            file.seek(splice.size - tail_bytes(splice.size))
            length = samples_up_to(file.read(), first, most)
    patched = bytearray(head)
    warnings: tuple[str, ...] = ()
    if length is not None and length > stated:
        patched[18:26] = (numbers - stated | min(length, _LENGTH)).to_bytes(8, "big")
        if stated:
            warnings = (f"states {stated} samples per channel and holds {length}, which are read",)
    if least < _FLAC_LEAST <= most:
        patched[8:10] = patched[10:12]
    if bytes(patched) != head:
        splice, whole_file = splice.with_head(bytes(patched)), False
    variable = first is not None and first.variable
    return Content(
        kind="flac", streams=() if whole_file else (splice,), doubtful=variable, mask=mask,
        warnings=warnings,
    )  # fmt: skip


def _first_frame(file: SplicedFile, head: bytes) -> FlacFrame | None:
    """The first frame, behind all blocks."""
    from musiccore.conversion.flac_frames import frame_at

    place, block = 4, head[4:8]
    for _ in range(_MOST_TAGS):
        place += 4 + int.from_bytes(block[1:4], "big")
        if block[0] & 0x80:
            break
        file.seek(place)
        block = file.read(4)
        if len(block) < 4:
            return None
    file.seek(place)
    return frame_at(file.read(16), 0)


def _wave(path: Path, kind: str, start: int) -> Content:
    from musiccore.conversion.waves import read_wave_head

    heads = [read_wave_head(path, kind, start)]
    while heads[-1].following and len(heads) < _MOST_JOINED:
        heads.append(read_wave_head(path, kind, heads[-1].following))
    head, named = heads[0], any(each.codec is not None for each in heads)
    warnings: tuple[str, ...] = ()
    if any(each.unfinished for each in heads):
        warnings = ("was never finished: its header gives no length, so all that is there is read",)
    if len(heads) > 1:
        warnings += (f"holds {len(heads)} recordings; they follow each other",)
    streams = tuple(each.splice for each in heads if each.splice is not None)
    return Content(
        kind=kind,
        codec=head.codec or "",
        streams=() if named else streams,
        foreign=named,
        mask=head.mask,
        warnings=warnings,
        damage=next((each.damage for each in heads if each.damage), None),
    )
