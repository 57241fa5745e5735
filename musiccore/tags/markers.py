"""Parts of files that count in samples, when the sound is cut or gets another rate.

What can be counted anew is; what cannot is left out. Both are said.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from musiccore.tags.extras import Raw, lyrics_within, within
from musiccore.tags.fields import Tags
from musiccore.tags.not_carried import label

_CUE: Final = struct.Struct("<II4sIII")
_SMPL: Final = struct.Struct("<9I")
_LOOP: Final = struct.Struct("<6I")
_PLAYED: Final = struct.Struct("<III")
_REFERENCE: Final = 338  # byte of bext at which the time of its first sample stands
_VERSION, _LOUDNESS = 346, 412  # of bext
_UNSAID: Final = 0x7FFF
_TIMERS: Final = 684  # byte of cart at which eight of them begin
_MOST: Final = 1 << 32
_STEADY: Final = frozenset(  # parts that count no samples
    {("riff", name) for name in ("inst", "DISP", "_PMX", "afsp", "chna")}
    | {("aiff", name) for name in ("INST", "APPL", "MIDI", "AESD")}
)
_TIMED_FRAMES: Final = frozenset({"ETCO", "SYTC", "SYLT", "POSS", "RBUF"})
_LEVEL_FRAMES: Final = frozenset({"RVA2", "RVAD", "EQU2", "EQUA"})
_LEVEL_FIELDS: Final = re.compile(
    r"replaygain_.*|r128_.*|comment:itunnorm.*|itunnorm", re.IGNORECASE
)
_TIMED_FIELDS: Final = re.compile(r"length|cuesheet|comment:itunes_cddb.*", re.IGNORECASE)
_XML_TIME: Final = ("TIMESTAMP_SAMPLES_SINCE_MIDNIGHT", "BWF_TIME_REFERENCE")
_XML_RATES: Final = ("TIMESTAMP_SAMPLE_RATE", "FILE_SAMPLE_RATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Which part of a sound goes on, and how.

    Attributes:
        start: first sample of it.
        stop: the sample after its last; None for the end of the sound.
        before: Hz of the source.
        after: Hz of the target.
        channels: whether they are the same.
        level: whether it is the same.
    """

    start: int = 0
    stop: int | None = None
    before: int = 1
    after: int = 1
    channels: bool = True
    level: bool = True

    @property
    def cut(self) -> bool:
        """Whether a part of the sound is left out."""
        return self.start > 0 or self.stop is not None

    @property
    def moved(self) -> bool:
        """Whether samples have other numbers than before."""
        return self.cut or self.before != self.after

    def place(self, sample: int) -> int:
        """Return the number of a sample in the target."""
        return min(max(round((sample - self.start) * self.after / self.before), 0), _MOST - 1)

    def length(self, samples: int) -> int:
        """Return how many samples of the target so many of the source are."""
        return min(round(samples * self.after / self.before), _MOST - 1)

    def holds(self, sample: int) -> bool:
        """Whether a sample of the source is in it."""
        return sample >= self.start and (self.stop is None or sample < self.stop)


def fitted(tags: Tags, stretch: Stretch) -> tuple[Tags, tuple[str, ...]]:
    """Return tags that are true of a stretch of the sound, and what was done to them in words.

    Args:
        tags: of the whole sound.
        stretch: what goes on.
    """
    said: list[str] = []
    raws: list[Raw] = []
    changed: list[str] = []
    dropped: list[str] = []
    kept_cues: set[int] | None = None
    for raw in sorted(tags.raws, key=lambda one: one.name != "cue "):
        new = _fitted_raw(raw, stretch, kept_cues)
        if new is None:
            dropped.append(label(raw))
            continue
        if raw.name == "cue " and raw.home == "riff" and stretch.cut:
            kept_cues = {row[0] for row in _cues(new)}
            if (gone := len(_cues(raw.body)) - len(kept_cues)) > 0:
                said.append(f"{gone} cue points lie outside of the part that is kept")
        if new != raw.body:
            changed.append(label(raw))
        raws.append(replace(raw, body=new))
    raws.sort(key=lambda raw: [one.name for one in tags.raws].index(raw.name))
    if changed:
        said.append(f"positions and levels in {', '.join(dict.fromkeys(changed))} were adapted")
    tags, fields = _fitted_fields(replace(tags, raws=tuple(raws)), stretch)
    if dropped or fields:
        gone_names = dict.fromkeys([*dropped, *fields])
        said.append(f"not kept, as the sound changed: {', '.join(gone_names)}")
    return _fitted_times(tags, stretch, said), tuple(said)


