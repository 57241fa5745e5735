"""A stream of music21 as a score. Runs within the process of music21."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from typing import Any

from music21 import chord, dynamics, harmony, instrument, key, meter, note, repeat, stream, tempo
from music21.exceptions21 import Music21Exception

from musiccore.scores.score import (
    DRUM_CHANNEL,
    MAX_TICKS_PER_QUARTER,
    Control,
    KeySignature,
    Meter,
    Part,
    Score,
    ScoreNote,
    Tempo,
    Words,
)

_COARSEST = 24  # ticks a quarter note at least: the grid of event tokens
_OTHERWISE = 10_080  # for odd fractions: it divides by 32, 9, 5 and 7
_GRACE = Fraction(1, 8)  # of a quarter note: a grace note has no time of its own
_SNARE = 38
_VELOCITY = 80
_PROGRAM = 0xC
_CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]

Stream = Any  # music21 has no types to speak of
_Raw = tuple[Fraction, Fraction, int, int]  # onset and duration in quarter notes, pitch, velocity


def score_from(source: Stream, *, repeats: bool) -> Score:
    """Return the score of a stream, ties merged, at sounding pitch.

    Args:
        source: a score, a part, or a book with a single piece.
        repeats: play what is to be repeated again, where the signs make sense.

    Raises:
        ValueError: if it is a book of several pieces, or holds no notes.
    """
    piece = _single(source)
    if repeats:
        piece = _unrolled(piece)
    piece = _sounding(piece)
    parts = [part.flatten() for part in piece.parts] or [piece.flatten()]
    notes = [list(_notes(part)) for part in parts]
    if not any(notes):
        raise ValueError("it holds no notes")
    ticks = _ticks_per_quarter(notes)

    def at(offset: Any) -> int:
        return max(round(Fraction(offset) * ticks), 0)

    top = piece if len(piece.parts) else []
    return Score(
        ticks_per_quarter=ticks,
        parts=tuple(_part(n, *each, at) for n, each in enumerate(zip(parts, notes, strict=True))),
        tempos=_tempos([*parts, top], at),
        meters=_meters(piece, parts, at),
        keys=_keys(parts, at),
        words=tuple(_credits(piece)),
        name=_title(piece),
    )


def _single(source: Stream) -> Stream:
    if not isinstance(source, stream.Opus):
        return source
    pieces = list(source.scores)
    if len(pieces) != 1:
        raise ValueError(f"it is a book of {len(pieces)} pieces")
    return pieces[0]


def _unrolled(piece: Stream) -> Stream:
    if piece.recurse().getElementsByClass(repeat.RepeatMark).first() is None:
        return piece
    try:
        return piece.expandRepeats()
    except Exception:  # signs that make no sense: as it is written
        return piece


def _sounding(piece: Stream) -> Stream:
    transposing = any(
        each.transposition is not None
        for each in piece.recurse().getElementsByClass(instrument.Instrument)
    )
    return piece.toSoundingPitch() if transposing else piece


def _fraction(number: Any) -> Fraction:
    return Fraction(number).limit_denominator(1000)


def _notes(part: Stream) -> Iterator[_Raw]:
    """Yield the notes of a flat part, each as long as its ties make it."""
    held: dict[int, _Raw] = {}
    velocity = _VELOCITY
    for element in part.getElementsByClass([note.GeneralNote, dynamics.Dynamic]):
        if isinstance(element, dynamics.Dynamic):
            velocity = min(max(round(127 * (element.volumeScalar or 0.63)), 1), 127)
            continue
        if element.isRest or isinstance(element, harmony.Harmony):  # names over notes sound not
            continue
        onset, duration = _fraction(element.offset), _fraction(element.quarterLength)
        for each in element.notes if isinstance(element, chord.ChordBase) else [element]:
            pitch = _pitch(each)
            before = held.pop(pitch, None)
            tie = each.tie or element.tie
            if before is not None and tie is not None and tie.type in ("stop", "continue"):
                held[pitch] = (before[0], onset + duration - before[0], *before[2:])
                continue
            if before is not None:
                yield before
            own = each.volume.velocity if each.hasVolumeInformation() else None
            held[pitch] = (onset, duration or _GRACE, pitch, min(max(own or velocity, 1), 127))
    yield from held.values()


def _pitch(each: Any) -> int:
    if isinstance(each, note.Unpitched):
        return int(getattr(each.storedInstrument, "percMapPitch", None) or _SNARE)
    return min(max(int(each.pitch.midi), 0), 127)


def _ticks_per_quarter(parts: list[list[_Raw]]) -> int:
    ticks = _COARSEST
    for number in {n.denominator for part in parts for raw in part for n in raw[:2]}:
        ticks = lcm(ticks, number)
        if ticks > MAX_TICKS_PER_QUARTER:
            return _OTHERWISE
    return ticks


def _part(number: int, part: Stream, raw: list[_Raw], at: Any) -> Part:
    players = list(part.getElementsByClass(instrument.Instrument))
    drums = any(
        each.midiChannel == DRUM_CHANNEL or isinstance(each, instrument.UnpitchedPercussion)
        for each in players
    )
    programs = [(at(each.offset), each.midiProgram) for each in players]
    programs = [(tick, program) for tick, program in programs if program is not None]
    name = part.partName or next((each.partName for each in players if each.partName), "") or ""
    first = programs[0][1] if programs else _program_named(name)
    notes = (
        ScoreNote(
            start=at(onset), duration=at(onset + length) - at(onset), pitch=pitch, velocity=loud
        )
        for onset, length, pitch, loud in raw
    )
    return Part(
        notes=tuple(sorted(notes, key=lambda n: (n.start, n.pitch, n.duration, n.velocity))),
        program=first,
        channel=DRUM_CHANNEL if drums else _CHANNELS[number % len(_CHANNELS)],
        name=name,
        controls=tuple(
            Control(tick=tick, kind=_PROGRAM, data=(program,))
            for tick, program in programs[1:]
            if tick
        ),
        words=tuple(_lyrics(part, at)),
        track=number + 1,
    )


def _program_named(name: str) -> int:
    """Return the instrument that a part is named after, or the piano; a voice is no instrument."""
    try:
        player = instrument.fromString(name)
    except Music21Exception:
        return 0
    return 0 if isinstance(player, instrument.Vocalist) else player.midiProgram or 0


def _lyrics(part: Stream, at: Any) -> Iterator[Words]:
    """Yield the first verse; a syllable that goes on ends with a hyphen."""
    for element in part.getElementsByClass(note.NotRest):
        for verse in element.lyrics[:1]:
            if verse.text:
                goes_on = verse.syllabic in ("begin", "middle")
                yield Words(tick=at(element.offset), kind="lyrics", text=verse.text + "-" * goes_on)


def _tempos(streams: list[Any], at: Any) -> tuple[Tempo, ...]:
    found = {}
    for each in streams:
        marks = each.getElementsByClass(tempo.MetronomeMark) if each else []
        for mark in marks:
            beats = mark.getQuarterBPM()
            if beats and beats > 0:
                microseconds = min(max(round(60e6 / beats), 1), (1 << 24) - 1)
                found[at(mark.offset)] = microseconds
    return tuple(Tempo(tick=tick, microseconds=found[tick]) for tick in sorted(found))


def _meters(piece: Stream, parts: list[Stream], at: Any) -> tuple[Meter, ...]:
    found: dict[int, tuple[int, int]] = {}
    for part in parts:
        for sign in part.getElementsByClass(meter.TimeSignature):
            if 0 < sign.numerator < 256 and sign.denominator in (1, 2, 4, 8, 16, 32, 64, 128):
                found.setdefault(at(sign.offset), (sign.numerator, sign.denominator))
    pickup = _pickup(piece)
    if pickup and 0 in found:
        short = pickup / 4
        found.setdefault(at(pickup), found[0])
        found[0] = (short.numerator, short.denominator)
        if found[0][1] < 4 and found[at(pickup)][1] % 4 == 0:
            found[0] = (int(short * 4), 4)
    return tuple(Meter(tick=t, numerator=n, denominator=d) for t, (n, d) in sorted(found.items()))


def _pickup(piece: Stream) -> Fraction | None:
    """Return the quarter notes of a first bar shorter than its meter, if MIDI can say it."""
    part = piece.parts.first() if len(piece.parts) else piece
    bar = part.getElementsByClass(stream.Measure).first()
    if bar is None or not bar.paddingLeft:
        return None
    length = _fraction(bar.barDuration.quarterLength) - _fraction(bar.paddingLeft)
    return length if length > 0 and length.denominator in (1, 2, 4, 8) else None


def _keys(parts: list[Stream], at: Any) -> tuple[KeySignature, ...]:
    found: dict[int, KeySignature] = {}
    for part in parts:
        for sign in part.getElementsByClass(key.KeySignature):
            if sign.sharps is not None and abs(sign.sharps) <= 7:
                minor = isinstance(sign, key.Key) and sign.mode == "minor"
                found.setdefault(
                    at(sign.offset),
                    KeySignature(
                        tick=at(sign.offset),
                        sharps=sign.sharps,
                        mode="minor" if minor else "major",
                    ),
                )
    return tuple(found[tick] for tick in sorted(found))


def _credits(piece: Stream) -> Iterator[Words]:
    about = piece.metadata
    if about is not None and about.composer:
        yield Words(tick=0, kind="text", text=str(about.composer))
    if about is not None and about.copyright:
        yield Words(tick=0, kind="copyright", text=str(about.copyright))


def _title(piece: Stream) -> str:
    about = piece.metadata
    title = str(about.bestTitle or "") if about is not None else ""
    return title.removesuffix(".mxl").removesuffix(".xml")  # some are named after their file
