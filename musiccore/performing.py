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

from musiccore.audio import Audio
from musiccore.errors import AudioError, MissingProgram
from musiccore.score import Score

if TYPE_CHECKING:
    from musiccore.fluidsynth import FluidSynth

Engine = Literal["auto", "own", "fluidsynth"]

RING_SECONDS: Final = 1.0
"""What is heard after the end of the last note."""

LONGEST_SECONDS: Final = 3600.0
LOUDNESS: Final = -16.0
"""LUFS, what streaming services play music at."""

CEILING: Final = 0.891
"""Largest sample, 1 dB below full scale."""

_FADE_SECONDS = 0.5
_LARGEST_GAIN = 1e4

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
    ) -> Player:
        """Find what plays.

        Args:
            engine: `fluidsynth`, `own`, or `auto`: the first where it is found, else the second.
            library: FluidSynth's library; empty looks for it.
            soundfont: what FluidSynth plays on; empty looks for one.

        Raises:
            ConfigError: if a path that was given is wrong.
            MissingProgram: if `fluidsynth` was asked for and something is missing.
        """
        if engine == "own":
            return cls()
        from musiccore.fluidsynth import find_fluidsynth

        try:
            found = find_fluidsynth(library=library, soundfont=soundfont)
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

    def perform(
        self, score: Score, *, sample_rate: int = 44_100, loudness: float | None = LOUDNESS
    ) -> Audio:
        """Play a score; see `perform`.

        Raises:
            AudioError: if nothing sounds.
            MissingProgram: if FluidSynth fails.
        """
        n_samples = length_of(score, sample_rate)
        samples = np.empty((2, n_samples), dtype=np.float32)
        done = 0
        for block in self._blocks(score, sample_rate, n_samples):
            samples[:, done : done + block.shape[1]] = block
            done += block.shape[1]
        _fade_out(samples, sample_rate)
        _level(samples, sample_rate, loudness)
        return Audio(samples=samples, sample_rate=sample_rate)

    def _blocks(self, score: Score, sample_rate: int, n_samples: int) -> Iterator[Samples]:
        if self.fluidsynth is not None:
            return self.fluidsynth.stream(score, sample_rate, n_samples)
        from musiccore.instruments import stream

        return stream(score, sample_rate, n_samples)


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
        Stereo audio that ends `RING_SECONDS` after the last note, or after an hour.

    Raises:
        AudioError: if nothing sounds.
        MissingProgram: if `fluidsynth` was asked for and is not here.
    """
    return Player.find(engine).perform(score, sample_rate=sample_rate, loudness=loudness)


def length_of(score: Score, sample_rate: int) -> int:
    """Return how long a performance is, in samples.

    Raises:
        AudioError: if the score holds no notes.
    """
    if not score.n_notes:
        raise AudioError("the score holds no notes that can be played")
    return round(min(score.seconds + RING_SECONDS, LONGEST_SECONDS) * sample_rate)


def _fade_out(samples: Samples, sample_rate: int) -> None:
    """Bring the end down to silence, in place."""
    n_fade = min(round(_FADE_SECONDS * sample_rate), samples.shape[1])
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, n_fade + 1) / n_fade)
    samples[:, -n_fade:] *= ramp.astype(np.float32)


def _level(samples: Samples, sample_rate: int, loudness: float | None) -> None:
    """Bring to a loudness, in place, or below it for the sake of the peak."""
    from musiccore.analysis import loudness_lufs

    peak = float(max(samples.max(), -samples.min()))
    if peak == 0.0:
        raise AudioError("the score is silent: its volume is 0 throughout")
    gain = 1.0
    if loudness is not None:
        measured = loudness_lufs(samples, sample_rate)
        if np.isfinite(measured):
            gain = 10.0 ** ((loudness - measured) / 20.0)
    samples *= np.float32(min(gain, CEILING / peak, _LARGEST_GAIN))
