"""The bytes of one track of a MIDI file, scanned once, with limits and one error for all damage.

Scanned here, not by mido: its loop knows no limits (800 kB of `0xFF` keep it busy for a minute,
10 MB for hours), refuses a whole file for an odd key signature, and builds an object per event.

Read as players read it: what breaks the letter of the specification and has one clear meaning is
warned about, once per kind; the rest is `Damage`.

Specification: "Standard MIDI Files 1.0", track chunks.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from musiccore.scores.score import Control, ScoreNote

CHANNEL_PREFIX, PORT, END_OF_TRACK = 0x20, 0x21, 0x2F

CUT = "a track is cut short; what is there of it was read"

Warn = Callable[[str], None]
"""Told what is odd, in one sentence that is the same for every oddity of a kind."""

_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0}  # data bytes of what belongs on a cable
_META, _EXCLUSIVE = 0xFF, (0xF0, 0xF7)
_NOTE_OFF, _NOTE_ON, _PROGRAM = 0x8, 0x9, 0xC
_COUNTED = 0x1000  # events between two looks at the limit

_RUNS_ON = "running status goes on behind an event that ends it; read as players do"
_TOO_LOUD = "a velocity or value above 127 was read as 127"
_NO_PROGRAM = "a program above 127 was passed over"
_ON_A_CABLE = "system messages that belong on a cable were passed over"
_BEHIND = "what stands behind the end of a track was not read"


class Damage(ValueError):
    """What is wrong with the bytes of a track; the door adds the name of the file."""


@dataclass(frozen=True, slots=True)
class Meta:
    """A message about the piece, not sent to an instrument.

    Attributes:
        tick: when.
        kind: its second byte, such as 0x51 for a tempo.
        data: its content.
        channel: the one that a channel prefix at the same tick names, or None; see `Track`.
    """

    tick: int
    kind: int
    data: bytes
    channel: int | None


@dataclass(slots=True)
class Track:
    """What one track holds.

    Channels are numbered through the ports: 16 times the port and the channel of the message.

    Attributes:
        notes: per channel, in the order in which they begin.
        controls: per channel, in the order of the file.
        metas: in the order of the file.
        end: tick of the last event.
        is_cut: whether it ends within an event.
    """

    notes: dict[int, list[ScoreNote]] = field(default_factory=dict)
    controls: dict[int, list[Control]] = field(default_factory=dict)
    metas: list[Meta] = field(default_factory=list)
    end: int = 0
    is_cut: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return not (self.notes or self.controls or self.metas)


class _Sounding:
    """Notes of a track: of equal ones that overlap, the first to begin is the first to end."""

    def __init__(self) -> None:
        self.started: defaultdict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
        self.ends: list[int] = []  # -1 as long as it sounds
        self.waiting: defaultdict[int, deque[int]] = defaultdict(deque)

    def switch(self, tick: int, channel: int, pitch: int, velocity: int) -> None:
        """Begin a note, or end one where the velocity is 0."""
        if velocity:
            number = len(self.ends)
            self.started[channel].append((tick, pitch, velocity, number))
            self.waiting[channel << 7 | pitch].append(number)
            self.ends.append(-1)
        elif waiting := self.waiting.get(channel << 7 | pitch):
            self.ends[waiting.popleft()] = tick

    def finished(self, end: int) -> dict[int, list[ScoreNote]]:
        """Return the notes; those that nothing ended last to the end of the track."""
        ends = [end if tick < 0 else tick for tick in self.ends]
        return {
            channel: [
                ScoreNote(start=start, duration=ends[number] - start, pitch=pitch, velocity=loud)
                for start, pitch, loud, number in started
            ]
            for channel, started in self.started.items()
        }


def scan(data: bytes, spend: Callable[[int], None], warn: Warn) -> Track:
    """Scan the content of a track chunk.

    Args:
        data: the bytes after the length of the chunk.
        spend: called with a number of events now and then; raises if they are too many.
        warn: told what is odd.

    Raises:
        Damage: if an event is none.
    """
    scanned = _Scan(data, warn)
    try:
        scanned.run(spend)
    except IndexError:
        scanned.track.is_cut = True
        warn(CUT)
    track = scanned.track
    track.end = scanned.tick
    track.notes = scanned.sounding.finished(scanned.tick)
    return track


class _Scan:
    """One pass over the bytes of a track; an `IndexError` says that they end within an event."""

    def __init__(self, data: bytes, warn: Warn) -> None:
        self.track, self.sounding = Track(), _Sounding()
        self.tick = 0
        self._data, self._warn = data, warn
        self._port = 0
        self._prefix: int | None = None

    def run(self, spend: Callable[[int], None]) -> None:
        """Read events up to the end of the track."""
        data, size = self._data, len(self._data)
        at = status = events = 0
        is_over = False  # whether the running status has ended, by the letter
        while at < size:
            delta, at = (data[at], at + 1) if data[at] < 0x80 else _number(data, at)
            if delta:
                self.tick, self._prefix = self.tick + delta, None
            events += 1
            if not events % _COUNTED:
                spend(_COUNTED)
            first = data[at]
            if first >= 0xF0:
                is_over = True
                at = self._system(first, at)
                continue
            if first >= 0x80:
                status, is_over, at = first, False, at + 1
            elif not status:
                raise Damage(f"the event at its byte {at} has no kind")
            elif is_over:
                self._warn(_RUNS_ON)
            end = at + _DATA_BYTES[status >> 4]
            if end > size:
                raise IndexError
            self._message(status, data[at:end], at)
            at, self._prefix = end, None
        spend(events % _COUNTED)

    def _message(self, status: int, values: bytes, at: int) -> None:
        """Take a message of a channel."""
        kind, channel = status >> 4, self._port << 4 | status & 0x0F
        if max(values) >= 0x80:
            if kind == _PROGRAM:
                return self._warn(_NO_PROGRAM)
            if values[0] >= 0x80 and kind < _PROGRAM:  # which key or controller is not known
                raise Damage(f"the event at its byte {at} is damaged")
            self._warn(_TOO_LOUD)
            values = bytes(min(value, 0x7F) for value in values)
        if kind == _NOTE_ON:
            self.sounding.switch(self.tick, channel, values[0], values[1])
        elif kind == _NOTE_OFF:
            self.sounding.switch(self.tick, channel, values[0], 0)
        else:
            control = Control(tick=self.tick, kind=kind, data=tuple(values))
            self.track.controls.setdefault(channel, []).append(control)
        return None

    def _system(self, first: int, at: int) -> int:
        """Take what belongs to no channel; return where the next event begins."""
        data = self._data
        if first == _META or first in _EXCLUSIVE:
            begin = at + 2 if first == _META else at + 1
            length, begin = _number(data, begin)
            end = begin + length
            if end > len(data):
                raise IndexError
            if first == _META:
                return self._meta(data[at + 1], data[begin:end], end)
            return end
        size = 0 if first >= 0xF8 else _SYSTEM_BYTES.get(first)
        if size is None:
            raise Damage(f"its byte {at} begins no event")
        self._warn(_ON_A_CABLE)
        return at + 1 + size

    def _meta(self, kind: int, content: bytes, end: int) -> int:
        if kind == END_OF_TRACK:
            if any(self._data[end:]):
                self._warn(_BEHIND)
            return len(self._data)
        if kind == PORT:
            self._port = content[0] if len(content) == 1 else self._port
        elif kind == CHANNEL_PREFIX:
            named = len(content) == 1 and content[0] < 16
            self._prefix = self._port << 4 | content[0] if named else None
        else:
            self.track.metas.append(Meta(self.tick, kind, content, self._prefix))
        return end


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of up to four bytes with seven bits each; return it and where it ends."""
    number = 0
    for n in range(at, at + 4):
        byte = data[n]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, n + 1
    raise Damage(f"the number at its byte {at} is too long")
