"""A score as MusicXML by music21. Runs within the process of music21."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import Any

from music21 import chord, defaults, instrument, key, metadata, meter, note, stream, tempo
from music21.musicxml.m21ToXml import GeneralObjectExporter

from musiccore.scores.score import DRUM_CHANNEL, Part, Score, ScoreNote

_EXPRESSIBLE = (1, 2, 3, 4, 6, 8, 12, 16)  # parts of a quarter note
_FINE, _TRIPLET = Fraction(1, 8), Fraction(1, 6)

Stream = Any  # music21 has no types to speak of
_Chord = tuple[Fraction, Fraction, list[ScoreNote]]  # begins, ends, in quarter notes


def musicxml_of(score: Score) -> bytes:
    """Return the score as a MusicXML file."""
    defaults.title = defaults.author = ""  # else music21 invents them
    return bytes(GeneralObjectExporter(_stream(score)).parse())


def _stream(score: Score) -> Stream:
    piece = stream.Score()
    piece.metadata = metadata.Metadata()
    piece.metadata.title = score.name
    first = next((word.text for word in score.words if word.kind == "text"), None)
    if first:
        piece.metadata.composer = first
    for number, part in enumerate(score.parts):
        if part.notes:
            piece.insert(0, _part(score, part, with_tempo=number == 0))
    return piece


def _part(score: Score, part: Part, *, with_tempo: bool) -> Stream:
    def at(tick: int) -> Fraction:
        return Fraction(tick, score.ticks_per_quarter)

    out = stream.Part()
    out.partName = part.name
    out.insert(0, _player(part))
    for meter_ in score.meters:
        out.insert(at(meter_.tick), meter.TimeSignature(f"{meter_.numerator}/{meter_.denominator}"))
    for key_ in score.keys:
        signature = key.KeySignature(key_.sharps)
        out.insert(at(key_.tick), signature.asKey(key_.mode))
    if with_tempo:
        for tempo_ in score.tempos:
            beats = round(60e6 / tempo_.microseconds, 3)
            out.insert(at(tempo_.tick), tempo.MetronomeMark(number=beats))
    lyrics = {_time(at(word.tick)): word.text for word in part.words if word.kind == "lyrics"}
    voices = _voices(part.notes, score.ticks_per_quarter)
    for voice in voices:
        target = out if len(voices) == 1 else stream.Voice()
        for start, end, notes in voice:
            element = _element(notes)
            element.quarterLength = end - start
            if text := lyrics.pop(start, None):
                element.addLyric(text)
            target.insert(start, element)
        if target is not out:
            out.insert(0, target)
    return out


def _player(part: Part) -> Any:
    player: Any = instrument.instrumentFromMidiProgram(part.program)
    if part.channel == DRUM_CHANNEL:
        player = instrument.Instrument("Percussion")
    player.midiProgram, player.midiChannel = part.program, part.channel
    player.partName = part.name
    return player


def _voices(notes: tuple[ScoreNote, ...], ticks: int) -> list[list[_Chord]]:
    """Return voices of chords that do not overlap; notes that begin and end together are one."""
    together: defaultdict[tuple[Fraction, Fraction], list[ScoreNote]] = defaultdict(list)
    for each in notes:
        start, end = _time(Fraction(each.start, ticks)), _time(Fraction(each.end, ticks))
        together[start, end if end > start else start + _FINE].append(each)
    voices: list[list[_Chord]] = []
    for start, end in sorted(together):
        free = next((voice for voice in voices if voice[-1][1] <= start), None)
        if free is None:
            free = []
            voices.append(free)
        free.append((start, end, together[start, end]))
    return voices


def _time(time: Fraction) -> Fraction:
    """Return the nearest time that notation can say."""
    if time.denominator in _EXPRESSIBLE:
        return time
    near = (round(time / step) * step for step in (_FINE, _TRIPLET))
    return min(near, key=lambda other: abs(other - time))


def _element(notes: list[ScoreNote]) -> Any:
    element = (
        note.Note(notes[0].pitch)
        if len(notes) == 1
        else chord.Chord(sorted({each.pitch for each in notes}))
    )
    element.volume.velocity = max(each.velocity for each in notes)
    return element
