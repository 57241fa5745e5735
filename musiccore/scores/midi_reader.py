"""The chunks and tracks of a MIDI file as a score.

A track's texts and name belong to the part of its lowest channel, or of the channel that a channel
prefix names; those of the first track belong to the piece.

Specification: "Standard MIDI Files 1.0", header chunk and meta events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeVar

from musiccore.scores.midi_track import CUT, Damage, Meta, Track, Warn, scan
from musiccore.scores.score import Control, KeySignature, Meter, Part, Score, Tempo, Words
from musiccore.scores.textcode import AUTO, UTF_8, TextCode

MAX_TRACKS = 1024
MAX_EVENTS = 1_000_000

WORDS = {0x01: "text", 0x02: "copyright", 0x05: "lyrics", 0x06: "marker", 0x07: "cue_marker"}
"""Second byte of a text event → what `Words` call it."""

DENOMINATORS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Note values that a meter may count."""

_TRACK_NAME, _INSTRUMENT_NAME, _TEMPO, _METER, _KEY = 0x03, 0x04, 0x51, 0x58, 0x59
_TEXTS = (*WORDS, _TRACK_NAME, _INSTRUMENT_NAME)
_PROGRAM = 0xC
_END = b"\xff\x2f\x00"
_FURTHEST_HEADER = 1 << 20  # bytes of another program before a MIDI file (MacBinary has 128)
_FRAME_TEMPOS = {24: 1_000_000, 25: 1_000_000, 29: 1_001_000, 30: 1_000_000}
"""SMPTE frames a second → microseconds of a second counted in whole frames; 29 is 29.97."""


_Timed = TypeVar("_Timed", Tempo, Meter, KeySignature)


def score_of(data: bytes, encoding: str = AUTO) -> Score:
    """Return the score that the bytes of a MIDI file hold, with what was odd about them.

    Args:
        data: the file.
        encoding: of its texts.

    Raises:
        Damage: if they are no MIDI file, damaged, or have too many events.
    """
    warnings: dict[str, None] = {}
    warn = warnings.setdefault
    division, chunks = _chunks(_unwrapped(data, warn), warn)
    tracks = _scanned(chunks, warn)
    ticks_per_quarter, tempo = _time(division)
    metas = [meta for track in tracks for meta in track.metas]
    tempos = [Tempo(tick=0, microseconds=tempo)] if tempo else list(_tempos(metas, warn))
    code = TextCode.of([meta.data for meta in metas if meta.kind in _TEXTS], encoding)
    if encoding == AUTO and code.name != UTF_8:
        warn(code.in_words)
    first = _Texts(tracks[0], code)
    return Score(
        ticks_per_quarter=ticks_per_quarter,
        parts=tuple(_parts(tracks, code)),
        tempos=_in_order(tempos),
        meters=_in_order(_meters(metas, warn)),
        keys=_in_order(_keys(metas, warn)),
        words=first.words(None),
        name=first.name(_TRACK_NAME, None) or "",
        encoding=code.name,
        warnings=tuple(warnings),
    )


def _in_order(found: Iterable[_Timed]) -> tuple[_Timed, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda each: each.tick))


def _unwrapped(data: bytes, warn: Warn) -> bytes:
    """Return the MIDI file within a RIFF file or behind other bytes, or the data as they are."""
    if data[:4] == b"MThd":
        return data
    wrapped = data[:4] == b"RIFF" and data[8:12] == b"RMID"
    at = data.find(b"MThd\0\0", 0, _FURTHEST_HEADER)
    if at < 0:
        raise Damage(
            "its RIFF wrapping holds no data"
            if wrapped
            else "it does not begin as a MIDI file does"
        )
    if not wrapped:
        warn(f"{at} bytes before its header were passed over")
        return data[at:]
    size = int.from_bytes(data[at - 4 : at], "little")
    if data[at - 8 : at - 4] != b"data" or not 14 <= size <= len(data) - at:
        warn("the sizes of its RIFF wrapping are wrong")
    return data[at:]  # what follows it there is no track


