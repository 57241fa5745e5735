"""MIDI files ↔ scores: nothing is rounded, nothing guessed. The only module that imports mido.

Standard MIDI files of formats 0 and 1, bare or within RIFF, with ticks per quarter note or per
SMPTE frame; files that break the specification as far as their meaning is clear. Writing what was
read and reading it again gives the same score. Not kept, because a `Score` has no place for it:
system exclusive messages, release velocities, silence at the end.

Specification: "Standard MIDI Files 1.0", MIDI Manufacturers Association.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from pathlib import Path

import mido

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi_reader import DENOMINATORS, WORDS, score_of
from musiccore.scores.midi_track import Damage
from musiccore.scores.score import AS_PLAYERS_DO, Control, Part, Reading, Score, Words
from musiccore.scores.textcode import TextCode

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
MAX_BYTES = 16 << 20
MAX_SECONDS = 6 * 3600.0
MAX_QUARTERS = 250_000

_KEY, _FILLER = 0x59, 0x7F
_LARGEST_DELTA = (1 << 28) - 1
_PROGRAM, _CONTROLLER = 0xC, 0xB
_SIZES = {0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}  # data bytes of a control
_BANK = (0, 32)  # controllers that choose the bank of the next program

# Of events at one tick: ends of notes, then what belongs to all, then controls, then beginnings.
_END, _ALL, _CHANNEL, _CONTROL, _BEGIN = range(5)
_ANYWHERE = -1  # what belongs to no port
_Event = tuple[int, int, int, mido.Message | mido.MetaMessage]  # tick, rank, port, message


def read_midi(source: Path | bytes, reading: Reading = AS_PLAYERS_DO) -> Score:
    """Read a MIDI file.

    Notes of several channels of one track become parts of their own. A note that nothing ends
    lasts to the end of its track; of equal notes that overlap, the first to begin ends first.
    What players read although it breaks the specification is read, and `Score.warnings` say so.

    Args:
        source: the file, or its bytes.
        reading: how; texts are written by `write_midi` in the encoding that they came in.

    Returns:
        The score, with parts in the order of tracks, ports and channels; it may hold no notes.

    Raises:
        AudioError: if the file is missing, damaged, too long, of format 2, or odd and `reading`
            is strict.
    """
    name = "MIDI data" if isinstance(source, bytes) else f"MIDI file {str(source)!r}"
    data = source if isinstance(source, bytes) else limited_bytes(source, name, MAX_BYTES)
    if len(data) > MAX_BYTES:
        raise _too_large(name, len(data), MAX_BYTES)
    try:
        score = score_of(data, reading.encoding)
    except Damage as error:
        raise AudioError(
            f"{name} cannot be read: {error}", hint="export it again as a MIDI file"
        ) from error
    last = max(score.end, *(c.tick for part in score.parts for c in part.controls), 0, 0)
    if (quarters := last / score.ticks_per_quarter) > MAX_QUARTERS:
        raise AudioError(
            f"{name} lasts {quarters:.0f} quarter notes, more than the limit of {MAX_QUARTERS}"
        )
    if (seconds := score.seconds_at(last)) > MAX_SECONDS:
        raise AudioError(
            f"{name} lasts {seconds:.0f} s, more than the limit of {MAX_SECONDS:.0f} s"
        )
    return reading.passed(score, name)


def limited_bytes(path: Path, name: str, limit: int) -> bytes:
    """Read a file that may be anything.

    Args:
        path: the file.
        name: what an error calls it.
        limit: bytes it may have; looked at before it is read.

    Raises:
        AudioError: if it is missing, no file, or too large.
    """
    try:
        about = path.stat()
        if about.st_size > limit:
            raise _too_large(name, about.st_size, limit)
        if not stat.S_ISREG(about.st_mode):
            what = "a folder" if stat.S_ISDIR(about.st_mode) else "no regular file"
            raise AudioError(f"{name} is {what}")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        why = error.strerror if isinstance(error, OSError) else None
        raise AudioError(f"{name} cannot be read: {why or error}") from error


def _too_large(name: str, size: int, limit: int) -> AudioError:
    return AudioError(f"{name} has {size} bytes, more than the limit of {limit}")


def write_midi(score: Score) -> bytes:
    """Write a score as a MIDI file: one track for the whole piece, then the tracks of its parts.

    Reading it gives the same score, if its parts are in the order of tracks and channels. Two parts
    with the same track and channel are written to tracks of their own, and of equal notes of one
    part of which one lies within the other, the first to begin will end first.

    Args:
        score: any score.

    Returns:
        The file; equal scores give equal bytes.

    Raises:
        ConfigError: if a number is outside what MIDI can hold.
    """
    tracks: defaultdict[int, list[Part]] = defaultdict(list)
    free = count(1 + max((part.track for part in score.parts), default=0))
    for part in score.parts:
        taken = any(_place(part) == _place(other) for other in tracks[part.track])
        tracks[next(free) if taken else part.track].append(part)
    try:
        written = [
            _track(score, number, tracks[number]) for number in range(1 + max(tracks, default=0))
        ]
        file = mido.MidiFile(
            type=int(len(written) > 1),
            ticks_per_beat=score.ticks_per_quarter,
            charset="latin-1",  # texts come as bytes: see `_TextEncoder`
            tracks=written,
        )
        out = BytesIO()
        file.save(file=out)
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        raise ConfigError(f"score: MIDI cannot hold it: {error}") from error
    return out.getvalue()


def _place(part: Part) -> tuple[int, int]:
    return part.port, part.channel


class _TextEncoder:
    """Text events, in the encoding of the score."""

    def __init__(self, encoding: str) -> None:
        self._code = TextCode(encoding)

    def named(self, kind: str, name: str) -> mido.MetaMessage:
        """Return an event that holds a name."""
        return mido.MetaMessage(kind, name=self._bytes(name))

    def said(self, word: Words) -> mido.MetaMessage:
        """Return an event that holds words."""
        if word.kind not in WORDS.values():
            raise ConfigError(
                f"words at tick {word.tick} are {word.kind!r}",
                hint=f"use {', '.join(WORDS.values())}",
            )
        return mido.MetaMessage(word.kind, text=self._bytes(word.text))

    def _bytes(self, text: str) -> str:
        """Return the bytes of a text as mido takes them."""
        return self._code.encode(text).decode("latin-1")


def _track(score: Score, number: int, parts: list[Part]) -> mido.MidiTrack:
    """Return the messages of one track, with times from one to the next."""
    events: list[_Event] = []
    texts = _TextEncoder(score.encoding)
    if number == 0:
        events.extend(_piece(score, texts))
        name = score.name
    else:
        name = parts[0].name if parts else ""
        if name:
            events.append((0, _ALL, _ANYWHERE, texts.named("track_name", name)))
    for part in parts:
        owner = number > 0 and part is parts[0]  # texts without a prefix are its own
        if part.name != ("" if number == 0 else name):
            events.extend(_prefixed(part, 0, texts.named("instrument_name", part.name)))
        for word in part.words:
            if owner:
                events.append((word.tick, _ALL, _ANYWHERE, texts.said(word)))
            else:
                events.extend(_prefixed(part, word.tick, texts.said(word)))
        if len(parts) > 1 or not number or part.notes or part.controls or _speaks(part):
            events.extend(_controls(part))
        events.extend(_notes(part))
    events.sort(key=lambda event: event[:2])
    return _timed(events)


def _timed(events: list[_Event]) -> mido.MidiTrack:
    """Return the messages of sorted events, each port said before what plays on it."""
    track, now, current = mido.MidiTrack(), 0, 0
    for tick, _, port, message in events:
        while tick - now > _LARGEST_DELTA:
            track.append(mido.UnknownMetaMessage(_FILLER, data=[], time=_LARGEST_DELTA))
            now += _LARGEST_DELTA
        if port not in (_ANYWHERE, current):
            current = port
            track.append(mido.MetaMessage("midi_port", port=port, time=tick - now))
            now = tick
        message.time, now = tick - now, tick
        track.append(message)
    return track


def _speaks(part: Part) -> bool:
    """Return whether a part without notes and controls says more than words."""
    return bool(part.program or part.channel or part.port or not (part.words or part.name))


def _piece(score: Score, texts: _TextEncoder) -> Iterator[_Event]:
    if score.name:
        yield 0, _ALL, _ANYWHERE, texts.named("track_name", score.name)
    for tempo in score.tempos:
        message = mido.MetaMessage("set_tempo", tempo=tempo.microseconds)
        yield tempo.tick, _ALL, _ANYWHERE, message
    for meter in score.meters:
        if not 1 <= meter.numerator <= 255 or meter.denominator not in DENOMINATORS:
            raise ConfigError(
                f"meter at tick {meter.tick} is {meter.numerator}/{meter.denominator}; want 1 to "
                f"255, and one of {', '.join(map(str, DENOMINATORS))}"
            )
        bar = mido.MetaMessage(
            "time_signature", numerator=meter.numerator, denominator=meter.denominator
        )
        yield meter.tick, _ALL, _ANYWHERE, bar
    for key in score.keys:
        if not -7 <= key.sharps <= 7:
            raise ConfigError(f"key at tick {key.tick} has {key.sharps} sharps; want -7 to 7")
        data = [key.sharps & 0xFF, int(key.mode == "minor")]
        yield key.tick, _ALL, _ANYWHERE, mido.UnknownMetaMessage(_KEY, data=data)
    for word in score.words:
        yield word.tick, _ALL, _ANYWHERE, texts.said(word)


def _prefixed(part: Part, tick: int, message: mido.MetaMessage) -> Iterator[_Event]:
    """Yield a text of one of several parts of a track."""
    prefix = mido.MetaMessage("channel_prefix", channel=part.channel)
    yield tick, _CHANNEL, part.port, prefix
    yield tick, _CHANNEL, part.port, message


def _controls(part: Part) -> Iterator[_Event]:
    """Yield program and controls; what chooses its bank comes before the program."""
    banks = [
        n
        for n, control in enumerate(part.controls)
        if not control.tick and control.kind == _CONTROLLER and control.data[0] in _BANK
    ]
    first = next((n for n, control in enumerate(part.controls) if control.kind == _PROGRAM), None)
    banks = [n for n in banks if first is None or n < first]
    begin = banks[-1] + 1 if banks else 0
    program = mido.Message("program_change", channel=part.channel, program=part.program)
    for control in part.controls[:begin]:
        yield control.tick, _CONTROL, part.port, _control(control, part.channel)
    yield 0, _CONTROL, part.port, program
    for control in part.controls[begin:]:
        yield control.tick, _CONTROL, part.port, _control(control, part.channel)


def _control(control: Control, channel: int) -> mido.Message:
    if control.kind not in _SIZES or len(control.data) != _SIZES[control.kind]:
        raise ConfigError(f"control at tick {control.tick} is no message of a channel: {control}")
    if not all(0 <= value <= 127 for value in control.data):
        raise ConfigError(f"control at tick {control.tick} is outside 0 to 127: {control.data}")
    return mido.Message.from_bytes([control.kind << 4 | channel, *control.data])


def _notes(part: Part) -> Iterator[_Event]:
    channel = part.channel
    for note in part.notes:
        if note.duration < 0 or not 1 <= note.velocity <= 127:
            raise ConfigError(
                f"note at tick {note.start} has duration {note.duration} and velocity "
                f"{note.velocity}; want 0 or more, and 1 to 127"
            )
        end = mido.Message("note_off", channel=channel, note=note.pitch, velocity=0)
        begin = mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)
        yield note.start, _BEGIN, part.port, begin
        yield note.end, _END if note.duration else _BEGIN, part.port, end
