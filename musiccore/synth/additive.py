"""An additive synthesiser for whole scores: every General MIDI program, drums, pedal, dynamics.

Not the piano that `nano` learned from (`synthesis.py`, which is frozen): this one may become
better. A tone is a sum of decaying partials, made once per instrument, pitch and brightness, and
used for all its notes. Notes begin on their exact sample. Equal scores give equal samples.

A partial is a power series: `a z^t`. Written as a matrix product over blocks of samples, all of
them together cost less than one sine of each.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from musiccore.scores.score import Score, SoundingNote
from musiccore.synth.drums import CLOSED_HATS, OPEN_HAT, drum_sound
from musiccore.synth.expression import Gestures, damped, gestures_of
from musiccore.synth.timbres import Timbre, timbre_of

Samples = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex128]

BLOCK_SECONDS = 6.0
"""How much is made at a time."""

_ROW = 256  # samples of one row of the matrix product
_SILENT = 1e-4  # of a tone's level: 80 dB down
_LONGEST_RING = 12.0
_KEPT_SECONDS = 8.0  # of a steady tone; what comes after is made when it is needed
_GRID = float(1 << 22)  # tones are rounded to it, so that machines agree
_PLAYERS = ((0.6, 0.0), (0.12, 1.0), (0.12, -1.0), (0.08, 0.43), (0.08, -0.43))  # share, detuning
_HIGHEST = 0.42  # highest partial, as a share of the sample rate
_CHOKED = 0.03  # seconds in which a hi-hat is stopped
_RINGS_ON = 1 << 60  # samples that a note is held whose end nobody hears
_LAYERS = 4  # of brightness, from soft to loud


def stream(score: Score, sample_rate: int, n_samples: int) -> Iterator[Samples]:
    """Play a score.

    Args:
        score: any score.
        sample_rate: Hz.
        n_samples: length of all blocks together; what would sound later is cut.

    Yields:
        Stereo blocks [2, time] of `BLOCK_SECONDS`, the last one shorter. Levels are those of the
        instruments: a loud score exceeds 1.
    """
    parts = _parts(score, sample_rate)
    tones = _Tones(sample_rate, parts)
    length = int(BLOCK_SECONDS * sample_rate)
    for start in range(0, n_samples, length):
        stop = min(start + length, n_samples)
        block = np.zeros((2, stop - start), dtype=np.float32)
        for part in parts:
            part.play_into(block, start, tones, sample_rate)
        yield block


@dataclass(slots=True)
class _Stroke:
    """One note: when it begins, how long it is held, in samples, and what sounds."""

    start: int
    held: int
    gain: float
    sound: tuple[int, int, int]  # program (-1 for drums), pitch, layer of brightness

    @property
    def timbre(self) -> Timbre | None:
        return None if self.sound[0] < 0 else timbre_of(self.sound[0])


class _PlayedPart:
    """The notes of one part, and what its player does beside them."""

    def __init__(self, strokes: list[_Stroke], gestures: Gestures) -> None:
        self.strokes = strokes
        self._gestures = gestures
        self._waiting = sorted(strokes, key=lambda stroke: stroke.start, reverse=True)
        self._sounding: list[_Stroke] = []

    @property
    def bends(self) -> bool:
        """Whether its pitch is ever bent."""
        return bool((self._gestures.speed.values != 1.0).any())

    @property
    def fastest(self) -> float:
        """How many times sooner than written a tone is used up."""
        return float(self._gestures.speed.values.max())

    def play_into(self, block: Samples, start: int, tones: _Tones, sample_rate: int) -> None:
        """Add what sounds from `start` on to a block; blocks come in order."""
        stop = start + block.shape[1]
        while self._waiting and self._waiting[-1].start < stop:
            self._sounding.append(self._waiting.pop())
        if not self._sounding:
            return
        bus = np.zeros(stop - start, dtype=np.float32)
        self._sounding = [
            stroke for stroke in self._sounding if self._add(stroke, bus, start, tones, sample_rate)
        ]
        self._mix(bus, block, start, sample_rate)

    def _add(
        self, stroke: _Stroke, bus: Samples, start: int, tones: _Tones, sample_rate: int
    ) -> bool:
        """Add one note; return whether it goes on after this block."""
        release = tones.release(stroke)
        first, stop = max(stroke.start, start), start + len(bus)
        begin, last = first - stroke.start, stroke.held + release  # within the note
        end = min(stop - stroke.start, last)
        if stroke.timbre is None or not self.bends:
            sound = tones.read(stroke, begin, end)
            goes_on = last > end == begin + len(sound)
        else:
            sound = self._bent(stroke, begin, end, tones, sample_rate)
            goes_on = last > end and len(sound) > 0
        if not len(sound):
            return goes_on
        scaled = sound * np.float32(stroke.gain)
        if begin + len(scaled) > stroke.held:  # let go: down to silence on half a cosine
            at = np.arange(max(stroke.held - begin, 0), len(scaled))
            fade = 0.5 + 0.5 * np.cos(np.pi * (at + begin - stroke.held) / max(release, 1))
            scaled[at[0] :] *= fade.astype(np.float32)
        place = first - start
        bus[place : place + len(scaled)] += scaled
        return goes_on

    def _bent(
        self, stroke: _Stroke, begin: int, end: int, tones: _Tones, sample_rate: int
    ) -> Samples:
        """Return samples of a note that is read faster or slower; none where it has died away."""
        speed = self._gestures.speed
        times = np.arange(stroke.start + begin, stroke.start + end) / sample_rate
        origin = speed.integral(np.array([stroke.start / sample_rate]))
        places = (speed.integral(times) - origin) * sample_rate
        low = int(places[0])
        whole = tones.read(stroke, low, int(places[-1]) + 2)
        if not len(whole):
            return whole
        sound = np.interp(places - low, np.arange(len(whole)), whole, right=0.0)
        return np.asarray(sound, dtype=np.float32)

    def _mix(self, bus: Samples, block: Samples, start: int, sample_rate: int) -> None:
        gain, pan = self._gestures.gain, self._gestures.pan
        if gain.is_constant and pan.is_constant:
            angle = (float(pan.values[0]) + 1.0) * np.pi / 4.0
            level = float(gain.values[0])
            block[0] += bus * np.float32(level * np.sqrt(2.0) * np.cos(angle))
            block[1] += bus * np.float32(level * np.sqrt(2.0) * np.sin(angle))
            return
        times = np.arange(start, start + len(bus)) / sample_rate
        angles = (pan.at(times) + 1.0) * np.pi / 4.0
        levels = gain.at(times) * np.sqrt(2.0)
        block[0] += bus * (levels * np.cos(angles)).astype(np.float32)
        block[1] += bus * (levels * np.sin(angles)).astype(np.float32)


def _parts(score: Score, sample_rate: int) -> list[_PlayedPart]:
    by_part: dict[int, list[SoundingNote]] = {}
    for note in score.sounding():
        by_part.setdefault(note.part, []).append(note)
    played = []
    for index, notes in by_part.items():
        gestures = gestures_of(score, index)
        ends = damped(notes, gestures)
        strokes = [_stroke(note, end, sample_rate) for note, end in zip(notes, ends, strict=True)]
        if score.parts[index].is_drums:
            _choke_hats(strokes)
        played.append(_PlayedPart(strokes, gestures))
    return played


def _stroke(note: SoundingNote, end: float, sample_rate: int) -> _Stroke:
    start = round(note.onset * sample_rate)
    until = min(end, note.onset + 3600.0) * sample_rate
    program = -1 if note.is_drums else note.program
    layer = 0 if note.is_drums else note.velocity * _LAYERS // 128
    is_damped = note.is_drums or timbre_of(note.program).held
    return _Stroke(
        start=start,
        held=max(round(until) - start, 1) if is_damped else _RINGS_ON,
        gain=0.25 * (note.velocity / 127.0) ** 1.7,
        sound=(program, note.pitch, layer),
    )


def _choke_hats(strokes: list[_Stroke]) -> None:
    """Drums ring as long as they do, but an open hi-hat is stopped by the next stroke on it."""
    for stroke in strokes:
        stroke.held = _RINGS_ON
    hats = [s for s in strokes if s.sound[1] in (*CLOSED_HATS, OPEN_HAT)]
    for stroke, following in itertools.pairwise(hats):
        if stroke.sound[1] == OPEN_HAT:
            stroke.held = max(following.start - stroke.start, 1)


class _Tones:
    """The tones that a piece needs, each made once, as long as its longest note."""

    def __init__(self, sample_rate: int, parts: Sequence[_PlayedPart]) -> None:
        self._rate = sample_rate
        self._needed: dict[tuple[int, int, int], int] = {}
        for part in parts:
            for stroke in part.strokes:
                length = (stroke.held + self.release(stroke)) * part.fastest
                length = min(length, _LONGEST_RING * sample_rate)
                self._needed[stroke.sound] = max(self._needed.get(stroke.sound, 0), int(length) + 2)
        self._series: dict[tuple[int, int, int], _Series] = {}
        self._kept: dict[tuple[int, int, int], Samples] = {}

    def release(self, stroke: _Stroke) -> int:
        """Return the samples from the end of a note to silence."""
        timbre = stroke.timbre
        return round((_CHOKED if timbre is None else timbre.release) * self._rate)

    def read(self, stroke: _Stroke, start: int, stop: int) -> Samples:
        """Return samples of the tone of a note, fewer where it has died away."""
        kept = self._kept.get(stroke.sound)
        if kept is None:
            kept = self._kept[stroke.sound] = self._make(stroke)
        series = self._series.get(stroke.sound)
        if stop <= len(kept) or series is None or not series.is_steady:
            return kept[start:stop]
        beyond = series.samples(max(start, len(kept)), stop)
        return beyond if start >= len(kept) else np.concatenate([kept[start:], beyond])

    def _make(self, stroke: _Stroke) -> Samples:
        _, pitch, layer = stroke.sound
        timbre = stroke.timbre
        if timbre is None:
            return drum_sound(pitch, self._rate)
        series = self._series[stroke.sound] = _Series(timbre, pitch, layer, self._rate)
        longest = int((_KEPT_SECONDS if series.is_steady else series.ring) * self._rate)
        return series.samples(0, min(self._needed[stroke.sound], longest))


class _Series:
    """A tone as a sum of `a z^t`.

    Attributes:
        is_steady: whether it sounds as long as it is held.
        ring: seconds after which it is silent, if it is not steady.
    """

    def __init__(self, timbre: Timbre, pitch: int, layer: int, sample_rate: int) -> None:
        self._timbre = timbre
        self._rate = sample_rate
        self.is_steady = timbre.ring == 0.0
        hertz, levels, decays = _partials(timbre, pitch, layer, sample_rate)
        self.ring = min(float(decays.max()) * -np.log(_SILENT), _LONGEST_RING)
        # Spread phases, so that partials do not peak together; the copies of an ensemble share
        # them, so that its middle is the pitch.
        phases = 2.399963 * np.arange(1, len(hertz) + 1) ** 2 + 0.7 * pitch
        amplitudes: Complex = levels * np.exp(1j * (phases - np.pi / 2))
        poles: Complex = np.asarray(2j * np.pi * hertz, dtype=np.complex128)
        if not self.is_steady:
            poles -= 1.0 / decays
        elif timbre.bloom:  # a partial that comes late: itself, less itself dying away
            late = timbre.bloom * np.arange(1, len(hertz) + 1)
            amplitudes = np.concatenate([amplitudes, -amplitudes])
            poles = np.concatenate([poles, poles - 1.0 / late])
        if timbre.ensemble:
            spread = 2.0 ** (timbre.ensemble / 1200.0)
            turn: Complex = np.asarray(1j * poles.imag, dtype=np.complex128)
            copies = [(share, spread**far) for share, far in _PLAYERS]
            amplitudes = np.concatenate([share * amplitudes for share, _ in copies])
            poles = np.concatenate([poles + turn * (ratio - 1.0) for _, ratio in copies])
        self._amplitudes = amplitudes
        self._poles: Complex = poles / np.float64(sample_rate)
        self._steps: Complex = np.exp(np.outer(self._poles, np.arange(_ROW)))  # [K, row]

    def samples(self, start: int, stop: int) -> Samples:
        """Return samples [stop - start] of the tone."""
        if stop <= start:
            return np.zeros(0, dtype=np.float32)
        rows = np.arange(start // _ROW, -(-stop // _ROW))
        heads = self._amplitudes * np.exp(np.outer(rows * float(_ROW), self._poles))  # [rows, K]
        sound = heads.real @ self._steps.real - heads.imag @ self._steps.imag  # [rows, row]
        sound = sound.ravel()[start - rows[0] * _ROW :][: stop - start]
        depth, rate = self._timbre.tremolo
        if depth:
            t = np.arange(start, stop) / self._rate
            sound = sound * (1.0 - depth * np.sin(2.0 * np.pi * rate * t) ** 2)
        attack = round(self._timbre.attack * self._rate)
        if start < attack:
            ramp = np.arange(start, min(attack, stop))
            sound[: len(ramp)] *= 0.5 - 0.5 * np.cos(np.pi * ramp / attack)
        return np.asarray(np.rint(sound * _GRID) / _GRID, dtype=np.float32)


def _partials(
    timbre: Timbre, pitch: int, layer: int, sample_rate: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return frequencies (Hz), levels and decay times (s) of the partials that can be heard."""
    f0 = 440.0 * 2.0 ** ((pitch - 69) / 12)
    ring = timbre.ring * (261.63 / f0) ** 0.5
    dull = 0.35 * (_LAYERS - 2 - layer)  # soft notes are duller
    if timbre.ratios:
        ratios, levels, shares = (
            np.array(column, dtype=float) for column in zip(*timbre.ratios, strict=True)
        )
        levels = levels * ratios ** -np.where(ratios > 1.0, dull, 0.0)
    else:
        n = np.arange(1, timbre.partials + 1, dtype=float)
        ratios = n * np.sqrt(1.0 + timbre.stretch * n * n)
        levels = n ** -(timbre.tilt + dull)
        levels[1::2] *= timbre.even
        shares = 1.0 / (1.0 + timbre.damping * (n - 1.0))
    hertz = f0 * ratios
    levels = levels * (
        1.0
        + sum(
            formant.gain * np.exp(-(((hertz - formant.hertz) / formant.width) ** 2))
            for formant in timbre.formants
        )
    )
    heard = (hertz < _HIGHEST * sample_rate) & (levels > 0.0)
    heard[0] = True
    hertz, levels, shares = hertz[heard], levels[heard], shares[heard]
    power = float(np.sqrt(np.sum(levels**2)))
    return hertz, levels * (timbre.level / power), np.maximum(ring * shares, 1e-3)
