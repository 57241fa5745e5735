"""The chunks and tracks of a MIDI file as a score.

A track's texts and name belong to the part of its lowest channel, or of the channel that a channel
prefix names; those of the first track belong to the piece.

Specification: "Standard MIDI Files 1.0", header chunk and meta events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from musiccore.miditrack import Damage, Meta, Track, scan
from musiccore.score import Control, KeySignature, Meter, Part, Score, Tempo, Words

MAX_TRACKS = 1024
MAX_EVENTS = 1_000_000

WORDS = {0x01: "text", 0x02: "copyright", 0x05: "lyrics", 0x06: "marker", 0x07: "cue_marker"}
"""Second byte of a text event → what `Words` call it."""

DENOMINATORS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Note values that a meter may count."""

_TRACK_NAME, _INSTRUMENT_NAME, _TEMPO, _METER, _KEY = 0x03, 0x04, 0x51, 0x58, 0x59
_PROGRAM = 0xC
_FRAME_TEMPOS = {24: 1_000_000, 25: 1_000_000, 29: 1_001_000, 30: 1_000_000}
"""SMPTE frames a second → microseconds of a second counted in whole frames; 29 is 29.97."""


def score_of(data: bytes) -> Score:
    """Return the score that the bytes of a MIDI file hold.

    Raises:
        Damage: if they are no MIDI file, damaged, or have too many events.
    """
    division, chunks = _chunks(_unwrapped(data))
    tracks = _scanned(chunks)
    ticks_per_quarter, tempo = _time(division)
    metas = [meta for track in tracks for meta in track.metas]
    tempos = [_tempo(meta) for meta in metas if meta.kind == _TEMPO]
    if tempo:
        tempos = [Tempo(tick=0, microseconds=tempo)]
    meters = [_meter(meta) for meta in metas if meta.kind == _METER]
    keys = [key for meta in metas if meta.kind == _KEY for key in _keys(meta)]
    first = _Texts(tracks[0])
    return Score(
        ticks_per_quarter=ticks_per_quarter,
        parts=tuple(_parts(tracks)),
        tempos=tuple(sorted(dict.fromkeys(tempos), key=lambda tempo: tempo.tick)),
        meters=tuple(sorted(dict.fromkeys(meters), key=lambda meter: meter.tick)),
        keys=tuple(sorted(dict.fromkeys(keys), key=lambda key: key.tick)),
        words=first.words(None),
        name=first.name(_TRACK_NAME, None) or "",
    )


def _unwrapped(data: bytes) -> bytes:
    """Return the MIDI file within a RIFF file, or the data as they are."""
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise Damage("its RIFF wrapping holds no data")


def _chunks(data: bytes) -> tuple[int, list[bytes]]:
    """Return the division and the contents of the track chunks."""
    if data[:4] != b"MThd":
        raise Damage("it does not begin as a MIDI file does")
    header = int.from_bytes(data[4:8])
    if header < 6 or len(data) < 8 + header:
        raise Damage("it is cut short within its header")
    form, said, division = (int.from_bytes(data[at : at + 2]) for at in (8, 10, 12))
    if form > 2:
        raise Damage(f"its format {form} is unknown")
    at = 8 + header
    found: list[bytes] = []
    while at + 8 <= len(data) and len(found) <= MAX_TRACKS:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8])
        at += 8
        if name == b"MTrk":
            if at + length > len(data):
                raise Damage("it is cut short within a track")
            found.append(data[at : at + length])
        at += length
    if len(found) > MAX_TRACKS:
        raise Damage(f"it has more than {MAX_TRACKS} tracks")
    if len(found) != said or not found:
        raise Damage(f"its header says {said} tracks, and {len(found)} are there")
    if form == 2 and said > 1:
        raise Damage("its tracks are pieces of their own (format 2)")
    return division, found


def _scanned(chunks: list[bytes]) -> list[Track]:
    left = MAX_EVENTS

    def spend(events: int) -> None:
        nonlocal left
        left -= events
        if left < 0:
            raise Damage(f"it has more than {MAX_EVENTS} events")

    tracks = []
    for number, chunk in enumerate(chunks):
        try:
            tracks.append(scan(chunk, spend))
        except Damage as error:
            raise Damage(f"track {number}: {error}") from error
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


def _tempo(meta: Meta) -> Tempo:
    microseconds = int.from_bytes(meta.data)
    if len(meta.data) != 3 or not microseconds:
        raise Damage(f"the tempo at tick {meta.tick} is none")
    return Tempo(tick=meta.tick, microseconds=microseconds)


def _meter(meta: Meta) -> Meter:
    if len(meta.data) < 2 or not meta.data[0] or meta.data[1] >= len(DENOMINATORS):
        raise Damage(f"the meter at tick {meta.tick} is none")
    return Meter(tick=meta.tick, numerator=meta.data[0], denominator=1 << meta.data[1])


def _keys(meta: Meta) -> Iterator[KeySignature]:
    """Yield the key, if it is one: it changes no sound, so a strange one is passed over."""
    if len(meta.data) != 2:
        return
    sharps = meta.data[0] - 256 if meta.data[0] > 127 else meta.data[0]
    if abs(sharps) <= 7 and meta.data[1] <= 1:
        mode: Literal["major", "minor"] = "minor" if meta.data[1] else "major"
        yield KeySignature(tick=meta.tick, sharps=sharps, mode=mode)


class _Texts:
    """The texts of one track, and the channels that a prefix names."""

    def __init__(self, track: Track) -> None:
        self._metas = [m for m in track.metas if m.kind in WORDS or m.kind in (3, 4)]
        self.channels = {m.channel for m in self._metas if m.channel is not None}

    def name(self, kind: int, channel: int | None) -> str | None:
        """Return the first name of this kind."""
        found = (m for m in self._metas if m.kind == kind and m.channel == channel)
        return next((_text(meta.data) for meta in found), None)

    def words(self, channel: int | None) -> tuple[Words, ...]:
        """Return the words of a channel, or those that belong to none."""
        return tuple(
            Words(tick=m.tick, kind=WORDS[m.kind], text=_text(m.data))
            for m in self._metas
            if m.kind in WORDS and m.channel == channel
        )


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parts(tracks: list[Track]) -> Iterator[Part]:
    programs = sorted(
        (control.tick, channel, control.data[0])
        for track in tracks
        for channel, controls in track.controls.items()
        for control in controls
        if control.kind == _PROGRAM
    )
    for number, track in enumerate(tracks):
        texts = _Texts(track)
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
                channel=channel,
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
