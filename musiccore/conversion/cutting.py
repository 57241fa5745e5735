"""The short way to a part of a sound, and to one that begins and ends softly."""

from __future__ import annotations

from pathlib import Path

from musiccore.conversion.convert import ConversionResult, convert
from musiccore.conversion.formats import format_of
from musiccore.conversion.options import ConversionOptions


def trim(
    source: Path,
    target: Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    seconds: float | None = None,
    force: bool = False,
) -> ConversionResult:
    """Keep a part of a sound.

    Args:
        source: any file of sound.
        target: its name says the format.
        start: first second kept.
        end: second to stop at; None keeps everything to the end.
        seconds: exact length: silence is added, or the rest cut.
        force: write over a file that exists.

    Returns:
        See `convert`.

    Raises:
        ConfigError: if nothing would be left, or see `convert`.
        AudioError: see `convert`.
    """
    options = ConversionOptions(kind=format_of(target), start=start, end=end, seconds=seconds)
    return convert(source, target, options, force=force)


def fade(
    source: Path, target: Path, *, fade_in: float = 0.0, fade_out: float = 0.0, force: bool = False
) -> ConversionResult:
    """Let a sound begin and end softly.

    Args:
        source: any file of sound.
        target: its name says the format.
        fade_in: seconds from silence to the full level.
        fade_out: seconds from the full level to silence at the end.
        force: write over a file that exists.

    Returns:
        See `convert`.

    Raises:
        ConfigError: if a length is out of range, or see `convert`.
        AudioError: see `convert`.
    """
    options = ConversionOptions(kind=format_of(target), fade_in=fade_in, fade_out=fade_out)
    return convert(source, target, options, force=force)
