"""Files of sound in any place: look, list, bring here, publish.

A published file appears whole or not at all: it is finished beside its name (or here, for a store)
and gets the name last. Whatever a place raises becomes an error that names the address.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import select
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from musiccore.errors import (
    AudioError,
    ConfigError,
    MusicCoreError,
    StorageError,
)
from musiccore.storage.atomic import replace_file, sync
from musiccore.storage.file_systems import FileSystem, file_system, streamed, translated
from musiccore.storage.places import MAGIC, Place, split_pattern

STANDARD_INPUT: Final = "/dev/stdin"
FETCH_LIMIT: Final = 32 << 30  # bytes of one file that is copied here
_BLOCK: Final = 8 << 20
_PATIENCE: Final = 200  # milliseconds
_SMALL: Final = 5 << 20  # bytes of a file that is read into memory for its upload
_SPARE: Final = 64 << 20  # bytes that stay free on the disk
_VERSIONS: Final = (
    "etag", "ETag", "md5Hash", "generation", "last_modified", "LastModified", "updated", "mtime",
    "created",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that is there.

    Attributes:
        place: where.
        size: bytes; 0 for a pipe.
        version: text that is another one as soon as the content may be.
        modified: seconds since 1970 of the last change; None in stores, where a file appears whole.
    """

    place: Place
    size: int
    version: str
    modified: float | None


def look(place: Place) -> Found | None:
    """Return what is at a place; None for nothing, or for a folder.

    Raises:
        StorageError: if the place does not say.
    """
    path = place.local
    if path is not None:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageError(f"{str(path)!r} cannot be seen: {error.strerror}") from error
        return None if stat.S_ISDIR(status.st_mode) else _found(place, status)
    with _door("looking at", place) as system:
        try:
            info = system.info(place.path)
        except FileNotFoundError:
            return None
        return None if info.get("type") == "directory" else _listed(place, info)


def is_folder(place: Place) -> bool:
    """Return whether a place is a folder, or objects of a store lie below it.

    Raises:
        StorageError: if the place does not say.
    """
    if place.local is not None:
        return place.local.is_dir()
    with _door("looking at", place) as system:
        return system.isdir(place.path)


def walk(folder: Place, unreadable: Callable[[str], None]) -> Iterator[Found]:
    """Find every file below a folder, sorted by path; hidden names are left out.

    Args:
        folder: it.
        unreadable: told about each folder below it that may not be read.

    Raises:
        StorageError: if the store does not answer.
    """
    if folder.local is not None:
        yield from _walk_local(folder.local, unreadable)
        return
    with _door("listing", folder) as system:
        listed = system.find(folder.path, detail=True)
    for path, info in sorted(listed.items()):
        place = Place(folder.scheme, path.strip("/"))
        hidden = any(part.startswith(".") for part in place.relative_to(folder).split("/"))
        if info.get("type") != "directory" and not path.endswith("/") and not hidden:
            yield _listed(place, info)


def _walk_local(folder: Path, unreadable: Callable[[str], None]) -> Iterator[Found]:
    paths = []
    for root, folders, names in os.walk(
        folder, onerror=lambda error: unreadable(f"{error.filename!r}: {error.strerror}")
    ):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(root, name) for name in names if not name.startswith(".")]
    for path in sorted(paths):
        with contextlib.suppress(OSError):  # a link to nowhere, or removed meanwhile
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                yield _found(Place("", str(path)), status)


def expand(place: Place) -> tuple[Place, tuple[Place, ...]] | None:
    """Return folder and matches of a pattern such as `album/**/*.wav`; None for a plain name.

    A file whose own name holds `*`, `?` or `[` is a plain name.

    Raises:
        StorageError: if the store does not answer.
    """
    if not MAGIC.search(place.path) or look(place) is not None or is_folder(place):
        return None
    base, _ = split_pattern(place)
    if place.local is not None:
        matches = glob.glob(place.path, recursive=True)
    else:
        with _door("listing", place) as system:
            matches = [path.strip("/") for path in system.glob(place.path)]
    return base, tuple(Place(place.scheme, path) for path in sorted(set(matches)))


def fetch(found: Found, folder: Path, checkpoint: Callable[[float], None]) -> Path:
    """Return a seekable file of this machine with the content; only copied where it must be.

    Args:
        found: the file.
        folder: for the copy.
        checkpoint: called with the fraction copied, now and then; what it raises ends the copying.

    Raises:
        AudioError: if it cannot be read, is too large, or does not fit on the disk.
        StorageError: if the store does not answer, or the file changed meanwhile.
    """
    place, path = found.place, found.place.local
    if path is not None and (file := _regular(path)) is not None:
        return file
    _check_room(found, folder)
    copy = folder / (os.fsdecode(os.fsencode(place.name)[-80:]) or "file")  # a store allows more
    with _door("reading", place) as system, ExitStack() as stack:
        if path is None:
            source = stack.enter_context(system.open(place.path, "rb"))
            blocks = iter(lambda: source.read(_BLOCK), b"")
        else:
            blocks = _poured(path, lambda: checkpoint(0.0))
        target = stack.enter_context(copy.open("wb"))
        copied = 0
        for block in blocks:
            copied += len(block)
            if copied > FETCH_LIMIT:
                raise _too_large(place, copied)
            target.write(block)
            checkpoint(min(1.0, copied / found.size) if found.size else 0.0)
    if path is None and copied != found.size:
        raise StorageError(f"{place} changed while it was read", hint="try again")
    return copy