def _fitted_fields(tags: Tags, stretch: Stretch) -> tuple[Tags, list[str]]:
    """Leave out what the change of the sound makes wrong."""
    gone = [
        name
        for name in tags.fields
        if (not stretch.level and _LEVEL_FIELDS.fullmatch(name))
        or (stretch.cut and _TIMED_FIELDS.fullmatch(name))
    ]
    fields = {name: values for name, values in tags.fields.items() if name not in gone}
    return replace(tags, fields=fields), gone


def _fitted_times(tags: Tags, stretch: Stretch, said: list[str]) -> Tags:
    """Count the times of chapters and lyrics from the new beginning."""
    if not stretch.cut:
        return tags
    start = stretch.start / stretch.before
    end = None if stretch.stop is None else stretch.stop / stretch.before
    chapters = within(tags.chapters, start, end)
    timed = tuple(lyrics_within(one, start, end) for one in tags.timed)
    for what, before, after in (
        ("chapters", len(tags.chapters), len(chapters)),
        ("lines of synchronised lyrics", _lines(tags), sum(len(one.lines) for one in timed)),
    ):
        if before > after:
            said.append(f"{before - after} of {before} {what} lie outside of the part that is kept")
    return replace(tags, chapters=chapters, timed=tuple(one for one in timed if one.lines))


def _lines(tags: Tags) -> int:
    return sum(len(one.lines) for one in tags.timed)


def _fitted_raw(raw: Raw, stretch: Stretch, cues: set[int] | None) -> bytes | None:
    """Return the body of a part as it is true of the stretch; None if that is not known."""
    if raw.home == "id3":
        wrong = (stretch.cut and raw.name in _TIMED_FRAMES) or (
            not stretch.level and raw.name in _LEVEL_FRAMES
        )
        return None if wrong else raw.body
    if raw.home == "mp4":
        return raw.body
    if raw.name in ("chna", "axml") and not stretch.channels:
        return None
    adapt = _ADAPTED.get((raw.home, raw.name))
    try:
        if adapt is not None and (stretch.moved or not stretch.level):
            return adapt(raw.body, stretch, cues)
    except (struct.error, ValueError, IndexError):
        return None
    steady = (raw.home, raw.name) in _STEADY or adapt is not None
    return raw.body if steady or not stretch.moved else None


