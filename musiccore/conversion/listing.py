"""Which files become which: what converting files, folders and patterns means, before any work.

A folder keeps its shape, whatever of it is hidden stays out, and what lies below the destination
is never taken for a source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from musiccore.conversion.formats import KINDS, SUFFIXES, TARGETS
from musiccore.errors import ConfigError
from musiccore.storage.files import Found, expand, is_folder, look, walk
from musiccore.storage.places import Place, parse_place

_RELATIVES = {("wav", "rf64"), ("rf64", "wav"), ("ogg", "opus")}
"""Suffix and format that go together although the table names another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One file to convert.

    Attributes:
        source: audio that exists.
        target: where it goes.
        kind: format of the target, one of `KINDS`.
    """

    source: Found
    target: Place
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a request means.

    Attributes:
        conversions: in the order of the request, files of a folder by name.
        notes: what was left out and why, for a person.
        single: one file was asked for by its name.
    """

    conversions: tuple[Conversion, ...]
    notes: tuple[str, ...]
    single: bool


@dataclass(slots=True)
class _Group:
    """Files of one word of the request; of a folder or a pattern where `folder` is set."""

    folder: Place | None
    files: list[Found] = field(default_factory=list)


def kind_of(place: Place) -> str | None:
    """Return the format that a name asks for, None where it names none that can be written."""
    kind = SUFFIXES.get(place.suffix)
    return kind if kind in TARGETS and place.suffix in TARGETS[kind].suffixes else None


