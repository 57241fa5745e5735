"""What one can ask of a conversion, checked before anything is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from musiccore.audio.sound import MAX_RATE, MIN_RATE
from musiccore.conversion.formats import KINDS, TARGETS
from musiccore.errors import ConfigError
from musiccore.tags.encodings import checked_encoding

ENGINES = ("auto", "soundfile", "ffmpeg", "pydub")
ON_CLIP = ("normalise", "clip", "error")
MAX_SECONDS = 7 * 24 * 3600.0
MAX_FADE = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionOptions:
    """How a sound is to be converted.

    Args:
        kind: format of the target, one of `KINDS`.
        bits: "8", "16", "24", "32", "float" or "double" for formats that keep every sample; None
            keeps what the source has, and gives 16 bit to what was lossy.
        sample_rate: Hz; None keeps the source's.
        channels: 1, 2, ...; None keeps the source's.
        bitrate: kbit/s of a lossy format; None is 192 for MP3, and 96 for each channel elsewhere.
        loudness: integrated loudness wanted, LUFS; None leaves the level alone.
        true_peak: ceiling in dBTP, held when `loudness` is set.
        start: seconds of the source to leave out at the beginning.
        end: second of the source to stop at.
        seconds: exact length of the target: silence is added, or the rest cut.
        fade_in: seconds.
        fade_out: seconds.
        dither: add triangular noise of two steps where samples are rounded to integers.
        on_clip: what to do with samples beyond full scale: "normalise" turns the whole sound
            down, "clip" cuts them off, "error" refuses.
        strict: refuse what would change rate, channels or bits unasked, damaged sources, and tags
            that the target cannot hold or that may be misread.
        engine: "soundfile", "ffmpeg" or "pydub"; "auto" takes ffmpeg for what only it can do, and
            for MP3 where it is found, because it is three times as fast.
        ffmpeg: path of the program; None looks for it.
        tag_encoding: of old texts of tags that do not say theirs, such as "shift_jis"; "auto" takes
            the likeliest, None reads UTF-8 or Latin-1 and says where that is in doubt.

    Raises:
        ConfigError: naming the field and what it may be.
    """

    kind: str
    bits: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    bitrate: int | None = None
    loudness: float | None = None
    true_peak: float = -1.0
    start: float = 0.0
    end: float | None = None
    seconds: float | None = None
    fade_in: float = 0.0
    fade_out: float = 0.0
    dither: bool = True
    on_clip: str = "normalise"
    strict: bool = False
    engine: str = "auto"
    ffmpeg: str | None = None
    tag_encoding: str | None = None

    def __post_init__(self) -> None:
        self._check_words()
        self._check_numbers()
        self._check_format()

    def _check_words(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("engine", self.engine, ENGINES)
        _one_of("on_clip", self.on_clip, ON_CLIP)
        if self.tag_encoding is not None:
            checked_encoding(self.tag_encoding)

    def _check_numbers(self) -> None:
        _within("sample_rate", self.sample_rate, MIN_RATE, MAX_RATE, "Hz")
        _within("channels", self.channels, 1, 16, "channels")
        _within("bitrate", self.bitrate, 8, 4096, "kbit/s")
        _within("loudness", self.loudness, -70.0, -1.0, "LUFS")
        _within("true_peak", self.true_peak, -30.0, 0.0, "dBTP")
        _within("start", self.start, 0.0, MAX_SECONDS, "s")
        _within("end", self.end, 0.0, MAX_SECONDS, "s")
        _within("seconds", self.seconds, 0.001, MAX_SECONDS, "s")
        _within("fade_in", self.fade_in, 0.0, MAX_FADE, "s")
        _within("fade_out", self.fade_out, 0.0, MAX_FADE, "s")
        if self.end is not None and self.end <= self.start:
            raise ConfigError(
                f"end: {self.end:g} s is not after the start at {self.start:g} s",
                hint="both are seconds from the beginning of the source",
            )

    def _check_format(self) -> None:
        target, kind = TARGETS[self.kind], self.kind
        if self.bits is not None and self.bits not in target.subtypes:
            holds = ", ".join(target.subtypes) or "no such choice: it is lossy"
            raise ConfigError(f"bits: {kind} has no {self.bits!r}", hint=f"{kind} has {holds}")
        if self.bitrate is not None and not target.lossy:
            raise ConfigError(
                f"bitrate: {kind} keeps every sample, so it has no bit rate",
                hint="leave bitrate out, or choose mp3, ogg or opus",
            )
        if self.channels is not None and self.channels > target.channels:
            raise ConfigError(
                f"channels: {kind} cannot hold {self.channels}",
                hint=f"{kind} holds up to {target.channels}",
            )
        rate = self.sample_rate
        if rate is not None and target.rates is not None and rate not in target.rates:
            raise ConfigError(
                f"sample_rate: {kind} cannot hold {rate} Hz",
                hint=f"use one of {', '.join(map(str, target.rates))}",
            )
        if rate is not None and rate > target.max_rate:
            raise ConfigError(
                f"sample_rate: {kind} cannot hold {rate} Hz", hint=f"at most {target.max_rate}"
            )
        if self.engine == "soundfile" and target.foreign:
            raise ConfigError(
                f"engine: soundfile cannot write {kind}", hint="use auto, ffmpeg or pydub"
            )


def _one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{field}: {value!r} is unknown", hint=f"use one of {', '.join(allowed)}")


def _within(field: str, value: float | None, least: float, most: float, unit: str) -> None:
    if value is None:
        return
    if not math.isfinite(value):
        raise ConfigError(f"{field}: {value!r} is no number", hint=f"{least:g} to {most:g} {unit}")
    if not least <= value <= most:
        raise ConfigError(
            f"{field}: {value:g} {unit} is out of range", hint=f"use {least:g} to {most:g} {unit}"
        )
