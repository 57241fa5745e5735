"""Several files into one: end to end, or side by side. Sources and target may lie in any place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from musiccore.conversion.batch_convert import Row, Watch, row_of
from musiccore.conversion.combine import join, stereo
from musiccore.conversion.convert import ConversionResult
from musiccore.conversion.listing import Conversion, kind_of
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.staging import Stage
from musiccore.errors import ConfigError, MusicCoreError
from musiccore.storage.files import Found, expand, is_folder, look, taken
from musiccore.storage.places import Place, parse_place
from musiccore.work.stop import SafeStop

SIDES: Final = (2, 3)
_FETCHED: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """One after the other.

    Attributes:
        crossfade: seconds in which one goes over into the next.
    """

    crossfade: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Siding:
    """Left, centre and right, or left and right.

    Attributes:
        delays: milliseconds that each comes later, as many as there are sources; empty for none.
    """

    delays: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """Several files to make one of.

    Attributes:
        sources: in order.
        target: the file.
        kind: its format.
        how: end to end, or side by side.
    """

    sources: tuple[Found, ...]
    target: Place
    kind: str
    how: Joining | Siding


def plan_combination(
    sources: Sequence[str], kind: str | None, out: str, how: Joining | Siding, *, force: bool
) -> Combination:
    """Find the files to make one of.

    Args:
        sources: files, addresses and patterns, in order; the files of a pattern by name.
        kind: format wanted; None takes it from the name of the target.
        out: the file.
        how: end to end, or side by side.
        force: write over a file that exists.

    Raises:
        ConfigError: if a source is missing, there are too few or too many, the format is not
            said, or the target is one of the sources or exists.
    """
    found: list[Found] = []
    for text in sources:
        place = parse_place(text, "source")
        expanded = expand(place)
        places = (place,) if expanded is None else expanded[1]
        found += [each for each in map(look, places) if each is not None]
        if not places or (expanded is None and look(place) is None):
            why = "is a folder" if is_folder(place) else "does not exist"
            raise ConfigError(f"source: {text!r} {why}", hint="name the files, in their order")
    target = parse_place(out, "out")
    named = kind or kind_of(target)
    if named is None or is_folder(target):
        raise ConfigError(
            f"out: {out!r} does not say which format is wanted", hint="name a file, as song.flac"
        )
    if isinstance(how, Siding):
        _check_sides(len(found), how)
    elif len(found) < 2:
        raise ConfigError(f"source: {len(found)} file is not enough to join", hint="name two")
    if any(each.place.same(target) for each in found):
        raise ConfigError(f"out: {out!r} is one of the sources", hint="choose another name")
    if look(target) is not None and not force:
        raise taken(target)
    return Combination(sources=tuple(found), target=target, kind=named, how=how)


def _check_sides(number: int, how: Siding) -> None:
    if number not in SIDES:
        raise ConfigError(
            f"source: {number} files cannot be left, centre and right",
            hint="name three, or two for left and right",
        )
    if how.delays and len(how.delays) != number:
        raise ConfigError(
            f"delays: {len(how.delays)} numbers for {number} files", hint="one for each, in order"
        )


def combine_files(
    asked: Combination, options: ConversionOptions, *, force: bool, watch: Watch
) -> Row:
    """Make one file of several.

    Args:
        asked: from what to what.
        options: how it is written.
        force: write over a file that exists.
        watch: told how it goes.

    Returns:
        How it ended; its source is all of them.
    """
    each = Conversion(source=asked.sources[0], target=asked.target, kind=asked.kind)
    stage = Stage()

    with SafeStop(watch.say) as stop:

        def moved(fraction: float) -> None:
            stop.inside_unit(fraction)
            watch.moved(0, fraction)

        try:
            with stage.opened(asked.target):
                count = len(asked.sources)
                files = [
                    stage.fetched(found, _part(moved, n / count * _FETCHED))
                    for n, found in enumerate(asked.sources)
                ]
                result = _combined(files, stage.made(), asked.how, options, moved)
                stage.publish(force=force)
        except MusicCoreError as error:
            message, problem = stage.explained(error)
            row = row_of(each, "failed", error=message, hint=error.marked_hint, problem=problem)
        else:
            row = row_of(each, "written", result)
    row["source"] = " + ".join(str(found.place) for found in asked.sources)
    watch.ended(0, row)
    return row


def _part(moved: Callable[[float], None], share: float) -> Callable[[float], None]:
    return lambda _: moved(share)


def _combined(
    files: Sequence[Path],
    made: Path,
    how: Joining | Siding,
    options: ConversionOptions,
    progress: Callable[[float], None],
) -> ConversionResult:
    if isinstance(how, Joining):
        return join(files, made, options, crossfade=how.crossfade, progress=progress)
    delays = how.delays or (0.0,) * len(files)
    if len(files) == 2:
        left, right = files
        spread = (delays[0], 0.0, delays[1])
        return stereo(left, None, right, made, options, delays=spread, progress=progress)
    left, centre, right = files
    three = (delays[0], delays[1], delays[2])
    return stereo(left, centre, right, made, options, delays=three, progress=progress)
