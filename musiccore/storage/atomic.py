"""Files that appear whole or not at all, whatever happens in between."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from musiccore.errors import AudioError, ConfigError

if sys.platform != "win32":  # there an open file cannot be removed anyway
    import fcntl

_PREFIX, _SUFFIX = ".jukeflow-", ".part"

TEMP_PREFIX: Final = ".tmp-"
"""What the name of a file begins with that is not finished."""


@contextlib.contextmanager
def beside(path: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """Give an empty file beside another; it never survives under its own name.

    Args:
        path: what it shall become; its folder is there.
        mode: permissions, less those that the process never gives.

    Raises:
        OSError: if it cannot be made.
    """
    temp = path.parent / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    os.close(os.open(temp, flags, mode))
    try:
        yield temp
    finally:  # also after success: a linked temp is a second name, a moved one is gone
        with contextlib.suppress(OSError):
            os.unlink(temp)


@contextlib.contextmanager
def complete(path: Path, data: bytes, *, mode: int = 0o666) -> Iterator[Path]:
    """Give a file beside another that holds all of its bytes, on the disk.

    Args:
        path, mode: as `beside`.
        data: its bytes.

    Raises:
        OSError: if it cannot be written.
    """
    with beside(path, mode=mode) as temp:
        handle = os.open(temp, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        yield temp


def replace_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file over whatever is there: readers see the old one or all of the new one.

    Args:
        path: its path; the folder is there.
        data: its bytes.
        mode: permissions, less those that the process never gives.

    Raises:
        OSError: if it cannot be written; what was there stays.
    """
    with complete(path, data, mode=mode) as temp:
        os.replace(temp, path)
    sync(path.parent)


def create_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file that is not there: whoever finds it finds all of it, and one writer succeeds.

    Args:
        path, data, mode: as `replace_file`.

    Raises:
        FileExistsError: if there is one; it was not touched.
        OSError: if it cannot be written.
    """
    with complete(path, data, mode=mode) as temp:
        os.link(temp, path)
    sync(path.parent)


@contextlib.contextmanager
def rewriting(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write that takes the place of another, with its permissions, if all succeeds.

    Args:
        path: of a file that is there; it may be read meanwhile.

    Raises:
        OSError: if the file system refuses; what was there stays.
    """
    with beside(path, mode=0o600) as temp:
        with temp.open("r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temp, path.stat().st_mode & 0o777)
        os.replace(temp, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, onto the disk.

    Raises:
        OSError: if a file cannot be brought there; not every system opens folders.
    """
    folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        if not folder:
            raise


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two names mean one file: equal paths, links of either kind."""
    try:
        return one.resolve() == other.resolve() or (other.exists() and one.samefile(other))
    except OSError:
        return False


def check_target(target: Path, sources: tuple[Path, ...] = (), *, force: bool = False) -> None:
    """Refuse a target that must not be written, before any work.

    Args:
        target: the file to come.
        sources: files it is made from.
        force: write over a file that exists.

    Raises:
        ConfigError: if it is one of the sources, a folder, or exists and `force` is not given.
    """
    if any(same_file(source, target) for source in sources):
        raise ConfigError(
            f"destination: {str(target)!r} is the source itself", hint="choose another name"
        )
    if os.path.isdir(target):
        raise ConfigError(
            f"destination: {str(target)!r} is a folder", hint="name the file to write"
        )
    if os.path.lexists(target) and not force:
        raise ConfigError(
            f"destination: {str(target)!r} exists", hint="use {force} to write over it"
        )


def check_place(target: Path) -> None:
    """Refuse a target that nothing can be written to where it lies, before any work.

    Makes no folder, and says nothing of what stands at the target itself.

    Args:
        target: the file to come; folders above it need not be there.

    Raises:
        ConfigError: if a folder above it is a file, or cannot be written.
    """
    folder = target.absolute().parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        why = f"{str(folder)!r} is a file, not a folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = f"the folder {str(folder)!r} cannot be written"
    else:
        return
    raise ConfigError(
        f"out: {str(target)!r} cannot be written: {why}",
        hint="choose another place, or change its permissions",
    )


@contextlib.contextmanager
def appearing(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a path to write to; what is there becomes the target if the block succeeds.

    It lies in a hidden folder beside the target, together with whatever is written next to it. The
    folder is locked while it is used, so that `sweep` knows what a killed run left.

    Args:
        target: its path; folders above it are made.
        force: write over a file that exists.

    Yields:
        Path of an empty file of the target's name. A file of that name and `.json` added
        appears beside the target as well.

    Raises:
        ConfigError: if the target exists.
        AudioError: if it cannot be written.
    """
    workshop, lock = None, None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        workshop, lock = _locked(target.parent)
        aside = workshop / target.name
        aside.touch()  # so that a name or a disk that does not work is said by its own words
        yield aside
        check_target(target, force=force)
        for name in (f"{target.name}.json", target.name):
            if os.path.exists(workshop / name):  # no error where it is longer than allowed
                sync(workshop / name)
                os.replace(workshop / name, target.parent / name)
        sync(target.parent)
    except OSError as error:
        raise AudioError(
            f"{str(target)!r} cannot be written: {error.strerror or error}",
            hint="check the folder, its permissions and the free space",
        ) from error
    finally:
        if workshop is not None:
            shutil.rmtree(workshop, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked(parent: Path) -> tuple[Path, int | None]:
    """A new folder in `parent` and a locked descriptor of it, where folders can be locked."""
    for number in itertools.count():
        workshop = parent / f"{_PREFIX}{os.getpid()}-{number}{_SUFFIX}"
        try:
            workshop.mkdir()
        except FileExistsError:
            continue
        try:
            lock = os.open(workshop, os.O_RDONLY)
        except FileNotFoundError:  # swept away between the two calls
            continue
        except OSError:  # a system that does not open folders
            return workshop, None
        with contextlib.suppress(OSError):  # a file system without locks
            _lock(lock)
        with contextlib.suppress(OSError):
            if os.stat(workshop).st_ino == os.fstat(lock).st_ino:
                return workshop, lock
        os.close(lock)
    raise AssertionError("unreachable")


def _lock(descriptor: int) -> None:
    """Lock a folder or raise OSError; the lock ends with the process, however it ends."""
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path) -> int:
    """Remove what runs that were killed left in a folder; what is still being written stays.

    Args:
        folder: where targets appear.

    Returns:
        How many unfinished targets were removed.
    """
    removed = 0
    for workshop in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            descriptor = os.open(workshop, os.O_RDONLY)
            try:
                _lock(descriptor)
                shutil.rmtree(workshop)
                removed += 1
            finally:
                os.close(descriptor)
    return removed


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
    with appearing(target, force=force) as aside:
        aside.write_bytes(data)
