"""One file into another, or any sound into a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from musiccore.conversion.delivery import ConversionResult, Delivery, Levels, Progress, Tags
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.sources import SoundSource, open_sound
from musiccore.storage.atomic import appearing, check_target

__all__ = ["ConversionResult", "convert", "deliver", "Levels", "Progress", "Tags"]


def convert(
    source: Path,
    target: Path,
    options: ConversionOptions,
    *,
    force: bool = False,
    tags: Tags = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Convert one file; its tags come along.

    Args:
        source: a file of any format.
        target: where it goes; it appears whole or not at all.
        options: what to make of it.
        force: write over a file that exists.
        tags: more of them, as `tags.copy_tags` takes them.
        progress: told the share done, 0 to 1.

    Returns:
        What was made, with everything that was changed or odd.

    Raises:
        ConfigError: if the target exists or is the source, or `strict` forbids a change.
        AudioError: if the source cannot be read, or the target cannot hold it or be written.
        MissingProgram: if ffmpeg is needed and not there.
    """
    check_target(target, (source,), force=force)
    sound = open_sound(source, engine=options.engine, ffmpeg=options.ffmpeg)
    return deliver(
        sound, target, options, tags_from=(source,), force=force, tags=tags, progress=progress
    )


def deliver(
    sound: SoundSource,
    target: Path,
    options: ConversionOptions,
    *,
    tags_from: Sequence[Path] = (),
    force: bool = False,
    tags: Tags = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Write any sound to a file.

    Args:
        sound: heard once or several times.
        target: see `convert`.
        options: see `convert`.
        tags_from: the first file whose tags come along.
        force: see `convert`.
        tags: see `convert`.
        progress: see `convert`.

    Returns:
        See `convert`.

    Raises:
        ConfigError: see `convert`.
        AudioError: see `convert`.
        MissingProgram: see `convert`.
    """
    check_target(target, tuple(tags_from), force=force)
    delivery = Delivery(sound, options, progress, tags_from, tags)
    with appearing(target, force=force) as aside:
        return delivery.write(aside)