def _bext(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes:
    changed = bytearray(body)
    (reference,) = struct.unpack_from("<Q", body, _REFERENCE)
    if stretch.moved:
        new = round((reference + stretch.start) * stretch.after / stretch.before)
        struct.pack_into("<Q", changed, _REFERENCE, min(new, (1 << 64) - 1))
    (version,) = struct.unpack_from("<H", body, _VERSION)
    if version >= 2 and not stretch.level and len(body) >= _LOUDNESS + 10:
        struct.pack_into("<5h", changed, _LOUDNESS, *[_UNSAID] * 5)
    return bytes(changed)


def _ixml(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes:
    if not stretch.moved:
        return body
    for name in _XML_TIME:
        halves = [
            (word, re.search(rf"<{name}_{word}>\s*(\d+)\s*<".encode(), body))
            for word in (("HI", "LO") if name == _XML_TIME[0] else ("HIGH", "LOW"))
        ]
        high, low = (int(found[1]) if found else 0 for _, found in halves)
        time = round(((high << 32) + low + stretch.start) * stretch.after / stretch.before)
        for (word, found), value in zip(halves, (time >> 32, time & 0xFFFFFFFF), strict=True):
            if found:
                new = f"<{name}_{word}>{value}<".encode()
                body = body.replace(found[0], new, 1)
    for name in _XML_RATES if stretch.before != stretch.after else ():
        pattern = rf"(<{name}>\s*){stretch.before}(\s*<)".encode()
        body = re.sub(pattern, rb"\g<1>%d\g<2>" % stretch.after, body)
    return body


def _cues(body: bytes) -> list[tuple[int, int, bytes, int, int, int]]:
    count = min(int.from_bytes(body[:4], "little"), (len(body) - 4) // _CUE.size)
    return [_CUE.unpack_from(body, 4 + _CUE.size * number) for number in range(count)]


def _cue(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes:
    rows = [
        (row[0], stretch.place(row[1]), *row[2:5], stretch.place(row[5]))
        for row in _cues(body)
        if stretch.holds(row[5])
    ]
    return struct.pack("<I", len(rows)) + b"".join(_CUE.pack(*row) for row in rows)


def _smpl(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes:
    head = list(_SMPL.unpack_from(body))
    count = min(head[7], (len(body) - _SMPL.size) // _LOOP.size)
    rows = [_LOOP.unpack_from(body, _SMPL.size + _LOOP.size * number) for number in range(count)]
    kept = [
        (row[0], row[1], stretch.place(row[2]), stretch.place(row[3]), *row[4:])
        for row in rows
        if stretch.holds(row[2]) and stretch.holds(row[3])
    ]
    if stretch.before != stretch.after:
        head[2] = round(1e9 / stretch.after)  # nanoseconds of a sample
    rest = body[_SMPL.size + _LOOP.size * count :]
    head[7] = len(kept)
    return _SMPL.pack(*head) + b"".join(_LOOP.pack(*row) for row in kept) + rest


def _labels(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes | None:
    """Labels of cue points; those of points that are gone go, too."""
    if body[:4] != b"adtl":
        return None
    kept, position = body[:4], 4
    while position + 12 <= len(body):
        name, size, cue = struct.unpack_from("<4sII", body, position)
        end = position + 8 + size + size % 2
        part = bytearray(body[position:end])
        if name == b"ltxt" and len(part) >= 16:
            struct.pack_into("<I", part, 12, stretch.length(struct.unpack_from("<I", part, 12)[0]))
        if cues is None or cue in cues:
            kept += bytes(part)
        position = end
    return kept


def _playlist(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes:
    count = min(int.from_bytes(body[:4], "little"), (len(body) - 4) // _PLAYED.size)
    rows = [_PLAYED.unpack_from(body, 4 + _PLAYED.size * number) for number in range(count)]
    kept = [
        (cue, stretch.length(length), times)
        for cue, length, times in rows
        if cues is None or cue in cues
    ]
    return struct.pack("<I", len(kept)) + b"".join(_PLAYED.pack(*row) for row in kept)


def _cart(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes:
    changed = bytearray(body)
    for place in range(_TIMERS, _TIMERS + 64, 8):
        (value,) = struct.unpack_from("<I", body, place + 4)
        if any(body[place : place + 4]):
            struct.pack_into("<I", changed, place + 4, stretch.place(value))
    return bytes(changed)


def _acid(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes | None:
    return None if stretch.cut else body  # it counts the beats of the whole


def _marks(body: bytes, stretch: Stretch, cues: set[int] | None) -> bytes:
    """Markers of AIFF: number, position, name of even length."""
    kept, position = [], 2
    for _ in range(int.from_bytes(body[:2], "big")):
        number, sample, size = struct.unpack_from(">HIB", body, position)
        end = position + 7 + size + (1 + size) % 2
        if stretch.holds(sample):
            place = struct.pack(">HI", number, stretch.place(sample))
            kept.append(place + body[position + 6 : end])
        position = end
    return struct.pack(">H", len(kept)) + b"".join(kept)


_Adapter = Callable[[bytes, Stretch, "set[int] | None"], bytes | None]
_ADAPTED: Final[Mapping[tuple[str, str], _Adapter]] = {
    ("riff", "bext"): _bext,
    ("riff", "iXML"): _ixml,
    ("riff", "cue "): _cue,
    ("riff", "smpl"): _smpl,
    ("riff", "LIST"): _labels,
    ("riff", "plst"): _playlist,
    ("riff", "cart"): _cart,
    ("riff", "acid"): _acid,
    ("aiff", "MARK"): _marks,
}
