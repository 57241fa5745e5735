"""The bytes of one track of a MIDI file, scanned once, with limits and one error for all damage.

Scanned here, not by mido: its loop knows no limits (800 kB of `0xFF` keep it busy for a minute,
10 MB for hours), refuses a whole file for an odd key signature, and builds an object per event.

Specification: "Standard MIDI Files 1.0", track chunks.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from musiccore.score import Control, ScoreNote

CHANNEL_PREFIX, END_OF_TRACK = 0x20, 0x2F

_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_META, _EXCLUSIVE = 0xFF, (0xF0, 0xF7)
_COUNTED = 0x1000  # events between two looks at the limit


class Damage(ValueError):
    """What is wrong with the bytes of a track; the door adds the name of the file."""


@dataclass(frozen=True, slots=True)
class Meta:
    """A message about the piece, not sent to an instrument.

    Attributes:
        tick: when.
        kind: its second byte, such as 0x51 for a tempo.
        data: its content.
        channel: the one that a channel prefix at the same tick names, or None.
    """

    tick: int
    kind: int
    data: bytes
    channel: int | None


@dataclass(slots=True)
class Track:
    """What one track holds.

    Attributes:
        notes: per channel, in the order in which they begin.
        controls: per channel, in the order of the file.
        metas: in the order of the file.
        end: tick of the last event.
    """

    notes: dict[int, list[ScoreNote]] = field(default_factory=dict)
    controls: dict[int, list[Control]] = field(default_factory=dict)
    metas: list[Meta] = field(default_factory=list)
    end: int = 0


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


def scan(data: bytes, spend: Callable[[int], None]) -> Track:
    """Scan the content of a track chunk.

    Args:
        data: the bytes after the length of the chunk.
        spend: called with a number of events now and then; raises if they are too many.

    Raises:
        Damage: if an event is cut short or is none.
    """
    track, sounding = Track(), _Sounding()
    at = tick = status = events = 0
    prefix: int | None = None
    size = len(data)
    try:
        while at < size:
            delta, at = (data[at], at + 1) if data[at] < 0x80 else _number(data, at)
            if delta:
                tick, prefix = tick + delta, None
            events += 1
            if not events % _COUNTED:
                spend(_COUNTED)
            first = data[at]
            if first >= 0xF0:
                begin = at + 2 if first == _META else at + 1
                length, begin = _number(data, begin)
                end = begin + length
                if end > size:
                    raise IndexError
                if first == _META:
                    kind, content = data[at + 1], data[begin:end]
                    if kind == END_OF_TRACK:
                        break
                    if kind == CHANNEL_PREFIX:
                        prefix = content[0] if len(content) == 1 and content[0] < 16 else None
                    else:
                        track.metas.append(Meta(tick, kind, content, prefix))
                elif first not in _EXCLUSIVE:
                    raise Damage(f"its byte {at} begins no event")
                at, status = end, 0
                continue
            if first >= 0x80:
                status, at = first, at + 1
            elif not status:
                raise Damage(f"the event at its byte {at} has no kind")
            kind, channel = status >> 4, status & 0x0F
            end = at + _DATA_BYTES[kind]
            if end > size:
                raise IndexError
            values = data[at:end]
            if max(values) >= 0x80:
                raise Damage(f"the event at its byte {at} is damaged")
            at, prefix = end, None
            if kind == 0x9:
                sounding.switch(tick, channel, values[0], values[1])
            elif kind == 0x8:
                sounding.switch(tick, channel, values[0], 0)
            else:
                track.controls.setdefault(channel, []).append(
                    Control(tick=tick, kind=kind, data=tuple(values))
                )
    except IndexError:
        raise Damage("it is cut short within an event") from None
    spend(events % _COUNTED)
    track.end = tick
    track.notes = sounding.finished(tick)
    return track


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of up to four bytes with seven bits each; return it and where it ends."""
    number = 0
    for n in range(at, at + 4):
        byte = data[n]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, n + 1
    raise Damage(f"the number at its byte {at} is too long")
