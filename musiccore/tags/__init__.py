"""What a sound is called and what made it, written into the file and read back.

One JSON object, the provenance, goes into every format whole, beside everything that other
programs show: fields of any name, pictures, chapters, lyrics. The samples are not touched: tags are
chunks, blocks, pages or a prefix around them. Written here by hand because the one good tag library
is under the GPL.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from musiccore.errors import AudioError
from musiccore.tags.encodings import AUTO, OldTexts, checked_encoding
from musiccore.tags.fields import LIMIT, SHOWN, Tags, from_json, plain, to_json
from musiccore.tags.kinds import kind_of
from musiccore.tags.not_carried import losses
from musiccore.tags.objects import to_object
from musiccore.tags.pieces import Piece, Source, joined, rewrite
from musiccore.tags.summary import summary

__all__ = [
    "can_read",
    "checked_encoding",
    "copy_tags",
    "load_tags",
    "lost",
    "opened",
    "TagReading",
    "read_tags",
    "save_tags",
    "SHOWN",
    "summary",
    "tag_file",
    "Tags",
    "with_extra",
    "write_tags",
]


class _Container(Protocol):
    HOME: str

    def read(self, source: Source, old: OldTexts) -> Tags: ...


class _Writer(_Container, Protocol):
    def write(self, source: Source, tags: Tags) -> Iterable[Piece]: ...


_WRITERS: Final[Mapping[str, str]] = {
    "wav": "riff",
    "flac": "flac",
    "mp3": "mp3",
    "ogg": "ogg",
    "opus": "ogg",
    "aiff": "aiff",
    "caf": "caf",
    "au": "au",
    "w64": "w64",
    "m4a": "mp4",
}
_AROUND: Final = ("aac", "ape", "wavpack", "musepack", "tta", "optimfrog", "mp2")
_READERS: Final[Mapping[str, str]] = {
    **_WRITERS,
    **dict.fromkeys(_AROUND, "mp3"),
    "dsf": "dsf",
}
_DAMAGE: Final = (ValueError, struct.error, IndexError, OverflowError, RecursionError)


@cache
def _reader(kind: str) -> _Container:
    """The module of a format, loaded when a file of it is met: most files need two of ten."""
    return cast(_Container, import_module(f"{__name__}.{_READERS[kind]}"))


def _writer(kind: str) -> _Writer:
    return cast(_Writer, _reader(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class TagReading:
    """What was read from one file.

    Attributes:
        kind: its format.
        tags: what they say.
        doubts: texts whose encoding a person should look at, in words.
    """

    kind: str
    tags: Tags
    doubts: tuple[str, ...] = ()


def write_tags(data: bytes, provenance: Mapping[str, object]) -> bytes:
    """Put the provenance into an audio file; tags written before are replaced.

    Args:
        data: an audio file of a format that holds tags.
        provenance: JSON values by name. Those of `SHOWN` that are text are also written where
            players look for them.

    Returns:
        The file with the same samples; equal arguments give equal bytes.

    Raises:
        AudioError: if the file is of another format, or the provenance is no JSON or too long.
    """
    source = Source(io.BytesIO(data))
    pieces = _pieces(source, _tags_of(provenance), "audio data")
    try:
        return joined(source, pieces)
    except _DAMAGE as error:
        raise AudioError(f"audio data are damaged and take no tags: {error}") from error


def tag_file(path: Path, provenance: Mapping[str, object]) -> None:
    """Put the provenance into an audio file on disk, however large it is.

    Args:
        path: of the file. It is changed in place where only its end changes, else replaced.
        provenance: as `write_tags` takes it.

    Raises:
        AudioError: as `write_tags`, and if the file cannot be read or written.
    """
    _put(path, _tags_of(provenance))


def read_tags(
    source: str | os.PathLike[str] | bytes, *, encoding: str | None = None
) -> dict[str, object]:
    """Read the tags of an audio file, ours or anybody's.

    Args:
        source: a path, or the bytes of the file.
        encoding: of old texts that do not say theirs; None for UTF-8 or Latin-1, `auto` guesses.

    Returns:
        `format`; the fields of `SHOWN` that are there; what else there is, as `summary` returns it;
        and `provenance`, exactly the mapping that was written, in files made here.

    Raises:
        AudioError: if the file cannot be read, is of another format, or its tags are damaged.
        ConfigError: if there is no such encoding.
    """
    name = _name(source)
    with opened(source) as file:
        reading = _read(file, name, encoding)
        found = summary(reading.kind, reading.tags, reading.doubts)
        if reading.tags.provenance is not None:
            try:
                found["provenance"] = from_json(reading.tags.provenance)
            except _DAMAGE as error:
                raise AudioError(f"{name} has damaged tags: {error}") from error
        return found


def load_tags(source: Path, *, encoding: str | None = None) -> TagReading:
    """Read everything that the tags of an audio file hold.

    Raises:
        AudioError, ConfigError: as `read_tags`.
    """
    with opened(source) as file:
        return _read(file, _name(source), encoding)


def can_read(source: Path) -> bool:
    """Tell whether tags of this format are read here.

    Raises:
        AudioError: if the file cannot be opened.
    """
    with opened(source) as file:
        return kind_of(file) in _READERS


def save_tags(target: Path, tags: Tags) -> tuple[str, ...]:
    """Write tags into an audio file in place of those that it has.

    Args:
        target: complete audio file that nobody reads yet: it is changed, or replaced.
        tags: what they say; where the format holds no tags at all, `<target>.json` takes them.

    Returns:
        Warnings: what was too long to be kept.

    Raises:
        AudioError: if a file cannot be read, or the target cannot be written.
    """
    if tags.empty:
        return ()
    with opened(target) as file:
        kind = kind_of(file)
    if kind not in _WRITERS:
        beside = target.with_name(f"{target.name}.json")
        whole = {**dict(tags.rows()), **to_object(replace(tags, provenance=None))}
        whole["provenance"] = from_json(tags.provenance or "{}")
        text = json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
        beside.write_text(text, encoding="utf-8")
        return (f"{target.name} cannot hold tags; they are in {beside.name}",)
    try:
        _put(target, tags)
    except AudioError as error:
        if not tags.pictures or ("too long" not in error.message and "fit" not in error.message):
            raise
        _put(target, replace(tags, pictures=()))
        return (f"not kept in {kind}: {_many(tags)}, too large for its tags",)
    return ()


def _many(tags: Tags) -> str:
    return "a picture" if len(tags.pictures) == 1 else f"{len(tags.pictures)} pictures"


def lost(tags: Tags, kind: str) -> tuple[str, ...]:
    """Return what tags cannot take along into a format that is written here, in words."""
    family = "wav" if kind == "rf64" else kind
    kept = losses(tags, kind, _writer(family).HOME) if family in _WRITERS else ()
    return (*kept, *tags.extras)


def copy_tags(
    source: Path,
    target: Path,
    *,
    extra: Mapping[str, object] | None = None,
    encoding: str | None = None,
) -> tuple[str, ...]:
    """Write the tags of one audio file into another, of the same or of another format.

    Args:
        source: where they come from; a file without tags, or with damaged ones, gives none.
        target: complete audio file that nobody reads yet: it is changed, or replaced.
        extra: fields of `SHOWN` replace those of the source; `conversion`, an object, is added to
            the list `conversions` of the provenance; everything else goes into the provenance.
        encoding: as `read_tags` takes it.

    Returns:
        Warnings: what could not be read or kept. Where the target's format holds no tags at all,
        everything is written into `<target>.json`, and a warning says so.

    Raises:
        AudioError: if a file cannot be read, or the target cannot be written.
    """
    warnings: list[str] = []
    tags = Tags()
    try:
        reading = load_tags(source, encoding=encoding)
        tags = reading.tags
        warnings += reading.doubts
    except AudioError as error:
        if not source.is_file():
            raise
        warnings.append(f"tags of {source.name} are not kept: {error.message}")
    with opened(target) as file:
        kind = kind_of(file)
    if gone := lost(tags, kind or ""):
        warnings.append(f"not kept in {kind or target.name}: {'; '.join(gone)}")
    tags, more = with_extra(tags, extra or {})
    return (*warnings, *more, *save_tags(target, tags))


def with_extra(tags: Tags, extra: Mapping[str, object]) -> tuple[Tags, tuple[str, ...]]:
    """Return tags with more in them, and warnings; see `copy_tags`.

    Raises:
        AudioError: if the provenance is no JSON or too long.
    """
    extra, warnings = dict(extra), []
    fields = {name: tuple(map(plain, values)) for name, values in tags.fields.items()}
    for name in SHOWN:
        if isinstance(value := extra.pop(name, None), str):
            fields[name] = (plain(value),)
    provenance: dict[str, object] = {}
    if tags.provenance is not None:
        try:
            provenance = from_json(tags.provenance)
        except _DAMAGE as error:
            warnings.append(f"the provenance is damaged and not kept: {error}")
    conversion = extra.pop("conversion", None)
    provenance.update(extra)
    if conversion is not None:
        before = provenance.get("conversions")
        history = before if isinstance(before, list) else []
        provenance["conversions"] = [*history, conversion]
    text = _checked(provenance) if provenance else None
    fields = {plain(name): values for name, values in fields.items() if any(values)}
    return replace(tags, fields=fields, provenance=text), tuple(warnings)


def _tags_of(provenance: Mapping[str, object]) -> Tags:
    whole = _checked(provenance)
    shown = {name: plain(value) for name in SHOWN if isinstance(value := provenance.get(name), str)}
    return Tags(fields={name: (text,) for name, text in shown.items() if text}, provenance=whole)


def _checked(provenance: Mapping[str, object]) -> str:
    try:
        whole = to_json(provenance)
    except (TypeError, ValueError, RecursionError) as error:
        raise AudioError(f"provenance cannot be written as JSON: {error}") from error
    if len(whole) > LIMIT // 4:
        raise AudioError(f"provenance of {len(whole)} characters is too long for an audio file")
    return whole


def _read(file: Source, name: str, encoding: str | None) -> TagReading:
    wanted = None if encoding is None else checked_encoding(encoding)
    try:
        kind = kind_of(file)
        if kind is None or kind not in _READERS:
            raise AudioError(
                f"{name} is {kind or 'no audio file'}, so it has no tags that can be read",
                hint=f"tags are read from {', '.join(_READERS)}",
            )
        old = OldTexts(None if wanted == AUTO else wanted)
        tags = _reader(kind).read(file, old)
        if wanted == AUTO and (guess := old.guess()) is not None:
            old = OldTexts(guess)
            tags = _reader(kind).read(file, old)
            return TagReading(kind=kind, tags=tags, doubts=(f"old tags were read as {guess}",))
        return TagReading(kind=kind, tags=tags, doubts=old.doubts())
    except _DAMAGE as error:
        raise AudioError(f"{name} has damaged tags: {error}") from error


def _pieces(source: Source, tags: Tags, name: str) -> Iterable[Piece]:
    kind = kind_of(source)
    if kind is None or kind not in _WRITERS:
        raise AudioError(
            f"tags cannot be written into {kind or 'unknown data'}",
            hint=f"they can into {', '.join(_WRITERS)}",
        )
    try:
        return _writer(kind).write(source, tags)
    except _DAMAGE as error:
        raise AudioError(f"{name} is damaged and takes no tags: {error}") from error


def _put(path: Path, tags: Tags) -> None:
    with opened(path) as source:
        pieces = _pieces(source, tags, _name(path))
        try:
            rewrite(path, source, pieces)
        except OSError as error:
            raise AudioError(f"{_name(path)} cannot be written: {error.strerror}") from error
        except _DAMAGE as error:
            raise AudioError(f"{_name(path)} is damaged and takes no tags: {error}") from error


def _name(source: str | os.PathLike[str] | bytes) -> str:
    return "audio data" if isinstance(source, bytes) else f"audio file {os.fspath(source)!r}"


@contextmanager
def opened(source: str | os.PathLike[str] | bytes) -> Iterator[Source]:
    """Open an audio file to read parts of it.

    Args:
        source: a path, or the bytes of the file.

    Raises:
        AudioError: if it cannot be read.
    """
    if isinstance(source, bytes):
        yield Source(io.BytesIO(source))
        return
    name, path = _name(source), Path(source)
    try:
        if not path.is_file():
            raise AudioError(f"{name} does not exist or is no file", hint="check the path")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{name} cannot be read: {reason}") from error
    with file:
        yield Source(file)