def plan_conversions(
    sources: Sequence[str], kind: str | None, out: str = "", *, may_be_empty: bool = False
) -> Listing:
    """List what converting files, folders and patterns means.

    Args:
        sources: paths, addresses of stores, or patterns such as `album/**/*.wav`.
        kind: format wanted, one of `KINDS`; None takes it from the name of the destination.
        out: a file for one file, a folder for anything else; empty is beside each source.
        may_be_empty: a folder or a pattern without audio is no mistake.

    Raises:
        ConfigError: if a source is missing or holds no audio, the format is unknown or not said,
            or a file would become itself or another one's.
        StorageError: if a store does not answer.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"to: {kind!r} is unknown", hint=f"use one of {', '.join(KINDS)}")
    if not sources:
        raise ConfigError("source: nothing is named", hint="jukeflow convert in.wav out.mp3")
    notes: list[str] = []
    groups = [_gather(text, notes, may_be_empty) for text in dict.fromkeys(sources)]
    single = len(groups) == 1 and groups[0].folder is None
    target = parse_place(out, "out") if out else None
    as_file = target is not None and _is_file_name(target, out, kind, sources)
    if as_file:
        assert target is not None
        kind = kind or kind_of(target)
        if not single:
            raise ConfigError(
                f"out: {str(target)!r} is one file, and several are to be converted",
                hint=f"give a folder, as {target.stem}/, or join them with --join",
            )
    if kind is None:
        raise _format_is_not_said(sources, out)
    conversions = tuple(_conversions(groups, kind, target, as_file=as_file))
    if not conversions and not may_be_empty and not any(group.files for group in groups):
        raise ConfigError(f"source: no audio file is in {sources[0]!r}", hint=_endings())
    return Listing(conversions=conversions, notes=tuple(notes), single=single)


def _gather(text: str, notes: list[str], may_be_empty: bool) -> _Group:
    """Find the files of one word of the request."""
    place = parse_place(text, "source")

    def unreadable(what: str) -> None:
        notes.append(f"a folder cannot be read and is left out: {what}")

    expanded = expand(place)
    if expanded is not None:
        folder, matches = expanded
        group = _Group(folder)
        for match in matches:
            if SUFFIXES.get(match.suffix) and (found := look(match)) is not None:
                group.files.append(found)
            elif "**" not in place.path and is_folder(match):  # as a shell would hand it over
                group.files += [each for each in walk(match, unreadable) if _is_audio(each)]
        if not group.files and not may_be_empty:
            raise ConfigError(f"source: nothing matches {text!r}", hint=_endings())
        return group
    if (found := look(place)) is not None:
        return _Group(None, [found])
    if is_folder(place) or (may_be_empty and place.scheme):  # a store knows no empty folder
        group = _Group(place, [each for each in walk(place, unreadable) if _is_audio(each)])
        if not group.files and not may_be_empty:
            raise ConfigError(f"source: no audio file is in {text!r}", hint=_endings())
        return group
    raise ConfigError(f"source: {text!r} does not exist", hint="check the path")


def _is_audio(found: Found) -> bool:
    return found.place.suffix in SUFFIXES


def _endings() -> str:
    return f"files that end with {', '.join('.' + suffix for suffix in SUFFIXES)} are audio"


def _is_file_name(target: Place, out: str, kind: str | None, sources: Sequence[str]) -> bool:
    """Return whether the destination is one file and not a folder."""
    if out.endswith("/") or is_folder(target):
        return False
    named = kind_of(target)
    if named is None and kind is None:
        raise _format_is_not_said(sources, out)
    if named is not None and kind not in (None, named) and (named, kind) not in _RELATIVES:
        raise ConfigError(
            f"out: {target.name!r} ends like {named}, and --to is {kind}",
            hint=f"name it {target.stem}.{TARGETS[kind or named].suffixes[0]}, or leave {{to}} out",
        )
    return named is not None


def _format_is_not_said(sources: Sequence[str], out: str) -> ConfigError:
    name = out or "DIR"
    if out in KINDS:
        return ConfigError(
            f"out: {out!r} is a format, not a file", hint=f"--to {out}, or --output song.{out}"
        )
    if out and not out.endswith("/") and len(sources) == 1 and Path(out).suffix:
        return ConfigError(
            f"out: {out!r} does not say which format is wanted",
            hint=f"end its name with one of {', '.join('.' + kind for kind in KINDS)}",
        )
    return ConfigError(
        "to: which format is wanted is not said",
        hint=f"jukeflow convert {sources[0]} --to flac --out {name}",
    )


def _conversions(
    groups: list[_Group], kind: str, out: Place | None, *, as_file: bool
) -> Iterator[Conversion]:
    """Yield what becomes what; a source that is named twice once."""
    seen: set[Place] = set()
    goals: dict[Place, Place] = {}
    for group in groups:
        files = [found for found in group.files if found.place not in seen]
        seen |= {found.place for found in files}
        for found, goal in _goals(group.folder, files, kind, out, as_file=as_file):
            if found.place.same(goal):
                if len(groups) == 1 and group.folder is None:
                    raise ConfigError(
                        f"out: {str(goal)!r} is the source itself", hint="choose another name"
                    )
                continue
            if goal in goals:
                raise ConfigError(
                    f"out: two files would get the same name, {str(goal)!r}: "
                    f"{str(goals[goal])!r} and {str(found.place)!r}",
                    hint="convert them to folders of their own",
                )
            goals[goal] = found.place
            yield Conversion(source=found, target=goal, kind=kind)


def _goals(
    folder: Place | None, files: list[Found], kind: str, out: Place | None, *, as_file: bool
) -> Iterator[tuple[Found, Place]]:
    suffix = TARGETS[kind].suffixes[0]
    if folder is None:
        for found in files:
            home = out or found.place.parent
            goal = home if as_file else home.under(f"{found.place.stem}.{suffix}")
            yield found, goal
        return
    if out is not None and out.is_below(folder):  # our own output of an earlier time
        files = [found for found in files if not found.place.is_below(out)]
    home = out or folder
    paths = {found.place: Path(found.place.relative_to(folder)) for found in files}
    named = {place: str(path.with_suffix(f".{suffix}")) for place, path in paths.items()}
    counts = Counter(name for place, name in named.items() if not place.same(home.under(name)))
    for found in files:
        name = named[found.place]
        if counts[name] > 1:  # song.wav and song.mp3 both want song.flac
            name = f"{paths[found.place].as_posix()}.{suffix}"
        yield found, home.under(name)
