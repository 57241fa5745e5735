"""Which files become which: what converting a file or a folder means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from musiccore.editing.atomic import same_file
from musiccore.editing.formats import KINDS, SUFFIXES
from musiccore.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One file to convert.

    Attributes:
        source: audio that exists.
        target: where it goes.
        kind: format of the target, one of `KINDS`.
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
    if kind not in KINDS:
        raise ConfigError(
            f"destination: {path.name!r} does not say which format is wanted",
            hint=f"end its name with one of {', '.join('.' + kind for kind in KINDS)}",
        )
    return kind


def plan_conversions(source: Path, kind: str, target: Path | None) -> list[Conversion]:
    """List what converting a file, or a folder and everything below it, means.

    Args:
        source: a file or a folder.
        kind: format wanted, one of `KINDS`.
        target: a file for a file (or an existing folder), a folder for a folder; None is beside
            the source.

    Returns:
        Conversions in the order of their names. Files of a folder that are in the wanted format
        already are left out if they would land on themselves.

    Raises:
        ConfigError: if the source is missing or holds no audio, the format is unknown, or a file
            would become itself.
    """
    if kind not in KINDS:
        raise ConfigError(f"to: {kind!r} is unknown", hint=f"use one of {', '.join(KINDS)}")
    if source.is_dir():
        return list(_plan_folder(source, kind, target or source))
    if not source.is_file():
        raise ConfigError(f"source: {str(source)!r} does not exist", hint="check the path")
    if target is None or target.is_dir():
        target = (target or source.parent) / f"{source.stem}.{kind}"
    if same_file(source, target):
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
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
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
        if same_file(path, goal):
            continue
        if goal in taken:  # song.wav and song.mp3 both want song.flac
            goal = goal.with_name(f"{path.name}.{kind}")
        taken.add(goal)
        yield Conversion(source=path, target=goal, kind=kind)