def _chunks(data: bytes, warn: Warn) -> tuple[int, list[bytes]]:
    """Return the division and the contents of the track chunks."""
    header = int.from_bytes(data[4:8])
    if header < 6 or len(data) < 14:
        raise Damage("it is cut short within its header")
    form, said, division = (int.from_bytes(data[at : at + 2]) for at in (8, 10, 12))
    at = 8 + header
    if at > len(data) or not _is_chunk(data, at):
        at = _next_track(data, 14)
        warn("the length that its header gives is wrong")
    found: list[bytes] = []
    while at + 8 <= len(data) and len(found) <= MAX_TRACKS:
        is_track, begin = data[at : at + 4] == b"MTrk", at + 8
        at = _end_of(data, at, warn)
        if is_track:
            found.append(data[begin:at])
        if not _is_chunk(data, at) and (following := _next_track(data, at)) < len(data):
            warn("bytes between its tracks were passed over")
            at = following
    if len(found) > MAX_TRACKS:
        raise Damage(f"it has more than {MAX_TRACKS} tracks")
    if not found:
        raise Damage("it holds no tracks")
    if len(found) != said:
        warn(f"its header says {said} tracks, and {len(found)} are there")
    if form > 2:
        warn(f"its format {form} does not exist; it was read as format 1")
    if form == 2 and len(found) > 1:
        raise Damage("its tracks are pieces of their own (format 2)")
    return division, found


def _end_of(data: bytes, at: int, warn: Warn) -> int:
    """Return where a chunk ends: where it says, unless that cuts into or swallows a track."""
    begin = at + 8
    end = begin + int.from_bytes(data[at + 4 : begin])
    following = _next_track(data, begin)
    if data[at : at + 4] != b"MTrk":
        return min(end, following)
    if following < end and data[following - 3 : following] == _END:
        warn("the length that a track gives is wrong; it was read to its end")
        return following
    if end <= len(data) and (data[end - 3 : end] == _END or _is_chunk(data, end)):
        return end
    if following == len(data) and end > len(data) and data[-3:] != _END:
        warn(CUT)
        return len(data)
    if end != len(data):
        warn("the length that a track gives is wrong; it was read to its end")
    return following


def _next_track(data: bytes, at: int) -> int:
    """Return where the next chunk of a track begins, or the end of the file."""
    found = data.find(b"MTrk", at)
    return len(data) if found < 0 else found


def _is_chunk(data: bytes, at: int) -> bool:
    """Return whether a chunk begins here, or the file ends."""
    if at == len(data):
        return True
    name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8])
    return name == b"MTrk" or (name.isalnum() and at + 8 + size <= len(data))


def _scanned(chunks: list[bytes], warn: Warn) -> list[Track]:
    left = MAX_EVENTS

    def spend(events: int) -> None:
        nonlocal left
        left -= events
        if left < 0:
            raise Damage(f"it has more than {MAX_EVENTS} events")

    tracks = []
    for number, chunk in enumerate(chunks):
        try:
            tracks.append(scan(chunk, spend, warn))
        except Damage as error:
            raise Damage(f"track {number}: {error}") from error
    if any(track.is_cut for track in tracks) and all(track.is_empty for track in tracks):
        raise Damage("it is cut short within an event")
    return tracks


def _time(division: int) -> tuple[int, int]:
    """Return ticks per quarter note, and the tempo that a count of frames fixes, or 0."""
    if not division & 0x8000:
        if not division:
            raise Damage("a quarter note has no ticks")
        return division, 0
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in _FRAME_TEMPOS or not ticks:
        raise Damage(f"its division, {ticks} ticks of {frames} frames a second, is no time")
    return (30 if frames == 29 else frames) * ticks, _FRAME_TEMPOS[frames]


def _tempos(metas: Iterable[Meta], warn: Warn) -> Iterator[Tempo]:
    for meta in metas:
        microseconds = int.from_bytes(meta.data)
        if meta.kind != _TEMPO:
            continue
        if len(meta.data) == 3 and microseconds:
            yield Tempo(tick=meta.tick, microseconds=microseconds)
        else:
            warn("a tempo that is none was passed over")


