"""The melody of a recording as a score. Experimental: one voice at a time.

Pitch is followed by pYIN; a note begins where the pitch moves to another semitone, where sound
comes out of silence, and where the level of one pitch jumps up. Chords give their strongest line,
at best. How often it is right is in docs/midi.md.

Paper: "pYIN: A Fundamental Frequency Estimator Using Probabilistic Threshold Distributions", as
librosa has it; notes and octaves are decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import Audio, resample, to_mono
from musiccore.errors import AudioError
from musiccore.scores.midi import write_midi
from musiccore.scores.score import Part, Score, ScoreNote, Tempo
from musiccore.storage.atomic import write_file

Real = npt.NDArray[np.float64]

LOWEST, HIGHEST = 33, 96
"""Pitches that are looked for, A1 to C7."""

_RATE = 22_050
_FRAME, _HOP = 2048, 256
_PIECE_SECONDS, _OVERLAP_SECONDS = 30.0, 1.0
_SHORTEST_SECONDS = 0.06
_GAP_SECONDS = 0.045  # of silence or noise within one note
_NEW_PITCH = 0.6  # semitones from the note that sounds
_SETTLED_FRAMES = 3
_JUMP_DB, _JUMP_SECONDS = 3.0, 0.05  # a level that rises so much so soon is struck again
_ALL_BUT = 0.9  # of the partials
_TRANSITION_SECONDS = 0.18  # during which one note dies away under the next
_LATE_SECONDS = 0.14  # by which pYIN may be late
_TOLD_APART_HZ = 600.0
_RISEN = 0.35  # of the way up is where a note begins
_SILENCE_DB = -50.0  # below the loudest frame
_TICKS = 480
_TEMPO_RANGE = (60.0, 150.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """What is known about every 11.6 ms.

    Attributes:
        pitch: MIDI number with cents; NaN where nothing has a pitch.
        level: RMS, dB.
        rise: dB by which the level is above its lowest place just before.
    """

    pitch: Real
    level: Real
    rise: Real


@dataclass(slots=True)
class _Heard:
    """One note: frames and pitch."""

    first: int
    last: int
    pitch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcription:
    """What was written down.

    Attributes:
        score: one part.
        seconds: length of the recording.
        name: of the recording: its stem, or run and take.
        warnings: what was odd about it, or is missing.
    """

    score: Score
    seconds: float
    name: str
    warnings: tuple[str, ...] = ()

    def write(self, destination: str, *, force: bool) -> str:
        """Write a MIDI file.

        Args:
            destination: a file or a folder; empty is a file of this folder with the source's name.
            force: write over a file that exists.

        Returns:
            Its path.

        Raises:
            ConfigError: if it exists.
            AudioError: if it cannot be written.
        """
        target = Path(destination or ".").expanduser()
        if target.is_dir():
            target = target / f"{self.name}.mid"
        write_file(target, write_midi(self.score), force=force)
        return str(target)


def transcribe(audio: Audio, *, program: int = 0) -> Score:
    """Write down the melody of a recording.

    Args:
        audio: any length; channels are averaged.
        program: General MIDI instrument of the result.

    Returns:
        One part, with exact times; its tempo is an estimate. It may hold no notes.

    Raises:
        AudioError: if the audio is shorter than a tenth of a second.
    """
    if audio.seconds < 0.1:
        raise AudioError(f"audio lasts {audio.seconds:.3f} s, too short for a melody")
    samples = to_mono(resample(audio, _RATE)).samples[0].astype(np.float64)
    frames, sound = _frames(samples), _Sound(samples)
    heard = [
        note
        for note in _notes(frames, sound)
        if _seconds(note.last - note.first) >= _SHORTEST_SECONDS
    ]
    for note in heard:
        note.pitch = _octave(sound, note)
    onsets = [_seconds(note.first) for note in heard]
    return _score(heard, frames, _tempo(onsets), program)


def _seconds(frame: int) -> float:
    return frame * _HOP / _RATE


# What sounds ------------------------------------------------------------------------------------


def _frames(samples: Real) -> _Frames:
    n_frames = 1 + len(samples) // _HOP
    pitch = np.full(n_frames, np.nan)
    length, overlap = round(_PIECE_SECONDS * _RATE), round(_OVERLAP_SECONDS * _RATE)
    step = (length - 2 * overlap) // _HOP * _HOP
    for start in range(0, max(len(samples) - overlap, 1), step):
        begin = max(start - overlap // _HOP * _HOP, 0)
        found = _pitches(samples[begin : start + step + overlap])[(start - begin) // _HOP :]
        stop = min(start // _HOP + len(found), n_frames)
        pitch[start // _HOP : stop] = found[: stop - start // _HOP]
    level = _levels(samples, n_frames)
    pitch[level < level.max() + _SILENCE_DB] = np.nan
    reach = max(round(_JUMP_SECONDS * _RATE / _HOP), 1)
    before = np.stack(
        [np.pad(level, (n, 0), mode="edge")[: len(level)] for n in range(1, reach + 1)]
    )
    return _Frames(pitch=pitch, level=level, rise=level - before.min(axis=0))


def _pitches(samples: Real) -> Real:
    """Pitch of every frame by pYIN, NaN where there is none."""
    import librosa

    if not np.any(samples):
        return np.full(1 + len(samples) // _HOP, np.nan)
    hertz, _, _ = librosa.pyin(
        samples,
        fmin=float(librosa.midi_to_hz(LOWEST)),
        fmax=float(librosa.midi_to_hz(HIGHEST)),
        sr=_RATE,
        frame_length=_FRAME,
        hop_length=_HOP,
        resolution=0.2,  # of a semitone: six times as fast as 0.1, and as right
        fill_na=np.nan,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(69.0 + 12.0 * np.log2(hertz / 440.0))


def _levels(samples: Real, n_frames: int) -> Real:
    """RMS of short centred frames, dB."""
    width = 2 * _HOP
    power = np.concatenate([[0.0], np.cumsum(np.pad(samples, (width // 2, width)) ** 2)])
    starts = np.minimum(np.arange(n_frames) * _HOP, len(power) - 1 - width)
    return np.asarray(10.0 * np.log10((power[starts + width] - power[starts]) / width + 1e-12))


class _Sound:
    """The samples, and how strong a pitch is in them at some place."""

    def __init__(self, samples: Real) -> None:
        self._padded = np.pad(samples, _FRAME)

    def strengths(
        self, frames: npt.NDArray[np.int64], pitch: int, width: int, multiples: Sequence[float]
    ) -> Real:
        """Amplitudes [frames, multiples] of multiples of a pitch, in windows of `width` samples."""
        f0 = 440.0 * 2.0 ** ((pitch - 69) / 12)
        hertz = np.array([m * f0 for m in multiples if m * f0 < 0.45 * _RATE])
        window = np.hanning(width) * 2.0 / width
        waves = np.exp(-2j * np.pi / _RATE * np.outer(np.arange(width), hertz)) * window[:, None]
        starts = np.clip(frames * _HOP + _FRAME - width // 2, 0, len(self._padded) - width)
        pieces = np.lib.stride_tricks.sliding_window_view(self._padded, width)[starts]
        return np.asarray(np.abs(pieces @ waves))

    def strength(self, first: int, last: int, pitch: int) -> float:
        """How strong the first partials of a pitch are within some frames."""
        frames = np.arange(first, last + 1)
        return float(np.sum(self.strengths(frames, pitch, _FRAME, (1.0, 2.0, 3.0)) ** 2))


# Notes ------------------------------------------------------------------------------------------


def _notes(frames: _Frames, sound: _Sound) -> list[_Heard]:
    heard = _merged(list(_pieces(frames, sound)), sound)
    earliest = 0
    for note in heard:
        note.first = max(_begin(sound, note), earliest)
        earliest = note.first + 1
    return heard


def _pieces(frames: _Frames, sound: _Sound) -> Iterator[_Heard]:
    """Cut the line of pitches into notes."""
    now: _Heard | None = None
    silent = 0
    most_silent = round(_GAP_SECONDS * _RATE / _HOP)
    pitch = frames.pitch
    for at in range(len(pitch)):
        if np.isnan(pitch[at]):
            silent += 1
            if now is not None and silent > most_silent:
                yield now
                now = None
            continue
        silent = 0
        ahead = pitch[at : at + _SETTLED_FRAMES]
        settled = not np.isnan(ahead).any() and np.ptp(ahead) < 1.0
        wanted = round(float(np.median(ahead))) if settled else None
        if now is None:
            now = None if wanted is None else _Heard(first=at, last=at, pitch=wanted)
        elif abs(pitch[at] - now.pitch) > _NEW_PITCH and wanted not in (None, now.pitch):
            assert wanted is not None
            yield now
            now = _Heard(first=at, last=at, pitch=wanted)
        elif _struck(frames, sound, at, now):
            yield now
            now = _Heard(first=at, last=at, pitch=now.pitch)
        else:
            now.last = at
    if now is not None:
        yield now


def _struck(frames: _Frames, sound: _Sound, at: int, now: _Heard) -> bool:
    """Whether the same pitch is struck again here: nearly all of its partials jump up at once.

    Where players of an ensemble beat against each other, some rise while others fall.
    """
    if at - now.first < round(_SHORTEST_SECONDS * _RATE / _HOP):
        return False
    rise = frames.rise[at : at + 2]
    if rise[0] < _JUMP_DB or rise[0] < rise.max():
        return False
    reach = round(_JUMP_SECONDS * _RATE / _HOP)
    places = np.array([at - reach, at + 1])
    before, after = sound.strengths(places, now.pitch, _FRAME // 2, range(1, 9)) + 1e-9
    counted = after > 0.02 * after.max()
    risen = 20.0 * np.log10(after / before)[counted]
    return bool(np.median(risen) >= _JUMP_DB and np.mean(risen > 0.5 * _JUMP_DB) >= _ALL_BUT)


def _merged(heard: list[_Heard], sound: _Sound) -> list[_Heard]:
    """Give what is heard while one note dies away under the next to the next."""
    kept: list[_Heard] = []
    for note in heard:
        while kept and _is_transition(kept[-1], note, sound):
            note.first = kept.pop().first
        kept.append(note)
    return kept


def _is_transition(short: _Heard, note: _Heard, sound: _Sound) -> bool:
    near = 0 < abs(short.pitch - note.pitch) <= 2 and note.first - short.last <= 2
    if not near or _seconds(short.last - short.first) > _TRANSITION_SECONDS:
        return False
    own, other = (sound.strength(short.first, short.last, p) for p in (short.pitch, note.pitch))
    return other > own


def _begin(sound: _Sound, note: _Heard) -> int:
    """Return when the note's pitch has come half-way up: pYIN follows a slow attack late."""
    back, ahead = (round(s * _RATE / _HOP) for s in (_LATE_SECONDS, _JUMP_SECONDS))
    frames = np.arange(
        max(note.first - back, 0), max(min(note.first + ahead, note.last), note.first) + 1
    )
    # Low partials of neighbours are too near each other to be told apart.
    first = max(round(_TOLD_APART_HZ / (440.0 * 2.0 ** ((note.pitch - 69) / 12))), 1)
    curve = sound.strengths(frames, note.pitch, _FRAME, range(first, first + 4)).sum(axis=1)
    top = int(np.argmax(curve))
    low = int(np.argmin(curve[: top + 1]))
    half = curve[low] + _RISEN * (curve[top] - curve[low])
    below = np.flatnonzero(curve[: top + 1] < half)
    return int(frames[below[-1]] + 1) if len(below) else int(note.first)


