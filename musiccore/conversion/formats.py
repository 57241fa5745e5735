"""What each format can hold: the table that plans, options and file names are checked against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from musiccore.audio.sound import MP3_RATES
from musiccore.errors import ConfigError

_INTEGERS = {"16": "PCM_16", "24": "PCM_24", "32": "PCM_32"}
_FLOATS = {"float": "FLOAT", "double": "DOUBLE"}
_UNSIGNED = {"8": "PCM_U8", **_INTEGERS, **_FLOATS}
_SIGNED = {"8": "PCM_S8", **_INTEGERS, **_FLOATS}
BITS = ("8", "16", "24", "32", "float", "double")
"""How finely samples are stored, coarsest first."""

_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_AAC_RATES = (*MP3_RATES, 64000, 88200, 96000)
_GIB_4 = (1 << 32) - (1 << 20)  # a mebibyte for headers and tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One row of the planning table.

    Attributes:
        container: libsndfile's name; for `ffmpeg` kinds the name of its muxer.
        subtypes: bits -> libsndfile's name; empty for lossy formats.
        codec: how a lossy format stores sound: libsndfile's subtype or ffmpeg's encoder.
        rates: sample rates it holds, None for any up to `max_rate`.
        max_rate: Hz.
        channels: most channels.
        max_bytes: of sample data, None without a limit.
        empty: a file without a single sample can be read back.
        foreign: only ffmpeg writes it.
        suffixes: endings of file names, the first is the usual one.
    """

    container: str
    subtypes: dict[str, str]
    codec: str = ""
    rates: tuple[int, ...] | None = None
    max_rate: int = 384_000
    channels: int = 16
    max_bytes: int | None = None
    empty: bool = True
    foreign: bool = False
    suffixes: tuple[str, ...]

    @property
    def lossy(self) -> bool:
        """Whether decoding gives other samples than were encoded."""
        return not self.subtypes


TARGETS: dict[str, Target] = {
    "wav": Target(container="WAV", subtypes=_UNSIGNED, max_bytes=_GIB_4, suffixes=("wav", "wave")),
    "rf64": Target(container="RF64", subtypes=_UNSIGNED, suffixes=("rf64",)),
    "w64": Target(container="W64", subtypes=_UNSIGNED, suffixes=("w64",)),
    "flac": Target(
        container="FLAC", subtypes={"8": "PCM_S8", "16": "PCM_16", "24": "PCM_24"}, channels=8,
        empty=False, suffixes=("flac",),
    ),
    "mp3": Target(
        container="MP3", subtypes={}, codec="MPEG_LAYER_III", rates=MP3_RATES, channels=2,
        empty=False, suffixes=("mp3",),
    ),
    "ogg": Target(
        container="OGG", subtypes={}, codec="VORBIS", max_rate=192_000, suffixes=("ogg", "oga")
    ),
    "opus": Target(
        container="OGG", subtypes={}, codec="OPUS", rates=_OPUS_RATES, channels=8, empty=False,
        suffixes=("opus",),
    ),
    "aiff": Target(
        container="AIFF", subtypes=_SIGNED, max_bytes=_GIB_4, suffixes=("aiff", "aif", "aifc")
    ),
    "caf": Target(container="CAF", subtypes=_SIGNED, suffixes=("caf",)),
    "au": Target(container="AU", subtypes=_SIGNED, max_bytes=_GIB_4, suffixes=("au", "snd")),
    "m4a": Target(
        container="ipod", subtypes={}, codec="aac", rates=_AAC_RATES, channels=8, empty=False,
        foreign=True, suffixes=("m4a", "mp4", "m4b"),
    ),
    "aac": Target(
        container="adts", subtypes={}, codec="aac", rates=_AAC_RATES, channels=8, empty=False,
        foreign=True, suffixes=("aac",),
    ),
    "wma": Target(
        container="asf", subtypes={}, codec="wmav2", rates=MP3_RATES, channels=2, empty=False,
        foreign=True, suffixes=("wma",),
    ),
    "webm": Target(
        container="webm", subtypes={}, codec="libopus", rates=_OPUS_RATES, channels=8,
        empty=False, foreign=True, suffixes=("webm", "weba"),
    ),
}  # fmt: skip
"""Format -> what it holds: the planning table."""

KINDS = tuple(TARGETS)
"""Formats that can be written; those of ffmpeg only where it is found."""

_READ_ONLY = {
    "mkv": "webm", "mka": "webm", "mov": "m4a", "m4v": "m4a", "3gp": "m4a", "asf": "wma",
    "wmv": "wma", "avi": "avi", "m4r": "m4a", "3g2": "m4a", "bwf": "wav", "mpga": "mp3",
    "mp1": "mp1", "mp2": "mp2", "ac3": "ac3", "eac3": "ac3", "dts": "dts", "m2ts": "ts",
    "mts": "ts", "ogv": "ogg", "ogx": "ogg", "spx": "ogg", "dsf": "dsf", "dff": "dff",
    "mpc": "musepack", "wv": "wavpack", "tta": "tta", "ape": "ape", "amr": "amr", "tak": "tak",
    "shn": "shorten", "ofr": "optimfrog", "ra": "realaudio", "flv": "flv", "voc": "voc",
}  # fmt: skip
SUFFIXES = {
    suffix: kind for kind, target in TARGETS.items() for suffix in target.suffixes
} | _READ_ONLY
"""Suffix of a file name -> format, of everything that can be read."""


def format_of(path: Path) -> str:
    """Return the format that a file name asks for.

    Raises:
        ConfigError: if its suffix names none that can be written.
    """
    kind = SUFFIXES.get(path.suffix.lower().removeprefix("."), "")
    if kind not in KINDS:
        raise ConfigError(
            f"destination: {path.name!r} does not say which format is wanted",
            hint=f"end its name with one of {', '.join('.' + kind for kind in KINDS)}",
        )
    return kind