def _regular(path: Path) -> Path | None:
    """Return a regular file by the name that other programs know too; None for all else.

    Standard input may be one: its name means another file in every process.
    """
    if not path.is_file():
        return None
    if path.parts[:2] not in (("/", "dev"), ("/", "proc")):
        return path
    real = path.resolve()
    unread = str(path) != STANDARD_INPUT or os.lseek(0, 0, os.SEEK_CUR) == 0
    return real if unread and real.is_file() and real.samefile(path) else None


def _poured(path: Path, waiting: Callable[[], None]) -> Iterator[bytes]:
    """Yield what comes out of a pipe or a device; nobody may ever write into it.

    Args:
        path: of it.
        waiting: called while nothing comes; what it raises ends the waiting.
    """
    if str(path) == STANDARD_INPUT:  # which may be a socket, and those cannot be opened by name
        handle = os.dup(0)
    else:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while True:
            waiting()
            if not poll.poll(_PATIENCE):
                continue
            try:
                block = os.read(handle, _BLOCK)
            except BlockingIOError:
                continue
            if not block:
                return
            yield block
    finally:
        os.close(handle)


def _check_room(found: Found, folder: Path) -> None:
    if found.size > FETCH_LIMIT:
        raise _too_large(found.place, found.size)
    free = shutil.disk_usage(folder).free
    if found.size + _SPARE > free:
        raise AudioError(
            f"{found.place} has {found.size} bytes, and {free} are free in {str(folder.parent)!r}",
            hint="make room, or set TMPDIR to a larger disk",
        )


def _too_large(place: Place, size: int) -> AudioError:
    return AudioError(
        f"{place} has {size} bytes; at most {FETCH_LIMIT} of one file are copied here",
        hint="cut it into parts",
    )


def publish(file: Path, place: Place, *, force: bool) -> None:
    """Give a finished file of this machine its name.

    Args:
        file: it; of a local place, on the same file system. It may be moved away.
        place: the name.
        force: write over what is there.

    Raises:
        ConfigError: if the name is taken.
        StorageError: if it cannot be written, or other bytes arrived.
    """
    path = place.local
    if path is not None:
        _publish_local(file, path, force=force)
        return
    size = file.stat().st_size
    with _door("writing", place) as system:
        if not force and look(place) is not None:
            raise taken(place)
        try:
            mode = "overwrite" if force else "create"
            if size < _SMALL:
                how = streamed(place.scheme, size)
                system.pipe_file(place.path, file.read_bytes(), mode=mode, **how)
            else:
                system.put_file(str(file), place.path, mode=mode)
        except FileExistsError as error:
            raise taken(place) from error
    arrived = look(place)
    if arrived is None or arrived.size != size:
        raise StorageError(f"{place} holds other bytes than were written", hint="try again")


def _publish_local(file: Path, path: Path, *, force: bool) -> None:
    try:
        if force:
            os.replace(file, path)
        else:
            try:
                os.link(file, path)
            except FileExistsError as error:
                raise taken(Place("", str(path))) from error
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                    raise
                os.replace(file, path)  # a file system without hard links
        sync(path.parent)
    except OSError as error:
        raise unwritable(Place("", str(path)), error) from error


def write_small(place: Place, data: bytes) -> None:
    """Write a few bytes over whatever is there.

    Raises:
        StorageError: if they cannot be written.
    """
    path = place.local
    if path is None:
        with _door("writing", place) as system:
            system.pipe_file(place.path, data, mode="overwrite")
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise unwritable(place, error) from error


def remove(place: Place) -> None:
    """Remove a file, if it is there.

    Raises:
        StorageError: if it cannot be removed.
    """
    if place.local is not None:
        with contextlib.suppress(OSError):
            place.local.unlink(missing_ok=True)
        return
    with _door("removing", place) as system, contextlib.suppress(FileNotFoundError):
        system.rm_file(place.path)


def names(folder: Place) -> tuple[str, ...]:
    """Return the names of the files right in a folder, hidden ones too; none if it is missing.

    Raises:
        StorageError: if it cannot be listed.
    """
    if folder.local is not None:
        try:
            return tuple(sorted(os.listdir(folder.local)))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StorageError(f"{str(folder)!r} cannot be listed: {error.strerror}") from error
    with _door("listing", folder) as system:
        listed = system.find(folder.path, detail=True)
    return tuple(sorted(Place(folder.scheme, path).name for path in listed))


def taken(place: Place) -> ConfigError:
    """Return the error of a name that is taken."""
    return ConfigError(f"out: {str(place)!r} exists", hint="use {force} to write over it")


def unwritable(place: Place, error: OSError) -> StorageError:
    """Return the error of a file of this machine that cannot be written."""
    return StorageError(
        f"{str(place)!r} cannot be written: {error.strerror or error}",
        hint="check the folder, its permissions and the free space",
    )


def _found(place: Place, status: os.stat_result) -> Found:
    return Found(
        place=place,
        size=status.st_size,
        version=f"{status.st_size}-{status.st_mtime_ns}",
        modified=status.st_mtime,
    )


def _listed(place: Place, info: dict[str, object]) -> Found:
    size = int(str(info.get("size") or 0))
    token = next((info[name] for name in _VERSIONS if info.get(name)), "")
    if isinstance(token, datetime):  # some stores list a number where they show a date
        token = token.timestamp()
    return Found(place=place, size=size, version=f"{size}-{token}", modified=None)


@contextlib.contextmanager
def _door(action: str, place: Place) -> Iterator[FileSystem]:
    """Give the file system of a place, and translate every error of it."""
    try:
        yield file_system(place.scheme or "file")
    except MusicCoreError:
        raise
    except Exception as error:  # each library has its own
        raise translated(error, action, place, place.scheme) from error
