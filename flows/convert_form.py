"""The form of a conversion in the Prefect UI: flat, described, and without optional fields."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from musiccore.conversion.options import ConversionOptions

Format = Literal[
    "flac",
    "wav",
    "mp3",
    "ogg",
    "opus",
    "aiff",
    "caf",
    "au",
    "rf64",
    "w64",
    "m4a",
    "aac",
    "wma",
    "webm",
]
_CHANNELS = {"as they are": None, "mono": 1, "stereo": 2}


class Sound(BaseModel):
    """What happens to the sound on the way; untouched, it stays as it is."""

    model_config = ConfigDict(extra="forbid")

    loudness: float = Field(
        default=0.0,
        title="Loudness (LUFS)",
        description="-14 is what streaming services play, -23 broadcasters. 0 leaves it as it is.",
        ge=-70.0,
        le=0.0,
    )
    true_peak: float = Field(
        default=-1.0,
        title="True peak (dB)",
        description="The ceiling that no peak goes beyond when a loudness is set.",
        ge=-30.0,
        le=0.0,
    )
    channels: Literal["as they are", "mono", "stereo"] = Field(
        default="as they are", title="Channels", description="Mixed down, or doubled, where needed."
    )
    sample_rate: int = Field(
        default=0,
        title="Sample rate (Hz)",
        description="44100 is a CD. 0 keeps that of the source where the format can hold it.",
        ge=0,
        le=384_000,
    )
    bits: Literal["as they are", "8", "16", "24", "32", "float", "double"] = Field(
        default="as they are", title="Bits", description="For formats that keep every sample."
    )
    bitrate: int = Field(
        default=0,
        title="Bit rate (kbit/s)",
        description="For formats that lose something; 0 is 192 for stereo.",
        ge=0,
        le=512,
    )
    fade_in: float = Field(
        default=0.0,
        title="Fade in (s)",
        description="Seconds to rise from silence.",
        ge=0.0,
        le=600.0,
    )
    fade_out: float = Field(
        default=0.0,
        title="Fade out (s)",
        description="Seconds to fall to silence.",
        ge=0.0,
        le=600.0,
    )
    on_clip: Literal["normalise", "clip", "error"] = Field(
        default="normalise",
        title="Beyond full scale",
        description="normalise turns the whole file down, clip cuts the peaks, error refuses.",
    )
    strict: bool = Field(
        default=False,
        title="Strict",
        description="Refuse damaged files, changes of rate, channels or bits nobody asked for, and "
        "tags that would be lost.",
    )
    tag_encoding: str = Field(
        default="",
        title="Encoding of old tags",
        description="shift_jis, gbk, cp1251, ... for tags that do not say theirs; auto guesses. "
        "Empty reads UTF-8 or Latin-1, and says where that is in doubt.",
        max_length=40,
    )
    engine: Literal["auto", "soundfile", "ffmpeg", "pydub"] = Field(
        default="auto", title="Engine", description="Who writes the file; auto knows best."
    )

    def options(self, kind: str) -> ConversionOptions:
        """Return it as the rest of the program knows it.

        Raises:
            ConfigError: if the format cannot do what is asked.
        """
        return ConversionOptions(
            kind=kind,
            bits=None if self.bits == "as they are" else self.bits,
            sample_rate=self.sample_rate or None,
            channels=_CHANNELS[self.channels],
            bitrate=self.bitrate or None,
            loudness=self.loudness or None,
            true_peak=self.true_peak,
            fade_in=self.fade_in,
            fade_out=self.fade_out,
            on_clip=self.on_clip,
            strict=self.strict,
            engine=self.engine,
            tag_encoding=self.tag_encoding.strip() or None,
        )
