"""Audio through the sound card. The only module that imports pygame (the extra `play`).

What is heard is the sound that would be written to a file, in the device's format, sample for
sample; volume is a factor of the samples, so that it is exact. A score is played first.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import Audio, resample, to_mono
from musiccore.errors import ConfigError, DeviceError, MissingProgram
from musiccore.scores.score import AS_PLAYERS_DO, Reading
from musiccore.synth.player import Player

log = logging.getLogger(__name__)

FREQUENCIES: Final = (8_000, 192_000)
BIT_SIZES: Final = (8, 16, -16, 32)
CHANNELS: Final = (1, 2, 4, 6, 8)
SMALLEST_BUFFER, LARGEST_BUFFER = 256, 1 << 16

_PERFORMED_RATES = (8_000, 96_000)  # what FluidSynth can play at
_POLL_SECONDS = 0.05
_FORMATS = {8: "u1", 16: "<u2", -16: "<i2", 32: "<f4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the sound card is opened.

    Attributes:
        volume: factor of the samples, 0 to 1.
        frequency: Hz.
        bitsize: 8 (unsigned), 16 (unsigned), -16 (signed) or 32 (float).
        nof_channels: speakers; a stereo sound is heard from the first two.
        buffer: samples that are handed over at a time, a power of two.

    Raises:
        ConfigError: if one of them is out of range.
    """

    volume: float = 0.8
    frequency: int = 44_100
    bitsize: int = -16
    nof_channels: int = 2
    buffer: int = 1024

    def __post_init__(self) -> None:
        low, high = FREQUENCIES
        if not 0.0 <= self.volume <= 1.0:
            raise ConfigError(f"volume is {self.volume:g}; it must be 0 to 1")
        if not low <= self.frequency <= high:
            raise ConfigError(f"frequency is {self.frequency}; it must be {low} to {high} Hz")
        if self.bitsize not in BIT_SIZES:
            raise ConfigError(
                f"bitsize is {self.bitsize}; it must be one of {', '.join(map(str, BIT_SIZES))}"
            )
        if self.nof_channels not in CHANNELS:
            raise ConfigError(
                f"nof_channels is {self.nof_channels}; "
                f"it must be one of {', '.join(map(str, CHANNELS))}"
            )
        is_power = self.buffer & (self.buffer - 1) == 0
        if not (SMALLEST_BUFFER <= self.buffer <= LARGEST_BUFFER and is_power):
            raise ConfigError(
                f"buffer is {self.buffer}; it must be a power of two from {SMALLEST_BUFFER} to "
                f"{LARGEST_BUFFER}"
            )


def load_sound(
    source: str | Path,
    output: Output,
    player: Player,
    *,
    reading: Reading = AS_PLAYERS_DO,
    warn: Callable[[str], object] | None = None,
) -> Audio:
    """Read a recording, or play a score at the rate of the device.

    Args:
        source: audio of any kind that can be read, a score, or the name of a chorale.
        output: says the rate.
        player: for scores.
        reading: how scores of other people are read; strict, a damaged recording is refused too.
        warn: told what is odd or missing; None logs what is of a recording.

    Raises:
        AudioError: if the file is missing, damaged or silent.
        ConfigError: if it is neither a file nor a chorale.
        MissingProgram: if only ffmpeg could read it.
    """
    from musiccore.conversion import SUFFIXES
    from musiccore.conversion.hearing import heard_all
    from musiccore.scores.arrange import read_to_play
    from musiccore.scores.notation import SCORE_SUFFIXES

    path = Path(source).expanduser()
    is_audio = path.is_file() or path.suffix.lower().removeprefix(".") in SUFFIXES
    if is_audio and path.suffix.lower() not in SCORE_SUFFIXES:
        audio, warnings = heard_all(path, mono=False, strict=reading.strict)
        for warning in warnings:
            (warn or log.warning)(warning)
        return audio
    low, high = _PERFORMED_RATES
    rate = min(max(output.frequency, low), high)
    score = read_to_play(source, reading)
    if warn is not None:
        for warning in score.warnings:
            warn(warning)
    return player.perform(score, sample_rate=rate)


