"""A score as audio: on a sound font through FluidSynth, or on instruments of our own.

The two agree on when notes begin, on their pitch, and on how long the result is. `own` is always
there and gives the same samples for the same score; `fluidsynth` needs its library and a sound
font on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import Audio
from musiccore.errors import AudioError, ConfigError, MissingProgram
from musiccore.scores.score import Score

if TYPE_CHECKING:
    from musiccore.synth.fluidsynth import FluidSynth

Engine = Literal["auto", "own", "fluidsynth"]

RING_SECONDS: Final = 1.0
"""What is heard at least after the last note has been let go, by the hand and by the pedal."""

LONGEST_RING: Final = 12.0
"""Seconds after that, until which a tone that still rings is heard."""

LONGEST_SECONDS: Final = 3600.0
LOUDNESS: Final = -16.0
"""LUFS, what streaming services play music at."""

CEILING: Final = 0.891
"""Largest sample, 1 dB below full scale."""

_FADE_SECONDS = 0.5
_DIED_AWAY = 1e-3  # of the largest sample
_KEPT_SECONDS = 120.0  # of a performance, so that it is played once

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """What plays scores on this machine.

    Attributes:
        fluidsynth: the library and a sound font; None plays on our own instruments.
        reason: why FluidSynth is not used, where one would have been welcome.
    """

    fluidsynth: FluidSynth | None = None
    reason: str = ""

    @classmethod
    def find(
        cls,
        engine: Engine = "auto",
        *,
        library: str | os.PathLike[str] = "",
        soundfont: str | os.PathLike[str] = "",
        reverb: bool = False,
        chorus: bool = False,
    ) -> Player:
        """Find what plays.

        Args:
            engine: `fluidsynth`, `own`, or `auto`: the first where it is found, else the second.
            library: FluidSynth's library; empty looks for it.
            soundfont: what FluidSynth plays on; empty looks for one.
            reverb: the sound of a room, which FluidSynth alone can add.
            chorus: several players instead of one, which FluidSynth alone can add.

        Raises:
            ConfigError: if a path that was given is wrong, or `own` shall add an effect.
            MissingProgram: if `fluidsynth` was asked for and something is missing.
        """
        if engine == "own":
            check_effects(engine, reverb=reverb, chorus=chorus)
            return cls()
        from musiccore.synth.fluidsynth import Effects, find_fluidsynth

        effects = Effects(reverb=reverb, chorus=chorus)
        try:
            found = find_fluidsynth(library=library, soundfont=soundfont, effects=effects)
        except MissingProgram as error:
            if engine == "fluidsynth":
                raise
            return cls(reason=error.message)
        return cls(fluidsynth=found)

    def describe(self) -> dict[str, object]:
        """Return what plays, for the record: `engine`, and of a sound font name and digest."""
        if self.fluidsynth is None:
            return {"engine": "own"}
        font = self.fluidsynth.font
        return {
            "engine": f"fluidsynth {self.fluidsynth.version()}",
            "soundfont": font.name,
            "soundfont_sha256": font.sha256(),
        }

    def performance(
        self, score: Score, *, sample_rate: int = 44_100, loudness: float | None = LOUDNESS
    ) -> Performance:
        """Return a score as sound that is made when it is heard; see `perform`.

        Raises:
            AudioError: if nothing sounds.
            MissingProgram: if FluidSynth fails.
        """
        return Performance(self, score, sample_rate, loudness)

    def perform(
        self, score: Score, *, sample_rate: int = 44_100, loudness: float | None = LOUDNESS
    ) -> Audio:
        """Play a score into memory; see `perform`.

        Raises:
            AudioError: if nothing sounds.
            MissingProgram: if FluidSynth fails.
        """
        played = self.performance(score, sample_rate=sample_rate, loudness=loudness)
        samples = np.empty((2, played.n_frames), dtype=np.float32)
        done = 0
        for block in played.blocks():
            samples[:, done : done + len(block)] = block.T
            done += len(block)
        return Audio(samples=samples, sample_rate=sample_rate)

    def stream(self, score: Score, sample_rate: int, n_samples: int) -> Iterator[Samples]:
        """Yield stereo blocks [2, time], at the level of the instruments."""
        if self.fluidsynth is not None:
            return self.fluidsynth.stream(score, sample_rate, n_samples)
        from musiccore.synth.additive import stream

        return stream(score, sample_rate, n_samples)


class Performance:
    """A score as sound: heard block by block, as often as wanted, in constant memory.

    It is what `editing.deliver` takes. The level is found by a first pass; a short piece keeps it,
    a long one is played again.

    Attributes:
        n_frames: samples per channel.

    Args:
        player: what plays.
        score: what is played.
        sample_rate: Hz.
        loudness: see `perform`.

    Raises:
        AudioError: if nothing sounds.
        MissingProgram: if FluidSynth fails.
    """

    def __init__(
        self, player: Player, score: Score, sample_rate: int, loudness: float | None
    ) -> None:
        self.sample_rate, self.channels = sample_rate, 2
        self.name = score.name or "score"
        self.bits, self.dtype, self.kind = "float", "float32", "score"
        self.exact = False
        self.mask = 0
        self.warnings: tuple[str, ...] = ()
        self.damage: str | None = None
        self._player, self._score = player, score
        self._kept: list[Samples] | None = None
        self.n_frames, self._gain = self._measured(loudness)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Samples]:
        """Yield [T, 2] from sample `start` to before sample `stop`, or to the end."""
        last = self.n_frames if stop is None else min(stop, self.n_frames)
        done = 0
        for block in self._raw():
            first, done = done, done + block.shape[1]
            if first >= last:
                return
            cut = block[:, max(start - first, 0) : last - first]
            if cut.shape[1]:
                yield np.ascontiguousarray(cut.T) * self._gain

    def _raw(self) -> Iterator[Samples]:
        """Blocks [2, T] at the level of the instruments, with silence at the end."""
        if self._kept is not None:
            yield from self._kept
            return
        done = 0
        for block in self._player.stream(self._score, self.sample_rate, self._longest):
            yield _faded(block[:, : self.n_frames - done], done, self.n_frames, self.sample_rate)
            done += block.shape[1]
            if done >= self.n_frames:
                return

    @property
    def _longest(self) -> int:
        """Samples after which nothing is heard, whatever rings."""
        released = length_of(self._score, self.sample_rate)
        most = round(LONGEST_SECONDS * self.sample_rate)
        return min(released + round((LONGEST_RING - RING_SECONDS) * self.sample_rate), most)

    def _measured(self, loudness: float | None) -> tuple[int, np.float32]:
        """Play once; return the length, and the factor that brings it to its level."""
        from musiccore.audio.loudness import LoudnessMeter

        meter = LoudnessMeter(self.sample_rate, self.channels, true_peak=False)
        least = length_of(self._score, self.sample_rate)
        short = least <= _KEPT_SECONDS * self.sample_rate
        kept: list[Samples] = []
        peak, done = 0.0, 0
        ending: list[Samples] = []  # what may be faded, or cut off

        def take(block: Samples) -> None:
            nonlocal peak
            peak = max(peak, float(block.max()), float(-block.min()))
            if loudness is not None:
                meter.add(block.T)
            if short:
                kept.append(block)

        fade = round(_FADE_SECONDS * self.sample_rate)
        for block in self._player.stream(self._score, self.sample_rate, self._longest):
            done += block.shape[1]
            if done <= least - fade:
                take(block)
                continue
            ending.append(block)
            loudest = max(peak, *(float(np.abs(each).max()) for each in ending))
            if done >= least and _last_above(block, _DIED_AWAY * loudest) is None:
                break
        first = done - sum(block.shape[1] for block in ending)
        n_frames = max(least, first + _ringing(ending, peak))
        for block in ending:
            if first < n_frames:
                take(_faded(block[:, : n_frames - first], first, n_frames, self.sample_rate))
            first += block.shape[1]
        if peak == 0.0:
            raise AudioError("the score is silent: its volume is 0 throughout")
        self._kept = kept if short else None
        gain = 1.0
        if loudness is not None and np.isfinite(measured := meter.integrated()):
            gain = 10.0 ** ((loudness - measured) / 20.0)
        return n_frames, np.float32(min(gain, CEILING / peak))


def _last_above(block: Samples, level: float) -> int | None:
    """Return the last sample of [2, T] that is louder, or None."""
    loud = np.flatnonzero(np.abs(block).max(axis=0) > level)
    return int(loud[-1]) if len(loud) else None


def _ringing(ending: list[Samples], peak: float) -> int:
    """Return the samples of the last blocks after which all has died away."""
    loudest = max(peak, *(float(np.abs(block).max()) for block in ending))
    begin, last = 0, 0
    for block in ending:
        found = _last_above(block, _DIED_AWAY * loudest)
        last = last if found is None else begin + found + 1
        begin += block.shape[1]
    return last


def _faded(block: Samples, start: int, n_frames: int, sample_rate: int) -> Samples:
    """Return [2, T] that begins at a sample, silent at the end of all frames."""
    n_fade = min(round(_FADE_SECONDS * sample_rate), n_frames)
    at = np.arange(start, start + block.shape[1]) - (n_frames - n_fade)
    if not len(at) or at[-1] < 0:
        return block
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.clip((at + 1) / n_fade, 0.0, 1.0))
    return np.asarray(block * ramp.astype(np.float32))


def perform(
    score: Score,
    *,
    engine: Engine = "own",
    sample_rate: int = 44_100,
    loudness: float | None = LOUDNESS,
) -> Audio:
    """Play a score.

    Args:
        score: with at least one note.
        engine: `own` instruments, `fluidsynth`, or `auto`.
        sample_rate: Hz.
        loudness: LUFS of the whole; lower where a peak would pass -1 dBFS. None keeps the level
            of the instruments, but for such peaks.

    Returns:
        Stereo audio that ends `RING_SECONDS` after the last note is let go, or when it has died
        away, but not later than `LONGEST_RING` after that, nor after an hour.

    Raises:
        AudioError: if nothing sounds.
        MissingProgram: if `fluidsynth` was asked for and is not here.
    """
    return Player.find(engine).perform(score, sample_rate=sample_rate, loudness=loudness)


def check_effects(engine: Engine, *, reverb: bool, chorus: bool) -> None:
    """Check that an engine has the effects that are wanted.

    Raises:
        ConfigError: if it is `own`, which has none.
    """
    wanted = "reverb" if reverb else "chorus" if chorus else ""
    if wanted and engine == "own":
        raise ConfigError(
            f"{wanted}: the engine own has none", hint="use the engine fluidsynth, or auto"
        )


def length_of(score: Score, sample_rate: int) -> int:
    """Return how long a performance is at least, in samples: `RING_SECONDS` after the last release.

    Raises:
        AudioError: if the score holds no notes.
    """
    if not score.n_notes:
        raise AudioError("the score holds no notes that can be played")
    released = max(score.seconds, _pedal_up(score))
    return round(min(released + RING_SECONDS, LONGEST_SECONDS) * sample_rate)


def _pedal_up(score: Score) -> float:
    """Return when the last note that a pedal holds is let go, in seconds."""
    from musiccore.synth.expression import damped, gestures_of

    notes = score.sounding()
    latest = 0.0
    for index, part in enumerate(score.parts):
        if part.notes and not part.is_drums:  # drums ring as long as they do
            own = [note for note in notes if note.part == index]
            latest = max(latest, *damped(own, gestures_of(score, index)))
    return latest