def _meters(metas: Iterable[Meta], warn: Warn) -> Iterator[Meter]:
    for meta in metas:
        if meta.kind != _METER:
            continue
        if len(meta.data) >= 2 and meta.data[0] and meta.data[1] < len(DENOMINATORS):
            yield Meter(tick=meta.tick, numerator=meta.data[0], denominator=1 << meta.data[1])
        else:
            warn("a meter that is none was passed over; bars go on as before")


def _keys(metas: Iterable[Meta], warn: Warn) -> Iterator[KeySignature]:
    for meta in metas:
        if meta.kind != _KEY:
            continue
        sharps = int.from_bytes(meta.data[:1], signed=True)
        if len(meta.data) == 2 and abs(sharps) <= 7 and meta.data[1] <= 1:
            mode: Literal["major", "minor"] = "minor" if meta.data[1] else "major"
            yield KeySignature(tick=meta.tick, sharps=sharps, mode=mode)
        else:
            warn("a key signature that is none was passed over")


class _Texts:
    """The texts of one track, and the channels that a prefix names."""

    def __init__(self, track: Track, code: TextCode) -> None:
        self._metas = [m for m in track.metas if m.kind in _TEXTS]
        self._code = code
        self.channels = {m.channel for m in self._metas if m.channel is not None}

    def name(self, kind: int, channel: int | None) -> str | None:
        """Return the first name of this kind."""
        found = (m for m in self._metas if m.kind == kind and m.channel == channel)
        return next((self._code.decode(meta.data) for meta in found), None)

    def words(self, channel: int | None) -> tuple[Words, ...]:
        """Return the words of a channel, or those that belong to none."""
        return tuple(
            Words(tick=m.tick, kind=WORDS[m.kind], text=self._code.decode(m.data))
            for m in self._metas
            if m.kind in WORDS and m.channel == channel
        )


def _parts(tracks: list[Track], code: TextCode) -> Iterator[Part]:
    programs = sorted(
        (control.tick, channel, control.data[0])
        for track in tracks
        for channel, controls in track.controls.items()
        for control in controls
        if control.kind == _PROGRAM
    )
    for number, track in enumerate(tracks):
        texts = _Texts(track, code)
        name = texts.name(_INSTRUMENT_NAME, None) or ""
        if number:
            name = texts.name(_TRACK_NAME, None) or name
        own = texts.words(None) if number else ()
        channels = sorted({*track.notes, *track.controls, *texts.channels})
        if not channels and (own or (number and name)):
            channels = [0]
        for channel in channels:
            notes = track.notes.get(channel, [])
            notes.sort(key=lambda n: (n.start, n.pitch, n.duration, n.velocity))
            begin = notes[0].start if notes else 0
            program, controls = _program(track.controls.get(channel, []), begin)
            if program is None:  # another track may have set it
                there = [n for tick, where, n in programs if where == channel and tick <= begin]
                program = there[-1] if notes and there else 0
            named = texts.name(_INSTRUMENT_NAME, channel)
            words = texts.words(channel)
            if channel == channels[0]:
                words = tuple(sorted((*own, *words), key=lambda word: word.tick))
            yield Part(
                notes=tuple(notes),
                program=program,
                channel=channel & 0xF,
                port=channel >> 4,
                name=name if named is None else named,
                controls=controls,
                words=words,
                track=number,
            )


def _program(controls: list[Control], begin: int) -> tuple[int | None, tuple[Control, ...]]:
    """Return the program that the first note hears, if any is set, and the controls beside it."""
    at = next((n for n, control in enumerate(controls) if control.kind == _PROGRAM), None)
    if at is None or controls[at].tick > begin:
        return None, tuple(controls)
    if controls[at].tick == 0:
        return controls[at].data[0], tuple(controls[:at] + controls[at + 1 :])
    return controls[at].data[0], tuple(controls)