def to_device(audio: Audio, output: Output) -> npt.NDArray[np.generic]:
    """Return the samples as the device takes them, [time, speakers] of its own type.

    Args:
        audio: any rate; of more than two channels, all are mixed to one.
        output: how the device is opened.
    """
    audio = resample(audio, output.frequency)
    if output.nof_channels == 1 or audio.n_channels > 2:
        audio = to_mono(audio)
    heard = np.clip(audio.samples.T.astype(np.float64) * output.volume, -1.0, 1.0)
    frames = np.zeros((len(heard), output.nof_channels))
    frames[:, : min(2, output.nof_channels)] = heard  # one channel goes to both
    kind = _FORMATS[output.bitsize]
    if output.bitsize == 32:
        return frames.astype(kind)
    half = 1 << (abs(output.bitsize) - 1)
    whole = np.clip(np.rint(frames * half), -half, half - 1)
    return (whole if output.bitsize < 0 else whole + half).astype(kind)


def play(audio: Audio, output: Output) -> Iterator[float]:
    """Play to the end, or until the iterator is closed.

    Args:
        audio: any audio.
        output: how the device is opened.

    Yields:
        Seconds heard so far, some twenty times a second.

    Raises:
        MissingProgram: if pygame is not installed.
        DeviceError: if there is no sound device, or it cannot be opened so.
    """
    frames = to_device(audio, output)
    mixer = find_mixer()
    with _opened(mixer, output):
        channel = mixer.Sound(buffer=frames.tobytes()).play()
        began = time.monotonic()
        while channel.get_busy():
            yield min(time.monotonic() - began, audio.seconds)
            time.sleep(_POLL_SECONDS)
        yield audio.seconds


def find_mixer() -> ModuleType:
    """Import pygame's mixer such that SIGTERM stays with us and nothing is printed.

    Raises:
        MissingProgram: if pygame is not installed.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
    try:
        from pygame import mixer
    except ImportError as error:
        raise MissingProgram(
            "pygame, which reaches the sound card, is not installed",
            hint="pip install 'jukeflow[play]', or write a file with "
            "`jukeflow midi render FILE -o FILE.wav`",
            extra="play",
        ) from error
    module: ModuleType = mixer
    return module


@contextmanager
def _opened(mixer: ModuleType, output: Output) -> Iterator[None]:
    from pygame import error as pygame_error

    try:
        with _silent_stderr():  # ALSA complains there in a dozen lines
            mixer.init(
                output.frequency,
                output.bitsize,
                output.nof_channels,
                output.buffer,
                allowedchanges=0,
            )
    except ValueError as error:  # pygame knows fewer numbers of channels than SDL
        raise ConfigError(f"nof_channels: {error}") from error
    except pygame_error as error:
        raise DeviceError(
            f"no sound device can be opened: {error}",
            hint="write a file instead: jukeflow midi render FILE -o FILE.wav",
        ) from error
    try:
        yield
        time.sleep(output.buffer / output.frequency)  # what was handed over last is heard
    finally:
        mixer.stop()
        mixer.quit()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep what C libraries write to standard error away from the person."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class MIDI:
    """The seed's interface: opens the sound card as told and plays files, one at a time.

    Args:
        volume: 0 to 1.
        freq: Hz.
        bitsize: 8, 16, -16 or 32.
        nof_channels: speakers.
        buffer: samples, a power of two.

    Raises:
        ConfigError: if one of them is out of range.
    """

    def __init__(
        self,
        volume: float = 0.8,
        freq: int = 44_100,
        bitsize: int = -16,
        nof_channels: int = 2,
        buffer: int = 1024,
    ) -> None:
        self.output = Output(
            volume=volume,
            frequency=freq,
            bitsize=bitsize,
            nof_channels=nof_channels,
            buffer=buffer,
        )

    def play_music(self, midi_filename: str | os.PathLike[str]) -> None:
        """Play a score or a recording, and come back when it is over.

        Raises:
            AudioError: if the file is missing or damaged.
            DeviceError: if there is no sound device.
        """
        audio = load_sound(Path(midi_filename), self.output, Player.find())
        for _ in play(audio, self.output):
            pass

    def play_midi(self, midi_file: str | os.PathLike[str]) -> None:
        """Play a file as `play_music` does; Ctrl-C ends it."""
        try:
            self.play_music(midi_file)
        except KeyboardInterrupt:
            return
