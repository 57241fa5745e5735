"""What a piece starts from: a recording, or a score that is played the way the model hears music.

A score is cut at a bar line, so that what follows begins on a first beat. It is played on
instruments of our own, never on a sound font, so that the same score gives the same primer on
every machine.

Lengths are known without playing anything: a request with a primer can be checked at once.
"""

from __future__ import annotations

from math import floor
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from musiccore import audio
from musiccore.audio import Audio
from musiccore.config import ModelConfig
from musiccore.errors import AudioError, ConfigError
from musiccore.score import Score
from musiccore.symbolic import SCORE_SUFFIXES, Note, read_score
from musiccore.synthesis import Performance, render
from musiccore.units import samples_in

LONGEST_COMPOSED: Final = 20.0
"""Seconds of a composed primer where its length is not given."""

LOUDNESS: Final = -16.0
"""LUFS of a played score for the released models; `nano` hears the level it was trained with."""

_QUARTERS_A_BAR: Final = 4


def is_score(path: Path) -> bool:
    """Return whether a file is a score by its name."""
    return path.suffix.lower() in SCORE_SUFFIXES


def read_primer_score(path: Path) -> Score:
    """Read a score that a piece starts from.

    Raises:
        AudioError: if it cannot be read or holds no notes.
    """
    score = read_score(path)
    if not score.n_notes:
        raise AudioError(f"score {str(path)!r} holds no notes")
    return score


def primer_samples(path: Path, limit: float | None, sample_rate: int) -> int:
    """Return how much of a primer's file is used, in samples at another rate.

    Args:
        path: a recording or a score.
        limit: seconds wanted at most; None is all.
        sample_rate: Hz of the result.

    Raises:
        AudioError: if the file cannot be read.
        ConfigError: if it is shorter than `limit`, or a score has no bar line before it.
    """
    if is_score(path):
        return round(bar_seconds(read_primer_score(path), limit) * sample_rate)
    clip = audio.read(path)
    there = round(clip.n_samples * sample_rate / clip.sample_rate)
    if limit is None:
        return there
    wanted = samples_in(limit, sample_rate)
    if wanted > there:
        raise ConfigError(
            f"primer_seconds is {limit}; the primer lasts {clip.seconds:.2f} s",
            hint="ask for fewer {primer_seconds}, or leave it out",
        )
    return wanted


def bar_seconds(score: Score, limit: float | None) -> float:
    """Return the time of the last bar line of a score that is at or before a limit.

    Args:
        score: with at least one note.
        limit: seconds; None is the end of the score.

    Raises:
        ConfigError: if the score is shorter than the limit, or there is no such bar line.
    """
    end = score.seconds
    if limit is not None and limit > end:
        raise ConfigError(
            f"primer_seconds is {limit}; the score lasts {end:.2f} s",
            hint="ask for fewer {primer_seconds}, or leave it out",
        )
    bars = [score.seconds_at(tick) for tick in score.bars()]
    reach = end if limit is None else limit
    fitting = [seconds for seconds in bars[1:] if seconds <= reach + 1e-6]
    if fitting:
        return fitting[-1]
    if limit is None:  # shorter than a bar: all of it
        return end
    raise ConfigError(
        f"primer_seconds is {limit}; the first bar of the score lasts {bars[1]:.2f} s",
        hint="ask for {primer_seconds} of a bar at least",
    )


def composed_bars(tempo: float, limit: float) -> int:
    """Return the bars of a composed primer that fit into a number of seconds.

    Raises:
        ConfigError: if not even one does.
    """
    bars = floor(limit / bar_length(tempo) + 1e-9)
    if bars < 1:
        raise ConfigError(
            f"primer_seconds is {limit:g}; one bar at tempo {tempo:g} lasts "
            f"{bar_length(tempo):.2f} s",
            hint="ask for more {seconds}, or for a faster primer",
        )
    return bars


def composed_samples(tempo: float, limit: float, sample_rate: int) -> int:
    """Return the length of a composed primer in samples: whole bars, at most `limit` seconds.

    Raises:
        ConfigError: if not even one bar fits.
    """
    return round(composed_bars(tempo, limit) * bar_length(tempo) * sample_rate)


def bar_length(tempo: float) -> float:
    """Return the seconds of a composed bar."""
    return _QUARTERS_A_BAR * 60.0 / tempo


def play_primer(score: Score, n_samples: int, config: ModelConfig) -> Audio:
    """Play the beginning of a score the way a model hears music.

    `nano` hears the piano that it was trained with, at the level it was trained with; the others
    the instruments that the score asks for, at `LOUDNESS`.

    Args:
        score: any score.
        n_samples: length at the model's rate; a note that sounds there is cut, as a note of a
            recording would be.
        config: the model.

    Returns:
        Mono audio [1, n_samples] at the model's rate.

    Raises:
        AudioError: if nothing sounds within that length.
    """
    rate = config.vqvae.sample_rate
    score = score.until(n_samples / rate)
    pitched_only = config.name == "nano"  # its piano has no percussion
    heard = [n for n in score.sounding() if n.duration > 0 and not (pitched_only and n.is_drums)]
    if not heard:
        raise AudioError(f"the score is silent for its first {n_samples / rate:.2f} s")
    if pitched_only:
        notes = tuple(
            Note(onset=n.onset, duration=n.duration, pitch=n.pitch, part=n.part) for n in heard
        )
        samples = render(notes, Performance(quarter_seconds=1.0), rate, seconds=n_samples / rate)
        return _fitted(samples[None], n_samples, rate)
    from musiccore.analysis import loudness_lufs
    from musiccore.performing import perform

    played = perform(score, engine="own", sample_rate=rate)
    clip = _fitted(audio.to_mono(played).samples, n_samples, rate)
    loudness = loudness_lufs(clip.samples, rate)
    gain = 10.0 ** ((LOUDNESS - loudness) / 20.0) if np.isfinite(loudness) else 1.0
    louder = Audio(samples=(clip.samples * gain).astype(np.float32), sample_rate=rate)
    return audio.limit_peak(louder)


def _fitted(samples: npt.NDArray[np.float32], n_samples: int, rate: int) -> Audio:
    """Return samples [1, T] cut, or filled with silence, to `n_samples`."""
    out = np.zeros((1, n_samples), dtype=np.float32)
    kept = min(n_samples, samples.shape[1])
    out[:, :kept] = samples[:, :kept]
    return Audio(samples=out, sample_rate=rate)
