"""Files that appear whole or not at all, whatever happens in between."""

from __future__ import annotations

import contextlib
import itertools
import os
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
    if target.is_dir():
        raise ConfigError(
            f"destination: {str(target)!r} is a folder", hint="name the file to write"
        )
    if os.path.lexists(target) and not force:
        raise ConfigError(
            f"destination: {str(target)!r} exists", hint="use --force to write over it"
        )


@contextlib.contextmanager
def appearing(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a path beside the target to write to; it becomes the target if the block succeeds.

    The file aside is locked while it is written, so that `sweep` knows what a killed run left.

    Args:
        target: its path; folders above it are made.
        force: write over a file that exists.

    Yields:
        Path of an empty file in the target's folder.

    Raises:
        ConfigError: if the target exists.
        AudioError: if it cannot be written.
    """
    aside, lock = None, None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        aside, lock = _locked(target.parent)
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        check_target(target, force=force)
        os.replace(aside, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise AudioError(
            f"{str(target)!r} cannot be written: {error.strerror or error}",
            hint="check the folder, its permissions and the free space",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            if aside is not None:
                aside.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _locked(folder: Path) -> tuple[Path, int]:
    """A new file in the folder and a locked descriptor of it."""
    for number in itertools.count():
        aside = folder / f"{_PREFIX}{os.getpid()}-{number}{_SUFFIX}"
        try:
            lock = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        except FileExistsError:
            continue
        with contextlib.suppress(OSError):  # a file system without locks
            _lock(lock)
        with contextlib.suppress(OSError):  # swept away between the two calls
            if os.stat(aside).st_ino == os.fstat(lock).st_ino:
                return aside, lock
        os.close(lock)
    raise AssertionError("unreachable")


def _lock(descriptor: int) -> None:
    """Lock a file or raise OSError; the lock ends with the process, however it ends."""
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path) -> int:
    """Remove what runs that were killed left in a folder; files still being written stay.

    Args:
        folder: where targets appear.

    Returns:
        How many files were removed.
    """
    removed = 0
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR)
            try:
                _lock(descriptor)
                path.unlink()
                removed += 1
            finally:
                os.close(descriptor)
    return removed


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # systems that cannot open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
