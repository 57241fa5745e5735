"""What a player does beside striking notes: pedal, swell, place in the room, bend.

A part obeys the controllers of its own; where it has none of a kind, those that another part
sends on the same channel (both hands of a piano share one pedal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from musiccore.scores.score import Control, Score, SoundingNote

Real = npt.NDArray[np.float64]

VOLUME, PAN, EXPRESSION, SUSTAIN = 7, 10, 11, 64
_DATA_ENTRY, _RPN_LOW, _RPN_HIGH = 6, 100, 101
_CONTROLLER, _PROGRAM, _BEND = 0xB, 0xC, 0xE
_BEND_CENTRE = 1 << 13
_BEND_RANGE = 2.0  # semitones, until a file says otherwise
_DEFAULTS = {VOLUME: 100, PAN: 64, EXPRESSION: 127, SUSTAIN: 0}
_PEDAL_DOWN = 64
_GLIDE = 0.01  # seconds over which a controller moves
_LAST_CHORD = 2.0  # seconds that it rings where nobody lifts the pedal


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A value that steps in time.

    Attributes:
        seconds: [n] when, from 0 on, rising.
        values: [n] from then on.
    """

    seconds: Real
    values: Real

    @property
    def is_constant(self) -> bool:
        """Whether it never changes."""
        return bool((self.values == self.values[0]).all())

    def at(self, seconds: Real) -> Real:
        """Return the values at some times [T], each step taken over 10 ms so that none clicks."""
        if self.is_constant:
            return np.full(len(seconds), self.values[0])
        ends = np.append(self.seconds[1:], np.inf)
        glide = np.minimum(_GLIDE, 0.5 * (ends - self.seconds))
        times = np.stack([self.seconds, self.seconds + glide], axis=1).ravel()[1:]
        values = np.repeat(self.values, 2)[:-1]
        return np.asarray(np.interp(seconds, times, values))

    def integral(self, seconds: Real) -> Real:
        """Return the integral from 0 to some times [T]."""
        widths = np.diff(self.seconds)
        sums = np.concatenate([[0.0], np.cumsum(widths * self.values[:-1])])
        knots = np.append(self.seconds, self.seconds[-1] + 1e6)
        return np.asarray(
            np.interp(seconds, knots, np.append(sums, sums[-1] + 1e6 * self.values[-1]))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gestures:
    """What a part does beside its notes.

    Attributes:
        gain: of amplitude; 1 is full.
        pan: -1 (left) to 1.
        speed: frequency ratio of the bend.
        pedal: (down, up) in seconds.
    """

    gain: Curve
    pan: Curve
    speed: Curve
    pedal: tuple[tuple[float, float], ...]

    def end_of(self, end: float) -> float:
        """Return when a note that is let go at `end` seconds is damped."""
        for down, up in self.pedal:
            if down <= end < up:
                return up
        return end


def controls_of(score: Score, index: int) -> tuple[Control, ...]:
    """Return the messages that a part obeys, sorted by tick; program changes are its own."""
    part = score.parts[index]
    own = {_kind(control) for control in part.controls}
    mates = [
        control
        for other in score.parts
        if other is not part and (other.port, other.channel) == (part.port, part.channel)
        for control in other.controls
        if control.kind != _PROGRAM and _kind(control) not in own
    ]
    return tuple(sorted([*part.controls, *mates], key=lambda control: control.tick))


def gestures_of(score: Score, index: int) -> Gestures:
    """Return what a part does beside its notes."""
    controls = controls_of(score, index)

    def stepped(number: int) -> Curve:
        changes = [
            (score.seconds_at(c.tick), float(c.data[1]))
            for c in controls
            if c.kind == _CONTROLLER and c.data[0] == number
        ]
        return _curve(changes, float(_DEFAULTS[number]))

    volume, expression, pan = stepped(VOLUME), stepped(EXPRESSION), stepped(PAN)
    times = np.union1d(volume.seconds, expression.seconds)
    product = _value(volume, times) * _value(expression, times)
    return Gestures(
        gain=Curve(seconds=times, values=(product / 127.0**2) ** 2),
        pan=Curve(seconds=pan.seconds, values=np.clip((pan.values - 64.0) / 63.0, -1.0, 1.0)),
        speed=_speed(score, controls),
        pedal=_pedal(stepped(SUSTAIN), last_pedal_up(score)),
    )


def damped(notes: Sequence[SoundingNote], gestures: Gestures) -> list[float]:
    """Return for each note of one part, sorted by onset, when it is damped, in seconds.

    A string that is held by the pedal and struck again is damped by the stroke.
    """
    ends = [gestures.end_of(note.onset + note.duration) for note in notes]
    if not gestures.pedal:
        return ends
    struck: dict[int, int] = {}
    for index, note in enumerate(notes):
        before = struck.get(note.pitch)
        if before is not None:
            written = notes[before].onset + notes[before].duration
            ends[before] = min(ends[before], max(written, note.onset))
        struck[note.pitch] = index
    return ends


def _kind(control: Control) -> tuple[int, int]:
    return control.kind, control.data[0] if control.kind == _CONTROLLER else -1


def _curve(changes: Sequence[tuple[float, float]], before: float) -> Curve:
    """A curve from changes sorted by time; of two at one time the later one counts."""
    steps = {0.0: before} | dict(changes)
    return Curve(seconds=np.array(list(steps)), values=np.array(list(steps.values())))


def _value(curve: Curve, seconds: Real) -> Real:
    return np.asarray(curve.values[np.searchsorted(curve.seconds, seconds, side="right") - 1])


def _speed(score: Score, controls: Sequence[Control]) -> Curve:
    semitones, selected = _BEND_RANGE, (127, 127)
    changes: list[tuple[float, float]] = []
    for control in controls:
        if control.kind == _CONTROLLER and control.data[0] == _RPN_HIGH:
            selected = (control.data[1], selected[1])
        elif control.kind == _CONTROLLER and control.data[0] == _RPN_LOW:
            selected = (selected[0], control.data[1])
        elif control.kind == _CONTROLLER and control.data[0] == _DATA_ENTRY and selected == (0, 0):
            semitones = float(control.data[1])
        elif control.kind == _BEND:
            bend = (control.data[0] | control.data[1] << 7) - _BEND_CENTRE
            ratio = 2.0 ** (semitones * bend / _BEND_CENTRE / 12.0)
            changes.append((score.seconds_at(control.tick), ratio))
    return _curve(changes, 1.0)


def last_pedal_up(score: Score) -> float:
    """Return when a pedal comes up that the score leaves down, in seconds."""
    controls = (control.tick for part in score.parts for control in part.controls)
    return score.seconds_at(max([score.end, *controls])) + _LAST_CHORD


def _pedal(curve: Curve, last: float) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    down: float | None = None
    for seconds, value in zip(curve.seconds.tolist(), curve.values.tolist(), strict=True):
        if value >= _PEDAL_DOWN and down is None:
            down = seconds
        elif value < _PEDAL_DOWN and down is not None:
            found.append((down, seconds))
            down = None
    if down is not None:
        found.append((down, last))
    return tuple(found)
