"""Files of sound into other files of sound: any format, any length, whole or not at all.

What a plain conversion does not need is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from musiccore.conversion.convert import ConversionResult, Levels, convert, deliver
from musiccore.conversion.fitting import TargetPlan, plan_target
from musiccore.conversion.formats import KINDS, SUFFIXES, TARGETS, Target, format_of
from musiccore.conversion.memory import read
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.sources import SoundSource, open_sound
from musiccore.storage.atomic import appearing, sweep, write_file

if TYPE_CHECKING:
    from musiccore.conversion.combine import join, stereo
    from musiccore.conversion.cutting import fade, trim
    from musiccore.conversion.ffmpeg import find_ffmpeg
    from musiccore.conversion.pydub_bridge import from_segment, to_segment

__all__ = [
    "appearing",
    "ConversionOptions",
    "ConversionResult",
    "convert",
    "deliver",
    "fade",
    "find_ffmpeg",
    "format_of",
    "from_segment",
    "join",
    "KINDS",
    "Levels",
    "open_sound",
    "plan_target",
    "read",
    "SoundSource",
    "stereo",
    "SUFFIXES",
    "sweep",
    "Target",
    "TARGETS",
    "TargetPlan",
    "to_segment",
    "trim",
    "write_file",
]

_MODULE_OF = {
    "fade": "cutting",
    "find_ffmpeg": "ffmpeg",
    "from_segment": "pydub_bridge",
    "join": "combine",
    "stereo": "combine",
    "to_segment": "pydub_bridge",
    "trim": "cutting",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
