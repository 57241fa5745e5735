"""Several sounds into one: end to end, or side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musiccore.audio.resampling import resampled
from musiccore.audio.sound import BLOCK
from musiccore.audio.streams import Frames
from musiccore.conversion.channels import mixing_matrix
from musiccore.conversion.convert import ConversionResult, Progress, Tags, deliver
from musiccore.conversion.formats import BITS
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.pipeline import Tap, cut, mixed, rising
from musiccore.conversion.sources import SoundSource, open_sound
from musiccore.errors import ConfigError
from musiccore.storage.atomic import check_target

MAX_CROSSFADE = 60.0
MAX_DELAY_MS = 1000.0
_CENTRE_SHARE = 0.7071067811865476  # 3 dB down on either side


def join(
    sources: Sequence[Path],
    target: Path,
    options: ConversionOptions,
    *,
    crossfade: float = 0.0,
    force: bool = False,
    tags: Tags = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Put files one after the other into one.

    Args:
        sources: one or more, of any formats; the tags of the first come along.
        target: see `convert`.
        options: see `convert`; start, end, fades and length are those of the whole. The highest
            rate and the most channels of the sources are kept unless others are asked for.
        crossfade: seconds in which one goes over into the next, at equal power.
        force: see `convert`.
        tags: see `convert`.
        progress: see `convert`.

    Returns:
        See `convert`.

    Raises:
        ConfigError: if there is no source, or one is shorter than the crossfade.
        AudioError: see `convert`.
        MissingProgram: see `convert`.
    """
    if not sources:
        raise ConfigError("sources: there is none", hint="name the files to join")
    if not 0.0 <= crossfade <= MAX_CROSSFADE:
        raise ConfigError(
            f"crossfade: {crossfade:g} s is out of range", hint=f"use 0 to {MAX_CROSSFADE:g} s"
        )
    check_target(target, tuple(sources), force=force)
    sounds = [open_sound(path, engine=options.engine, ffmpeg=options.ffmpeg) for path in sources]
    joined = _Joined(sounds, options.sample_rate, options.channels, crossfade)
    for path, frames in zip(sources, joined.lengths, strict=True):
        if frames < joined.overlap and len(sources) > 1:
            raise ConfigError(
                f"crossfade: {crossfade:g} s is longer than {path.name!r} "
                f"({frames / joined.sample_rate:.2f} s)",
                hint="use a shorter one",
            )
    return deliver(
        joined, target, options, tags_from=sources, force=force, tags=tags, progress=progress
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One take of a stereo sound.

    Args:
        path: a file; it is heard in mono.
        delay_ms: how much later it begins.
        gain_db: how much louder it is.

    Raises:
        ConfigError: if a number is out of range.
    """

    path: Path
    delay_ms: float = 0.0
    gain_db: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.delay_ms <= MAX_DELAY_MS:
            raise ConfigError(
                f"delays: {self.delay_ms:g} ms is out of range",
                hint=f"use 0 to {MAX_DELAY_MS:g} ms",
            )
        if not -60.0 <= self.gain_db <= 24.0:
            raise ConfigError(f"gains: {self.gain_db:g} dB is out of range", hint="use -60 to 24")


def stereo(
    left: Path | None,
    centre: Path | None,
    right: Path | None,
    target: Path,
    options: ConversionOptions,
    *,
    delays: tuple[float, float, float] = (0.0, 0.0, 0.0),
    gains: tuple[float, float, float] = (0.0, 0.0, 0.0),
    force: bool = False,
    tags: Tags = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Make a stereo sound of two or three takes.

    The centre is heard on both sides, 3 dB down. One take on both sides with some 20 ms between
    them gives a wide sound of a single take.

    Args:
        left: a file heard on the left, None for nothing there.
        centre: one heard on both sides.
        right: one heard on the right.
        target: see `convert`.
        options: see `convert`.
        delays: of left, centre and right, in milliseconds.
        gains: of left, centre and right, in dB.
        force: see `convert`.
        tags: see `convert`; those of the centre, or else of the left, come along.
        progress: see `convert`.

    Returns:
        See `convert`.

    Raises:
        ConfigError: if fewer than two places are taken, or a number is out of range.
        AudioError: see `convert`.
        MissingProgram: see `convert`.
    """
    voices = [
        None if path is None else Voice(path=path, delay_ms=delay, gain_db=gain)
        for path, delay, gain in zip((left, centre, right), delays, gains, strict=True)
    ]
    paths = [path for path in (centre, left, right) if path is not None]
    if len(paths) < 2:
        raise ConfigError(
            "left, centre, right: fewer than two takes are given",
            hint="one file can be given for two of them, with another delay",
        )
    check_target(target, tuple(paths), force=force)
    side = _SideBySide(voices, options)
    return deliver(
        side, target, options, tags_from=paths, force=force, tags=tags, progress=progress
    )


class _Combined:
    """What sounds made of sounds have in common."""

    name, kind = "the combined sound", "several"
    exact = False

    def __init__(
        self, sounds: Sequence[SoundSource], sample_rate: int | None, channels: int
    ) -> None:
        self.sounds = sounds
        self.sample_rate = sample_rate or max(sound.sample_rate for sound in sounds)
        self.channels = channels
        alike = {sound.mask for sound in sounds if sound.channels == channels}
        self.mask = alike.pop() if len(alike) == 1 else 0
        self.bits = max((sound.bits for sound in sounds), key=_fineness)
        self.dtype = "float64" if any(sound.dtype == "float64" for sound in sounds) else "float32"
        self.lengths = [round(_frames(s) * self.sample_rate / s.sample_rate) for s in sounds]

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(words for sound in self.sounds for words in sound.warnings)

    @property
    def damage(self) -> str | None:
        return next((sound.damage for sound in self.sounds if sound.damage), None)

    def _of(self, sound: SoundSource, channels: int) -> Iterator[Frames]:
        """One of the sounds with the rate of all."""
        width = min(channels, sound.channels)
        blocks: Iterable[Frames] = (block.astype(self.dtype) for block in sound.blocks())
        matrix = mixing_matrix(sound.channels, channels, sound.mask, self.mask)
        if width < sound.channels:
            blocks = mixed(blocks, matrix)
        blocks = resampled(blocks, sound.sample_rate, self.sample_rate, width, self.dtype)
        return mixed(blocks, matrix if width == sound.channels else None)


class _Joined(_Combined):
    def __init__(
        self,
        sounds: Sequence[SoundSource],
        sample_rate: int | None,
        channels: int | None,
        crossfade: float,
    ) -> None:
        super().__init__(sounds, sample_rate, channels or max(sound.channels for sound in sounds))
        self.overlap = round(crossfade * self.sample_rate)
        self.n_frames = sum(self.lengths) - self.overlap * (len(sounds) - 1)
        self.exact = not self.overlap and all(
            sound.exact
            and sound.sample_rate == self.sample_rate
            and sound.channels == self.channels
            for sound in sounds
        )

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        yield from cut(self._all(), start, stop)

    def _all(self) -> Iterator[Frames]:
        tail = np.zeros((0, self.channels), dtype=self.dtype)
        for number, sound in enumerate(self.sounds):
            tap = Tap(self._of(sound, self.channels), self.channels, self.dtype)
            if number and self.overlap:
                tap.give_back(_over(tail, tap.take(self.overlap)))
            tail = yield from tap.all_but(self.overlap)
        if len(tail):
            yield tail


def _over(old: Frames, new: Frames) -> Frames:
    """From one sound to the next, at equal power."""
    n = min(len(old), len(new))
    share = np.arange(1, n + 1) / (n + 1)
    both = old[:n] * rising(1.0 - share, old.dtype) + new[:n] * rising(share, old.dtype)
    return np.concatenate([old[: len(old) - n], both, new[n:]])


class _SideBySide(_Combined):
    def __init__(self, voices: Sequence[Voice | None], options: ConversionOptions) -> None:
        taken = [(place, voice) for place, voice in enumerate(voices) if voice is not None]
        sounds = [
            open_sound(voice.path, engine=options.engine, ffmpeg=options.ffmpeg)
            for _, voice in taken
        ]
        super().__init__(sounds, options.sample_rate, 2)
        self._delays = [round(voice.delay_ms * self.sample_rate / 1000.0) for _, voice in taken]
        shares = np.array([[1.0, _CENTRE_SHARE, 0.0], [0.0, _CENTRE_SHARE, 1.0]])
        gains = np.array([10.0 ** (voice.gain_db / 20.0) for _, voice in taken])
        self._matrix = shares[:, [place for place, _ in taken]] * gains  # [2, voices]
        self.n_frames = max(map(sum, zip(self.lengths, self._delays, strict=True)))

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        yield from cut(mixed(self._together(), self._matrix), start, stop)

    def _together(self) -> Iterator[Frames]:
        """[T, voices]: every take a channel, silent before it begins and after it ends."""
        taps = []
        for delay, sound in zip(self._delays, self.sounds, strict=True):
            taps.append(Tap(self._of(sound, 1), 1, self.dtype))
            taps[-1].give_back(np.zeros((delay, 1), dtype=self.dtype))
        while longest := max(map(len, heads := [tap.take(BLOCK) for tap in taps])):
            padded = [np.pad(head, ((0, longest - len(head)), (0, 0))) for head in heads]
            yield np.concatenate(padded, axis=1)


def _frames(sound: SoundSource) -> int:
    if sound.n_frames is not None:
        return sound.n_frames
    return sum(len(block) for block in sound.blocks())


def _fineness(bits: str) -> int:
    return BITS.index(bits) if bits in BITS else BITS.index("16")
