"""Files of sound into other files of sound: formats now, and what else one does to a recording.

A file appears whole or not at all, and nothing that exists is written over unless it is asked for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from musiccore.audio import EXPORTS, MP3_RATES, Audio, read, resample, write
from musiccore.errors import AudioError, ConfigError
from musiccore.tags import read_tags, write_tags

SUFFIXES = {
    "wav": "wav", "flac": "flac", "mp3": "mp3", "ogg": "ogg", "oga": "ogg", "aiff": "aiff",
    "aif": "aiff", "aifc": "aiff", "caf": "caf",
}  # fmt: skip
"""File suffix -> format, of what can be read; all but CAF can be written."""

_TAGGED = ("wav", "flac", "mp3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One file to convert.

    Attributes:
        source: audio that exists.
        target: where it goes.
        kind: format of the target, one of `EXPORTS`.
    """

    source: Path
    target: Path
    kind: str


def format_of(path: Path) -> str:
    """Return the format that a file name asks for.

    Raises:
        ConfigError: if its suffix names none that can be written.
    """
    kind = SUFFIXES.get(path.suffix.lower().removeprefix("."), "")
    if kind not in EXPORTS:
        raise ConfigError(
            f"destination: {path.name!r} does not say which format is wanted",
            hint=f"end its name with one of {', '.join('.' + kind for kind in EXPORTS)}",
        )
    return kind


def plan_conversions(source: Path, kind: str, target: Path | None) -> list[Conversion]:
    """List what converting a file, or a folder and everything below it, means.

    Args:
        source: a file or a folder.
        kind: format wanted, one of `EXPORTS`.
        target: a file for a file (or an existing folder), a folder for a folder; None is beside
            the source.

    Returns:
        Conversions in the order of their names. Files of a folder that are in the wanted format
        already are left out if they would land on themselves.

    Raises:
        ConfigError: if the source is missing or holds no audio, the format is unknown, or a file
            would become itself.
    """
    if kind not in EXPORTS:
        raise ConfigError(f"to: {kind!r} is unknown", hint=f"use one of {', '.join(EXPORTS)}")
    if source.is_dir():
        return list(_plan_folder(source, kind, target or source))
    if not source.is_file():
        raise ConfigError(f"source: {str(source)!r} does not exist", hint="check the path")
    if target is None or target.is_dir():
        target = (target or source.parent) / f"{source.stem}.{kind}"
    if _same(source, target):
        raise ConfigError(
            f"destination: {str(target)!r} is the source itself", hint="choose another name"
        )
    return [Conversion(source=source, target=target, kind=kind)]


def _plan_folder(folder: Path, kind: str, target: Path) -> Iterator[Conversion]:
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower().removeprefix(".") in SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
    ]
    if target != folder and target.resolve().is_relative_to(folder.resolve()):
        found = [path for path in found if not path.is_relative_to(target)]
    if not found:
        raise ConfigError(
            f"source: no audio file is in {str(folder)!r}",
            hint=f"files that end with {', '.join('.' + suffix for suffix in SUFFIXES)} are audio",
        )
    taken: set[Path] = set()
    for path in found:
        goal = target / path.relative_to(folder).with_suffix(f".{kind}")
        if _same(path, goal):
            continue
        if goal in taken:  # song.wav and song.mp3 both want song.flac
            goal = goal.with_name(f"{path.name}.{kind}")
        taken.add(goal)
        yield Conversion(source=path, target=goal, kind=kind)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (other.exists() and one.samefile(other))


def convert(conversion: Conversion, *, force: bool = False) -> Audio:
    """Convert one file; its tags come along where both formats carry them.

    Args:
        conversion: from where to where.
        force: write over a file that exists.

    Returns:
        The sound that was written.

    Raises:
        ConfigError: if the target exists, or is the source.
        AudioError: if the source cannot be read, or the target cannot hold it or be written.
    """
    source, target = conversion.source, conversion.target
    if _same(source, target):
        raise ConfigError(f"destination: {str(target)!r} is the source itself")
    if target.exists() and not force:
        raise _exists(target)
    audio = read(source)
    if conversion.kind == "mp3" and audio.sample_rate not in MP3_RATES:
        fitting = [rate for rate in MP3_RATES if rate >= audio.sample_rate]
        audio = resample(audio, fitting[0] if fitting else MP3_RATES[-1])
    data = write(audio, conversion.kind)
    if conversion.kind in _TAGGED and (kept := _tags(source)):
        data = write_tags(data, kept)
    write_file(target, data, force=force)
    return audio


def _tags(source: Path) -> dict[str, object]:
    """Return what to carry over: everything of our own files, the shown tags of others."""
    try:
        found = read_tags(source)
    except AudioError:  # a format without tags we read, or damaged ones; the sound is sound
        return {}
    provenance = found.get("provenance")
    if isinstance(provenance, dict):
        return provenance
    return {name: value for name, value in found.items() if name not in ("format", "provenance")}


def write_file(target: Path, data: bytes, *, force: bool = False) -> None:
    """Write a file that appears whole or not at all.

    Args:
        target: its path; folders above it are made.
        data: its bytes.
        force: write over a file that exists.

    Raises:
        ConfigError: if it exists.
        AudioError: if it cannot be written.
    """
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists() and not force:
            raise _exists(target)
        os.replace(aside, target)
    except OSError as error:
        raise AudioError(
            f"{str(target)!r} cannot be written: {error.strerror or error}",
            hint="check the folder, its permissions and the free space",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def _exists(target: Path) -> ConfigError:
    return ConfigError(f"destination: {str(target)!r} exists", hint="use --force to write over it")
