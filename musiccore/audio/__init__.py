"""Sound in memory and in blocks: decode, write, measure, draw.

The names below are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musiccore.audio.sound import (
        EXPORTS,
        FORMATS,
        MAX_CHANNELS,
        MAX_RATE,
        MIN_RATE,
        MP3_RATES,
        Audio,
        limit_peak,
        pcm_sha256,
        resample,
        sniff,
        to_mono,
        write,
        write_preview,
    )

__all__ = [
    "Audio",
    "EXPORTS",
    "FORMATS",
    "limit_peak",
    "MAX_CHANNELS",
    "MAX_RATE",
    "MIN_RATE",
    "MP3_RATES",
    "pcm_sha256",
    "resample",
    "sniff",
    "to_mono",
    "write",
    "write_preview",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.sound"), name)
    globals()[name] = value
    return value
