"""What a piece starts from: a recording, or a score that is played the way the model hears music.

A score is cut at a bar line, so that what follows begins on a first beat. It is played on
instruments of our own, never on a sound font, so that the same score gives the same primer on
every machine.

Of a recording of any length and format only what is used is read, and what the model needs to hear
behind it. Lengths of scores are known without playing anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.errors import AudioError, ConfigError, MissingProgram
from musiccore.models.config import ModelConfig
from musiccore.request.request import GenerationRequest
from musiccore.scores.notation import SCORE_SUFFIXES, Note, read_score
from musiccore.scores.score import Score
from musiccore.synth.nano_piano import PlayingStyle, render
from musiccore.units import samples_in

if TYPE_CHECKING:
    from musiccore.conversion.sources import SoundSource

LOUDNESS: Final = -16.0
"""LUFS of a played score for the released models; `nano` hears the level it was trained with."""

_QUARTERS_A_BAR: Final = 4
_BEHIND: Final = 2.0
"""Seconds that are read behind what is used: the filter between two rates hears them."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of a primer is used.

    Attributes:
        n_samples: in samples of the model.
        at_least: the file goes on, and was not read further.
    """

    n_samples: int
    at_least: bool = False


def primer_samples(
    request: GenerationRequest, config: ModelConfig, *, ffmpeg: str | None = None
) -> int:
    """Return the samples of a primer at the model's rate: whole codes of the top level.

    Args:
        request: what starts from it; 0 without a primer.
        config: the model.
        ffmpeg: path of the program, for recordings that only it reads; None looks for it.

    Raises:
        AudioError: if the primer cannot be read.
        MissingProgram: if only ffmpeg could read it and there is none.
        ConfigError: if it is too short or too long.
    """
    rate, hop = config.vqvae.sample_rate, config.top.hop_length
    extent = _request_extent(request, rate, request.n_samples(config), ffmpeg)
    if extent is None:
        return 0
    n_samples = extent.n_samples // hop * hop
    if n_samples == 0:
        raise ConfigError(
            f"primer lasts {extent.n_samples} samples; model {config.name} needs at least {hop}"
        )
    if n_samples >= request.n_samples(config):
        least = "at least " * extent.at_least
        raise ConfigError(
            f"seconds is {request.seconds}; the primer alone lasts {least}{n_samples / rate:.2f} s",
            hint="{seconds} counts the primer; ask for more, or set {primer_seconds}",
        )
    return n_samples


def _request_extent(
    request: GenerationRequest, rate: int, most: int, ffmpeg: str | None
) -> Extent | None:
    """Return what is used of a request's primer; None without one."""
    if request.primer_compose is not None:
        tempo, longest = request.primer_compose.tempo, request.composed_limit
        return Extent(n_samples=composed_samples(tempo, longest, rate))
    if request.primer is None:
        return None
    path, limit = Path(request.primer), request.primer_seconds
    try:
        return primer_extent(path, limit, rate, most=most, ffmpeg=ffmpeg)
    except (AudioError, MissingProgram) as error:
        error.message = f"primer: {error.message}"
        raise


def primer_extent(
    path: Path, limit: float | None, sample_rate: int, *, most: int, ffmpeg: str | None = None
) -> Extent:
    """Return how much of a primer's file is used, in samples at another rate.

    What is used of a recording is heard once, block by block, so that damage is found here.

    Args:
        path: a recording or a score.
        limit: seconds wanted at most; None is all.
        sample_rate: Hz of the result.
        most: samples of the result from which on the primer is too long: no more is heard.
        ffmpeg: path of the program; None looks for it.

    Raises:
        AudioError: if what is used of the file cannot be read.
        MissingProgram: if only ffmpeg could read it and there is none.
        ConfigError: if it is shorter than `limit`, or a score has no bar line before it.
    """
    if is_score(path):
        return Extent(n_samples=round(bar_seconds(read_primer_score(path), limit) * sample_rate))
    sound = _opened(path, ffmpeg)
    wanted = None if limit is None else samples_in(limit, sample_rate)
    there = sound.n_frames
    if there is not None:
        length = _as_samples(sound, there, sample_rate)
        if length >= most and wanted is None:
            return Extent(n_samples=length)
        _check_limit(limit, wanted, length, sample_rate)
    if wanted is not None and wanted >= most:
        return Extent(n_samples=wanted)
    heard = sum(block.shape[1] for block in _heard(sound, path, wanted or most, sample_rate))
    length = _as_samples(sound, heard, sample_rate)
    if wanted is None:
        return Extent(n_samples=length, at_least=length >= most)
    _check_limit(limit, wanted, length, sample_rate)
    return Extent(n_samples=wanted)


