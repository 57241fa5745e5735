"""MIDI files as notes in real time, read without guessing: onsets are exact, nothing is quantised.

Standard MIDI files of formats 0 and 1, with ticks per quarter note or per SMPTE frame.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from musiccore.errors import AudioError
from musiccore.symbolic import Note

SUFFIXES = (".mid", ".midi")
MAX_BYTES = 16 << 20
MAX_SECONDS = 6 * 3600.0
DRUMS = 9
"""Channel of percussion, whose pitches are instruments."""

_DEFAULT_TEMPO = 500_000  # microseconds a quarter note
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


@dataclass(frozen=True, slots=True)
class _Event:
    """A note that begins or ends, or a tempo."""

    tick: int
    track: int
    kind: str  # "on", "off" or "tempo"
    channel: int
    value: int  # pitch, or microseconds a quarter note


def read_midi(path: Path) -> tuple[Note, ...]:
    """Read the notes of a MIDI file; percussion is left out.

    Args:
        path: the file.

    Returns:
        Notes with onset and duration in seconds, sorted by onset. The part is the track.

    Raises:
        AudioError: if the file is missing, damaged, too long, or holds no notes.
    """
    name = f"MIDI file {str(path)!r}"
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise AudioError(f"{name} has {size} bytes, more than the limit of {MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise AudioError(f"{name} cannot be read: {error.strerror or error}") from error
    try:
        division, events = _events(data)
        notes = _notes(events, _Clock(division, events))
    except (ValueError, IndexError) as error:
        raise AudioError(
            f"{name} cannot be read: {error}", hint="export it again as a MIDI file"
        ) from error
    if not notes:
        raise AudioError(f"{name} holds no notes that can be played")
    if (end := max(note.onset + note.duration for note in notes)) > MAX_SECONDS:
        raise AudioError(f"{name} lasts {end:.0f} s, more than the limit of {MAX_SECONDS:.0f} s")
    return notes


class _Clock:
    """Ticks to seconds."""

    def __init__(self, division: int, events: list[_Event]) -> None:
        self._fixed = 0.0
        if division & 0x8000:  # SMPTE: minus frames a second, ticks a frame
            frames, ticks = 256 - (division >> 8), division & 0xFF
            if not frames or not ticks:
                raise ValueError("its division is no time")
            self._fixed = 1 / (frames * ticks)
        elif not division:
            raise ValueError("a quarter note has no ticks")
        self._division = division
        self._starts = [(0, 0.0, _DEFAULT_TEMPO)]
        for event in events:
            if event.kind == "tempo" and event.value:
                self._starts.append((event.tick, self.seconds(event.tick), event.value))

    def seconds(self, tick: int) -> float:
        """Return the time of a tick, by the tempo marks known so far."""
        if self._fixed:
            return tick * self._fixed
        at, before, tempo = next(start for start in reversed(self._starts) if start[0] <= tick)
        return before + (tick - at) * tempo / self._division / 1e6


def _notes(events: list[_Event], clock: _Clock) -> tuple[Note, ...]:
    notes: list[Note] = []
    open_notes: dict[tuple[int, int, int], deque[int]] = defaultdict(deque)

    def close(key: tuple[int, int, int], start: int, end: int) -> None:
        track, _, pitch = key
        if end > start:
            onset = clock.seconds(start)
            notes.append(
                Note(onset=onset, duration=clock.seconds(end) - onset, pitch=pitch, part=track)
            )

    last = 0
    for event in events:
        last = event.tick
        key = (event.track, event.channel, event.value)
        if event.channel == DRUMS:
            continue
        if event.kind == "on":
            open_notes[key].append(event.tick)
        elif event.kind == "off" and open_notes[key]:
            close(key, open_notes[key].popleft(), event.tick)
    for key, starts in open_notes.items():  # never switched off: they end with the piece
        for start in starts:
            close(key, start, last)
    return tuple(sorted(notes, key=lambda n: (n.onset, n.part, n.pitch)))


def _events(data: bytes) -> tuple[int, list[_Event]]:
    """Return the division and the events of all tracks in the order of their ticks."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[20:]
    if data[:4] != b"MThd" or len(data) < 14:
        raise ValueError("it does not begin as a MIDI file does")
    if int.from_bytes(data[8:10]) > 1:
        raise ValueError("its tracks are pieces of their own (format 2)")
    at = 8 + int.from_bytes(data[4:8])
    events: list[_Event] = []
    track = 0
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8])
        if at + 8 + length > len(data):
            raise ValueError("it is cut short")
        if name == b"MTrk":
            events.extend(_track(data[at + 8 : at + 8 + length], track))
            track += 1
        at += 8 + length
    # Of events at one tick a tempo comes first, and a note ends before the next one begins.
    order = {"tempo": 0, "off": 1, "on": 2}
    events.sort(key=lambda event: (event.tick, order[event.kind]))
    return int.from_bytes(data[12:14]), events


def _track(data: bytes, track: int) -> Iterator[_Event]:
    at = tick = status = 0
    while at < len(data):
        delta, at = _number(data, at)
        tick += delta
        if data[at] & 0x80:
            status, at = data[at], at + 1
        elif not status:
            raise ValueError("an event has no kind")
        if status == 0xFF:
            kind = data[at]
            length, at = _number(data, at + 1)
            if kind == 0x51 and length == 3:
                yield _Event(tick, track, "tempo", -1, int.from_bytes(data[at : at + 3]))
            at += length
            status = 0
        elif status >= 0xF0:
            length, at = _number(data, at)
            at += length
            status = 0
        else:
            what, channel, size = status >> 4, status & 0x0F, _DATA_BYTES[status >> 4]
            values = data[at : at + size]
            if len(values) < size or any(value & 0x80 for value in values):
                raise ValueError("an event is damaged")
            at += size
            if what in (0x8, 0x9):
                begins = what == 0x9 and values[1] > 0
                yield _Event(tick, track, "on" if begins else "off", channel, values[0])


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of up to four bytes with seven bits each; return it and where it ends."""
    number = 0
    for n in range(4):
        byte = data[at + n]
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            return number, at + n + 1
    raise ValueError("a number is too long")
