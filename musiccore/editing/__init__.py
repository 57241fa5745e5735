"""Files of sound into other files of sound: any format, any length, whole or not at all."""

from __future__ import annotations

from musiccore.editing.combining import join, stereo
from musiccore.editing.conversion import ConversionResult, Levels, convert, deliver
from musiccore.editing.cutting import fade, trim
from musiccore.editing.ffmpeg import find_ffmpeg
from musiccore.editing.formats import KINDS, SUFFIXES, TARGETS, Target, format_of
from musiccore.editing.options import ConversionOptions
from musiccore.editing.segments import from_segment, to_segment
from musiccore.editing.sources import Sound, open_sound
from musiccore.editing.targets import TargetPlan, plan_target
from musiccore.storage.atomic import appearing, sweep, write_file

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
    "Sound",
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