def _check_limit(limit: float | None, wanted: int | None, length: int, sample_rate: int) -> None:
    if wanted is not None and wanted > length:
        raise ConfigError(
            f"primer_seconds is {limit}; the primer lasts {length / sample_rate:.2f} s",
            hint="ask for fewer {primer_seconds}, or leave it out",
        )


def read_primer(
    path: Path, n_samples: int, sample_rate: int, *, ffmpeg: str | None = None
) -> Audio:
    """Return the beginning of a recording as a model hears it.

    Args:
        path: of any format and length; the rest of it is not read.
        n_samples: length, in samples of the result.
        sample_rate: Hz of the result.
        ffmpeg: path of the program; None looks for it.

    Returns:
        Mono audio [1, n_samples].

    Raises:
        AudioError: if it cannot be read, or is shorter.
        MissingProgram: if only ffmpeg could read it and there is none.
    """
    sound = _opened(path, ffmpeg)
    blocks = list(_heard(sound, path, n_samples, sample_rate))
    if blocks:
        whole = Audio(samples=np.concatenate(blocks, axis=1), sample_rate=sound.sample_rate)
        samples = audio.resample(whole, sample_rate).samples[:, :n_samples]
        if samples.shape[1] == n_samples:
            return Audio(samples=samples, sample_rate=sample_rate)
    raise AudioError(f"audio file {str(path)!r} is shorter than {n_samples / sample_rate:.2f} s")


def _opened(path: Path, ffmpeg: str | None) -> SoundSource:
    from musiccore.conversion.sources import open_sound

    try:
        sound = open_sound(path, ffmpeg=ffmpeg)
    except MissingProgram as error:
        raise MissingProgram(
            error.message,
            hint=f"{error.marked_hint}; or convert it where ffmpeg is, "
            f"`{_conversion(path)}`, and give that as {{primer}}",
            extra=error.extra,
        ) from error
    if sound.channels > audio.MAX_CHANNELS:
        raise AudioError(
            f"audio file {str(path)!r} has {sound.channels} channels, at most "
            f"{audio.MAX_CHANNELS} work",
            hint="mix it down to stereo or mono",
        )
    _check_whole(sound, path)
    return sound


def _heard(
    sound: SoundSource, path: Path, n_samples: int, sample_rate: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield what is read of a recording as mono blocks [1, T] at its own rate."""
    rate = sound.sample_rate
    stop = ceil(n_samples * rate / sample_rate) + ceil(_BEHIND * rate)
    n_frames = 0
    for block in sound.blocks(0, stop):
        samples = np.ascontiguousarray(block.T, dtype=np.float32)
        n_frames += len(block)
        try:
            yield audio.to_mono(Audio(samples=samples, sample_rate=rate)).samples
        except AudioError as error:
            raise AudioError(f"audio file {str(path)!r}: {error.message}") from error
    _check_whole(sound, path)
    if not n_frames:
        raise AudioError(f"audio file {str(path)!r} holds no samples", hint=_mending(path))


def _check_whole(sound: SoundSource, path: Path) -> None:
    if sound.damage:
        words = sound.damage.removeprefix(f"{sound.name!r} ")
        raise AudioError(f"audio file {str(path)!r} {words}", hint=_mending(path))


def _mending(path: Path) -> str:
    return (
        f"`{_conversion(path)}` keeps what of it can be read; give that as {{primer}}, "
        "or export the file again"
    )


def _conversion(path: Path) -> str:
    """Return the command that makes a file of it that is read everywhere."""
    wav = path.with_name(f"{path.stem}-primer.wav")
    return f"jukeflow convert {shlex.quote(str(path))} {shlex.quote(str(wav))}"


def _as_samples(sound: SoundSource, n_frames: int, sample_rate: int) -> int:
    return round(n_frames * sample_rate / sound.sample_rate)


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
        samples = render(notes, PlayingStyle(quarter_seconds=1.0), rate, seconds=n_samples / rate)
        return _fitted(samples[None], n_samples, rate)
    from musiccore.audio.measures import loudness_lufs
    from musiccore.synth.player import perform

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
