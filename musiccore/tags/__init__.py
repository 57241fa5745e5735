"""What made a sound, written into the file and read back.

One JSON object, the provenance, goes into every format whole, beside the tags that other players
show (title, artist, licence, lyrics). The samples are not touched: tags are chunks, blocks, pages
or a prefix around them. Written here by hand because the one good tag library is under the GPL.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from musiccore.errors import AudioError
from musiccore.tags import aiff, au, caf, flac, mp3, mp4, ogg, riff, w64
from musiccore.tags.fields import LIMIT, SHOWN, Tags, from_json, plain, to_json
from musiccore.tags.kinds import kind_of
from musiccore.tags.pieces import Piece, Source, joined, rewrite

__all__ = ["SHOWN", "copy_tags", "read_tags", "tag_file", "write_tags"]


class _Container(Protocol):
    def read(self, source: Source) -> Tags: ...

    def write(self, source: Source, tags: Tags) -> Iterable[Piece]: ...


_CONTAINERS: Final[Mapping[str, _Container]] = {
    "wav": riff,
    "flac": flac,
    "mp3": mp3,
    "ogg": ogg,
    "opus": ogg,
    "aiff": aiff,
    "caf": caf,
    "au": au,
    "w64": w64,
    "m4a": mp4,
}
_DAMAGE: Final = (ValueError, struct.error, IndexError, OverflowError, RecursionError)


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


def read_tags(source: str | os.PathLike[str] | bytes) -> dict[str, object]:
    """Read the tags of an audio file, ours or anybody's.

    Args:
        source: a path, or the bytes of the file.

    Returns:
        `format`; the fields of `SHOWN` that are there; and `provenance`, exactly the mapping that
        was written, in files made here.

    Raises:
        AudioError: if the file cannot be read, is of another format, or its tags are damaged.
    """
    name = _name(source)
    with _opened(source) as file:
        kind, tags = _read(file, name)
        found: dict[str, object] = {"format": kind, **dict(tags.rows())}
        if tags.provenance is not None:
            try:
                found["provenance"] = from_json(tags.provenance)
            except _DAMAGE as error:
                raise AudioError(f"{name} has damaged tags: {error}") from error
        return found


def copy_tags(
    source: Path, target: Path, *, extra: Mapping[str, object] | None = None
) -> tuple[str, ...]:
    """Write the tags of one audio file into another, of the same or of another format.

    Args:
        source: where they come from; a file without tags, or with damaged ones, gives none.
        target: complete audio file that nobody reads yet: it is changed, or replaced.
        extra: fields of `SHOWN` replace those of the source; `conversion`, an object, is added to
            the list `conversions` of the provenance; everything else goes into the provenance.

    Returns:
        Warnings: what could not be read or kept. Where the target's format holds no tags at all,
        everything is written into `<target>.json`, and a warning says so.

    Raises:
        AudioError: if a file cannot be read, or the target cannot be written.
    """
    warnings: list[str] = []
    tags = Tags(shown={})
    try:
        with _opened(source) as file:
            tags = _read(file, _name(source))[1]
    except AudioError as error:
        if not source.is_file():
            raise
        warnings.append(f"tags of {source.name} are not kept: {error.message}")
    warnings += [f"{source.name} holds {words}, which is not kept" for words in tags.extras]
    tags = _with_extra(tags, dict(extra or {}), warnings)
    if not tags.shown and tags.provenance is None:
        return tuple(warnings)
    with _opened(target) as file:
        kind = kind_of(file)
    if kind in _CONTAINERS:
        _put(target, tags)
        return tuple(warnings)
    beside = target.with_name(f"{target.name}.json")
    whole = {**dict(tags.rows()), "provenance": from_json(tags.provenance or "{}")}
    beside.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    warnings.append(f"{target.name} cannot hold tags; they are in {beside.name}")
    return tuple(warnings)


def _with_extra(tags: Tags, extra: dict[str, object], warnings: list[str]) -> Tags:
    shown = {name: plain(text) for name, text in tags.shown.items()}
    for name in SHOWN:
        if isinstance(value := extra.pop(name, None), str):
            shown[name] = plain(value)
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
    return Tags(shown={name: text for name, text in shown.items() if text}, provenance=text)


def _tags_of(provenance: Mapping[str, object]) -> Tags:
    whole = _checked(provenance)
    shown = {name: plain(value) for name in SHOWN if isinstance(value := provenance.get(name), str)}
    return Tags(shown={name: text for name, text in shown.items() if text}, provenance=whole)


def _checked(provenance: Mapping[str, object]) -> str:
    try:
        whole = to_json(provenance)
    except (TypeError, ValueError, RecursionError) as error:
        raise AudioError(f"provenance cannot be written as JSON: {error}") from error
    if len(whole) > LIMIT // 4:
        raise AudioError(f"provenance of {len(whole)} characters is too long for an audio file")
    return whole


def _read(file: Source, name: str) -> tuple[str, Tags]:
    try:
        kind = kind_of(file)
        if kind is None or kind not in _CONTAINERS:
            raise AudioError(
                f"{name} is {kind or 'no audio file'}, so it has no tags that can be read",
                hint=f"tags are read from {', '.join(_CONTAINERS)}",
            )
        return kind, _CONTAINERS[kind].read(file)
    except _DAMAGE as error:
        raise AudioError(f"{name} has damaged tags: {error}") from error


def _pieces(source: Source, tags: Tags, name: str) -> Iterable[Piece]:
    kind = kind_of(source)
    if kind is None or kind not in _CONTAINERS:
        raise AudioError(
            f"tags cannot be written into {kind or 'unknown data'}",
            hint=f"they can into {', '.join(_CONTAINERS)}",
        )
    try:
        return _CONTAINERS[kind].write(source, tags)
    except _DAMAGE as error:
        raise AudioError(f"{name} is damaged and takes no tags: {error}") from error


def _put(path: Path, tags: Tags) -> None:
    with _opened(path) as source:
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
def _opened(source: str | os.PathLike[str] | bytes) -> Iterator[Source]:
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
