"""Folders for work in progress, which a killed process cannot leave behind for ever.

A folder is locked while its owner lives. The lock of a process that was killed falls, whatever
killed it; the next one that works in the same place finds the folder without an owner and removes
it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PREFIX: Final = ".jukeflow-work-"
_UNBORN: Final = ".jukeflow-new-"
_LOCK: Final = "lock"
_OLD_SECONDS: Final = 24 * 3600.0


@contextlib.contextmanager
def scratch(beside: Path | None = None) -> Iterator[Path]:
    """Give an empty folder that is gone afterwards, however this ends.

    Args:
        beside: folder to make it in, so that a finished file can be moved to its name at once;
            made where it is missing, and removed again if nothing was put there. None is the
            machine's folder for temporary files.

    Raises:
        OSError: if it cannot be made.
    """
    home = Path(tempfile.gettempdir()) if beside is None else beside
    made = _missing(home)
    unborn = _make(home)
    folder = home / (PREFIX + unborn.name.removeprefix(_UNBORN))
    lock = -1
    try:
        lock = os.open(unborn / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # a file system without locks: only age tells
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unborn.rename(folder)  # so a folder of this name was locked before anybody could see it
        inside = folder / "files"
        inside.mkdir()
        yield inside
    finally:
        for path in (folder, unborn):
            shutil.rmtree(path, ignore_errors=True)
        if lock >= 0:
            os.close(lock)
        with contextlib.suppress(OSError):  # not empty: something was put there
            for path in made:
                path.rmdir()


def _missing(folder: Path) -> list[Path]:
    """Return the folders that are not there, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _make(home: Path) -> Path:
    with contextlib.suppress(FileNotFoundError):  # a neighbour removed what it had made in vain
        return _unborn(home)
    return _unborn(home)


def _unborn(home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    folder = home / f"{_UNBORN}{uuid.uuid4().hex[:12]}"
    folder.mkdir(mode=0o700)
    return folder


def remove_ownerless(home: Path) -> int:
    """Remove the folders of killed processes; return how many.

    Args:
        home: folder that they lie in.
    """
    removed = 0
    for path in [*home.glob(f"{PREFIX}*"), *home.glob(f"{_UNBORN}*")]:
        if _is_ownerless(path):
            shutil.rmtree(path, ignore_errors=True)
            removed += not path.exists()
    return removed


def _is_ownerless(path: Path) -> bool:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return _is_old(path)
    except OSError:  # of another user
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return _is_old(path)
    finally:
        os.close(lock)
    return path.name.startswith(PREFIX) or _is_old(path)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _OLD_SECONDS
    except OSError:
        return False
