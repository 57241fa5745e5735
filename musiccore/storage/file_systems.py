"""The door to fsspec: one file system for each kind of address, and its errors in our words.

Listings are never remembered: another process may write at any time. Every library asks its service
again for a while, with growing pauses; what comes out of it then is translated here.

fsspec is imported here and nowhere else, and finds the library of a cloud by itself.
"""

from __future__ import annotations

import logging
import os
from typing import BinaryIO, Final, Protocol

from musiccore.errors import MissingProgram, MusicCoreError, NotFound, StorageError, Unavailable

_CONNECT_SECONDS: Final = 20.0
_SILENCE_SECONDS: Final = 60.0
_PIECE: Final = 32 << 20  # bytes; a multiple of 256 KiB, as the service wants
_CREDENTIALS: Final = {
    "gs": "GOOGLE_APPLICATION_CREDENTIALS or `gcloud auth application-default login`",
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from a profile",
}
_REFUSED: Final = ("401", "403")
_BUSY: Final = ("408", "429", "500", "502", "503", "504")
_NETWORK: Final = ("aiohttp", "requests", "urllib3")  # libraries whose every error is one of it


class FileSystem(Protocol):
    """What we use of a file system of fsspec. Paths are bucket and key."""

    def info(self, path: str) -> dict[str, object]:
        """Return size, kind and version of an object, or raise `FileNotFoundError`."""
        ...

    def isdir(self, path: str) -> bool:
        """Return whether objects lie below a path."""
        ...

    def find(self, path: str, *, detail: bool) -> dict[str, dict[str, object]]:
        """Return path → info of every object below a path."""
        ...

    def ls(self, path: str, *, detail: bool) -> list[str]:
        """Return the paths right below a path."""
        ...

    def cat_file(self, path: str, *, start: int | None = None, end: int | None = None) -> bytes:
        """Read an object, or a range of it."""
        ...

    def glob(self, path: str) -> list[str]:
        """Return the paths that fit a pattern."""
        ...

    def open(self, path: str, mode: str) -> BinaryIO:
        """Open an object for reading."""
        ...

    def put_file(self, lpath: str, rpath: str, *, mode: str) -> None:
        """Upload a file; with mode `create`, raise `FileExistsError` where the name is taken."""
        ...

    def pipe_file(self, path: str, value: bytes, *, mode: str, **how: int) -> None:
        """Write an object; with mode `create`, raise `FileExistsError` where the name is taken."""
        ...

    def rm_file(self, path: str) -> None:
        """Remove an object or raise `FileNotFoundError`."""
        ...


def file_system(scheme: str) -> FileSystem:
    """Return fsspec's file system of a scheme; the library it needs is loaded now.

    One instance serves a process; after a fork there is another one.

    Raises:
        ImportError: if that library is not installed; the message names it.
    """
    import fsspec

    how: dict[str, object] = {"use_listings_cache": False}
    if scheme in ("gs", "gcs"):
        how |= _google()
    system: FileSystem = fsspec.filesystem(scheme, **how)
    return system


def _google() -> dict[str, object]:
    """Return how gcsfs is opened: it compares digests, and gives up on a silent connection."""
    # Before gcsfs is imported: else it asks for the layout of a bucket first, which needs a right
    # more than reading and writing, and takes a minute where nobody answers.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    from aiohttp import ClientTimeout

    for name in ("gcsfs", "fsspec"):  # they print what they raise, too
        logging.getLogger(name).setLevel(logging.CRITICAL)
    timeout = ClientTimeout(sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    return {"consistency": "md5", "requests_timeout": timeout}


def streamed(scheme: str, size: int) -> dict[str, int]:
    """Return how an object is uploaded with nothing but its own bytes in the body of a request.

    A small upload of gcsfs lies between two edges, `--==0==`, and ends early where they occur in
    it. Pieces of an upload have no edges.

    Args:
        scheme: of the address.
        size: bytes to upload.
    """
    return {"chunksize": min(size, _PIECE)} if size and scheme in ("gs", "gcs") else {}


def translated(error: Exception, action: str, place: object, scheme: str) -> MusicCoreError:
    """Return what an error of a file system means, in one sentence.

    Args:
        error: whatever it raised.
        action: what was being done, as `reading`.
        place: to what.
        scheme: of the address; empty for this machine.
    """
    kind, module = type(error).__name__, type(error).__module__.partition(".")[0]
    code = str(getattr(error, "code", "") or "")
    if isinstance(error, ImportError):
        extra = "s3" if scheme.startswith("s3") else None
        return MissingProgram(
            f"{scheme}:// needs a library that is not installed: {error}",
            hint="install it with pip, or copy the files to this machine first",
            extra=extra,
        )
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{str(place)!r} does not exist")
    if _is_refusal(error, code):
        where = _CREDENTIALS.get(scheme[:2])
        return StorageError(
            f"{action} {place} is not allowed: {_reason(error)}",
            hint=None
            if where is None
            else f"the credentials come from {where}; check that they "
            "are valid and may list, read, create and delete here",
        )
    if isinstance(error, ConnectionError | TimeoutError) or module in _NETWORK or code in _BUSY:
        return Unavailable(f"{action} {place} got no answer: {_reason(error)}")
    if kind in ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"):
        return Unavailable(f"{action} {place} got no answer: {_reason(error)}")
    return StorageError(
        f"{action} {place} failed: {kind}: {_reason(error)}",
        hint="check the address; credentials come from the environment",
    )


def _is_refusal(error: Exception, code: str) -> bool:
    """Return whether a service does not know us, or does not let us."""
    name, module = type(error).__name__, type(error).__module__
    if isinstance(error, PermissionError) or code in _REFUSED:
        return True
    if module.startswith("google.auth"):
        return name != "TransportError"
    return "Credential" in name or (isinstance(error, OSError) and "Forbidden" in str(error))


def _reason(error: Exception) -> str:
    """Return what an error says, on one line; its kind if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