def _octave(sound: _Sound, note: _Heard) -> int:
    """Correct a pitch by an octave if its partials say so."""
    # The middle of the note: before, the one before it still dies away.
    length = note.last - note.first
    frames = np.arange(note.first + length // 3, note.first + length * 2 // 3 + 1)

    def strength(*multiples: float) -> float:
        return float(np.sum(sound.strengths(frames, note.pitch, _FRAME, multiples) ** 2))

    if note.pitch - 12 >= LOWEST and strength(0.5, 1.5, 2.5) > 0.1 * strength(1.0, 2.0, 3.0, 4.0):
        return note.pitch - 12
    if note.pitch + 12 <= HIGHEST and strength(1.0, 3.0, 5.0) < 0.003 * strength(2.0, 4.0, 6.0):
        return note.pitch + 12
    return note.pitch


# The score --------------------------------------------------------------------------------------


def _tempo(onsets: list[float]) -> float:
    """Quarter notes a minute whose quarter parts the distances of onsets fit best."""
    distances = np.diff(onsets)
    distances = distances[(distances > 0.08) & (distances < 4.0)]
    if len(distances) < 4:
        return 120.0
    candidates = np.arange(*_TEMPO_RANGE, 0.5)
    parts = distances[None] * candidates[:, None] / 60.0 * 2.0  # in eighth notes
    misfit = np.mean(np.minimum(np.abs(parts - np.rint(parts)), 0.25), axis=1)
    near = np.abs(np.log2(candidates / 96.0))  # of equal ones, the more usual
    return float(candidates[np.argmin(misfit + 0.02 * near)])


def _score(heard: list[_Heard], frames: _Frames, tempo: float, program: int) -> Score:
    tempos = (Tempo(tick=0, microseconds=round(60e6 / tempo)),)
    bare = Score(ticks_per_quarter=_TICKS, parts=(), tempos=tempos)
    loudest = max((_loudness(frames, note) for note in heard), default=0.0)
    notes = []
    for note, following in zip_longest(heard, heard[1:]):
        start, end = bare.tick_at(_seconds(note.first)), bare.tick_at(_seconds(note.last + 1))
        if following is not None:
            end = min(end, bare.tick_at(_seconds(following.first)))
        below = loudest - _loudness(frames, note)
        velocity = int(np.clip(round(100 - 2.5 * below), 20, 110))
        notes.append(
            ScoreNote(
                start=start, duration=max(end - start, 1), pitch=note.pitch, velocity=velocity
            )
        )
    part = Part(notes=tuple(notes), program=program, name="Melody")
    return Score(ticks_per_quarter=_TICKS, parts=(part,), tempos=tempos, name="Melody")


def _loudness(frames: _Frames, note: _Heard) -> float:
    quarter = (note.last - note.first) // 4
    return float(np.median(frames.level[note.first + quarter : note.last - quarter + 1]))


# How right it is --------------------------------------------------------------------------------

ONSET_TOLERANCE: Final = 0.05


def note_f1(reference: Score, found: Score, *, tolerance: float = ONSET_TOLERANCE) -> float:
    """Return how well a transcription agrees with the score that was played.

    Args:
        reference: what was played.
        found: what was written down.
        tolerance: seconds between two beginnings that are one note.

    Returns:
        F1 over notes of equal pitch, each matched once: 1.0 is all of them and nothing else.
    """
    left = [(note.onset, note.pitch) for note in reference.sounding()]
    total, hits = len(left), 0
    notes = found.sounding()
    for note in notes:
        near = [
            pair
            for pair in left
            if pair[1] == note.pitch and abs(pair[0] - note.onset) <= tolerance
        ]
        if near:
            left.remove(min(near, key=lambda pair: abs(pair[0] - note.onset)))
            hits += 1
    return 2.0 * hits / (total + len(notes)) if total + len(notes) else 1.0
