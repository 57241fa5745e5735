"""What an error of the operating system means for a store."""

from __future__ import annotations

import errno
from typing import Final

from musiccore.errors import Corrupt, Gone, StorageError

_UNWRITABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_AWAY: Final = (errno.ENOTCONN, errno.ESTALE, errno.ENODEV, errno.ENXIO)


def is_away(error: OSError) -> bool:
    """Return whether the file system itself is not there any more."""
    return error.errno in _AWAY


def gone(place: str) -> Gone:
    """Return the error of a store that went away during the work."""
    return Gone(
        f"the store went away: {place} is not there any more",
        hint="bring it back, then resume; what was finished is where it went",
    )


def meaning(
    error: OSError, action: str, place: str, *, size: int, free: int | None
) -> StorageError:
    """Return what an error of the operating system means, in one sentence.

    Args:
        error: what a backend raised.
        action: what was being done: `reading`, `writing`, `listing`, `removing`.
        place: to what.
        size: bytes that were to be written.
        free: bytes left, None where that cannot be asked.
    """
    if error.errno in _FULL:
        left = "" if free is None else f", {free} bytes are free"
        return StorageError(
            f"the disk is full: {action} {size} bytes to {place} failed{left}",
            hint="make room and resume the run; what was finished is safe",
        )
    if error.errno in (*_UNWRITABLE, errno.ENOENT) and action in ("writing", "removing"):
        return StorageError(
            f"the store cannot be written: {action} {place} failed ({error.strerror})",
            hint="choose another folder or change its permissions",
        )
    if error.errno == errno.EISDIR and action == "reading":
        return Corrupt(f"{place} is not a regular file")
    if error.errno in (errno.ENOTDIR, errno.EISDIR):
        return StorageError(
            f"{action} {place} failed: a file stands where a folder should be, or the reverse",
            hint="choose another folder for the store",
        )
    if error.errno in (errno.ELOOP, errno.EINVAL):
        return Corrupt(f"{place} is not a regular file")
    return StorageError(f"{action} {place} failed: {error.strerror or error}")
