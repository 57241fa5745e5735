"""The options of `convert` as the library knows them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

from musiccore.conversion.options import ConversionOptions
from musiccore.timecode import parse_seconds
from tasks.settings import machine


def conversion_options(options: Namespace, kind: str | None) -> ConversionOptions:
    """Read how to convert.

    Raises:
        ConfigError: naming the option that is wrong.
    """

    def seconds(name: str) -> float | None:
        text = getattr(options, name)
        return None if text is None else parse_seconds(text, name)

    return ConversionOptions(
        kind=kind or "wav",
        bits=options.bits,
        sample_rate=options.rate,
        channels=options.channels,
        bitrate=options.bitrate,
        loudness=options.loudness,
        true_peak=options.true_peak,
        start=seconds("start") or 0.0,
        end=seconds("end"),
        seconds=seconds("seconds"),
        fade_in=seconds("fade_in") or 0.0,
        fade_out=seconds("fade_out") or 0.0,
        dither=not options.no_dither,
        on_clip=options.on_clip,
        strict=options.strict,
        engine=options.engine,
        ffmpeg=options.ffmpeg,
        tag_encoding=options.tag_encoding,
    )


def with_program(options: ConversionOptions) -> ConversionOptions:
    """Return how to convert, with the ffmpeg of the settings where no other is named.

    Raises:
        ConfigError: if a setting is wrong.
    """
    # Not through `tasks.context`: that loads what runs are made of.
    return replace(options, ffmpeg=options.ffmpeg or machine().ffmpeg)
