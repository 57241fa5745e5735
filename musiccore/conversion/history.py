"""What a conversion leaves behind in the tags: which files it read, and what it was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from musiccore.conversion.options import ConversionOptions

_NOT_OF_THE_SOUND = ("engine", "ffmpeg", "strict", "tag_encoding")


def conversion_record(
    sources: Sequence[Path], options: ConversionOptions, sample_rate: int, channels: int
) -> dict[str, object]:
    """Return one entry of the history that the tags of a file hold.

    Args:
        sources: files that were converted, or joined.
        options: what was asked for; defaults are left out.
        sample_rate: Hz of the target.
        channels: of the target.

    Raises:
        OSError: if a source cannot be read.
    """
    asked = {
        one.name: getattr(options, one.name)
        for one in fields(options)
        if one.name not in _NOT_OF_THE_SOUND and getattr(options, one.name) != one.default
    }
    return {
        "sources": [_digest(source) for source in sources],
        "options": asked,
        "sample_rate": sample_rate,
        "channels": channels,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
