"""Files that appear whole or not at all, whatever happens in between."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from musiccore.errors import AudioError, ConfigError

if sys.platform != "win32":  # there an open file cannot be removed anyway
    import fcntl

_PREFIX, _SUFFIX = ".jukeflow-", ".part"


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
                _sync(workshop / name)
                os.replace(workshop / name, target.parent / name)
        _sync(target.parent)
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


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, onto the disk."""
    folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        if not folder:  # not every system opens folders
            raise


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
