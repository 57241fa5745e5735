"""What a store can do to bytes: the local folder and the memory of one process.

A backend knows keys and bytes, nothing of runs. It raises plain `OSError`s (`FileExistsError` when
`create` finds the key taken, `FileNotFoundError` when there is nothing to read); `storage.Store`
translates them at the door. The backend of clouds is `cloud.CloudBackend`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol

from musiccore.storage.atomic import TEMP_PREFIX, complete
from musiccore.storage.file_systems import FileSystem, file_system

TEMP_LIFETIME_SECONDS = 24 * 3600.0


class Backend(Protocol):
    """Bytes under keys. Keys are relative, `/`-separated and already validated.

    Attributes:
        at_once: how many reads are worth doing at the same time.
    """

    at_once: int

    def create(self, key: str, data: bytes) -> None:
        """Write a new object, complete and durable, or raise `FileExistsError`."""
        ...

    def replace(self, key: str, data: bytes) -> None:
        """Write an object, complete and durable; readers see the old or the new bytes."""
        ...

    def read(self, key: str, limit: int | None) -> bytes:
        """Read an object; at most `limit` + 1 bytes of it."""
        ...

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return key → size in bytes of every object below a prefix (`""`, or a folder)."""
        ...

    def children(self, prefix: str) -> set[str]:
        """Return the first path parts below a prefix."""
        ...

    def remove(self, key: str) -> None:
        """Remove an object or raise `FileNotFoundError`."""
        ...

    def location(self, key: str) -> str:
        """Return where an object is, in words that a user can act on."""
        ...

    def free_bytes(self) -> int | None:
        """Return the room left, or None where the question makes no sense."""
        ...

    def remove_stale_temps(self, prefix: str) -> int:
        """Remove what killed writers left behind more than a day ago; return how many."""
        ...

    def keep(self, prefix: str) -> None:
        """Never make the folder of a prefix again, should it go away; raise `FolderGone` then."""
        ...

    def is_there(self) -> bool:
        """Return whether there is a place to read from; a folder may not be made yet."""
        ...

    def can_begin(self) -> bool:
        """Return whether the place is there, or can be made without guessing what it lies in."""
        ...


class FolderGone(FileNotFoundError):
    """A folder that was in use is not there any more."""


class LocalBackend:
    """A folder: temp file, fsync, link or replace, fsync of the folder.

    Args:
        root: absolute path of the folder; made on the first write.
        single_writer: create without hard links, by looking first. Only for file systems that have
            none (some mounted drives) and only while one worker writes.
    """

    at_once = 1

    def __init__(self, root: str, *, single_writer: bool = False) -> None:
        self.root = root
        self.single_writer = single_writer
        self._kept: set[str] = set()

    def create(self, key: str, data: bytes) -> None:
        """Link a complete temp to the name, which must be free."""
        path = self._path(key)
        with self._complete(path, data) as temp:
            if self.single_writer:
                if os.path.lexists(path):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
                os.replace(temp, path)
            else:
                os.link(temp, path)
        _fsync_folder(os.path.dirname(path))

    def replace(self, key: str, data: bytes) -> None:
        """Move a complete temp over the name."""
        path = self._path(key)
        with self._complete(path, data) as temp:
            os.replace(temp, path)
        _fsync_folder(os.path.dirname(path))

    def read(self, key: str, limit: int | None) -> bytes:
        """Read a regular file; links and pipes are refused."""
        # O_NONBLOCK: a pipe in place of a file must not hang us; O_NOFOLLOW: nor a link lead away.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        fd = os.open(self._path(key), flags)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", self._path(key))
            return file.read() if limit is None else file.read(limit + 1)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Walk the folder; links are not followed."""
        found: dict[str, int] = {}
        pending = [prefix.rstrip("/")]
        while pending:
            folder = pending.pop()
            with contextlib.suppress(FileNotFoundError), os.scandir(self._path(folder)) as entries:
                for entry in entries:
                    key = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(key)
                    elif not entry.name.startswith(TEMP_PREFIX):
                        with contextlib.suppress(FileNotFoundError):  # removed while we look
                            found[key] = entry.stat(follow_symlinks=False).st_size
        return found

    def children(self, prefix: str) -> set[str]:
        """List the folder."""
        try:
            names = os.listdir(self._path(prefix.rstrip("/")))
        except FileNotFoundError:
            return set()
        return {name for name in names if not name.startswith(TEMP_PREFIX)}

    def remove(self, key: str) -> None:
        """Unlink the file."""
        os.unlink(self._path(key))

    def location(self, key: str) -> str:
        """Return the path."""
        return self._path(key)

    def free_bytes(self) -> int | None:
        """Ask the file system for the room left."""
        folder = self.root
        while not os.path.isdir(folder) and folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
        try:
            info = os.statvfs(folder)
        except OSError:
            return None
        return info.f_bavail * info.f_frsize

    def remove_stale_temps(self, prefix: str) -> int:
        """Remove temps that are over a day old."""
        oldest = time.time() - TEMP_LIFETIME_SECONDS
        removed = 0
        for folder, _, names in os.walk(self._path(prefix.rstrip("/"))):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    if name.startswith(TEMP_PREFIX) and os.lstat(path).st_mtime < oldest:
                        os.unlink(path)
                        removed += 1
        return removed

    def keep(self, prefix: str) -> None:
        """Refuse to make this folder again."""
        self._kept.add(self._path(prefix.rstrip("/")))

    def is_there(self) -> bool:
        """Look for the folder."""
        return os.path.isdir(self.root)

    def can_begin(self) -> bool:
        """Look for the folder or the one that it lies in; more of them are not ours to make."""
        return self.is_there() or os.path.isdir(os.path.dirname(self.root))

    def _path(self, key: str) -> str:
        return os.path.join(self.root, *key.split("/")) if key else self.root

    def _make_folder(self, path: str) -> None:
        missing = []
        while not os.path.isdir(path):
            if path in self._kept:
                raise FolderGone(errno.ENOENT, os.strerror(errno.ENOENT), path)
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another writer was faster
                os.mkdir(folder)
            _fsync_folder(os.path.dirname(folder))

    @contextlib.contextmanager
    def _complete(self, path: str, data: bytes) -> Iterator[Path]:
        """Yield a complete, synced temp file in the folder of `path`; it never survives."""
        self._make_folder(os.path.dirname(path))
        with complete(Path(path), data, mode=0o644) as temp:
            yield temp


def _fsync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class MemoryBackend:
    """fsspec's memory file system: one process, gone with it. Threads may share it."""

    at_once = 1
    _lock: ClassVar[threading.RLock] = threading.RLock()  # the file system is one per process too

    def __init__(self, root: str) -> None:
        self.root = root.strip("/")
        self._fs: FileSystem = file_system("memory")

    def create(self, key: str, data: bytes) -> None:
        """Write if there is nothing, under the lock."""
        with self._lock:
            self._fs.pipe_file(self._path(key), data, mode="create")

    def replace(self, key: str, data: bytes) -> None:
        """Write, under the lock."""
        with self._lock:
            self._fs.pipe_file(self._path(key), data, mode="overwrite")

    def read(self, key: str, limit: int | None) -> bytes:
        """Copy the bytes out."""
        with self._lock:
            data = self._fs.cat_file(self._path(key), end=None if limit is None else limit + 1)
        return bytes(data)

    def sizes(self, prefix: str) -> dict[str, int]:
        """List every object below a prefix."""
        with self._lock:
            try:
                found = self._fs.find(self._path(prefix.rstrip("/")), detail=True)
            except FileNotFoundError:
                return {}
        return {self._key(path): int(str(info["size"])) for path, info in found.items()}

    def children(self, prefix: str) -> set[str]:
        """List the first path parts."""
        skip = len(prefix.rstrip("/")) + 1 if prefix else 0
        return {key[skip:].split("/")[0] for key in self.sizes(prefix)}

    def remove(self, key: str) -> None:
        """Forget the object."""
        with self._lock:
            self._fs.rm_file(self._path(key))

    def location(self, key: str) -> str:
        """Return the address."""
        return f"memory:/{self._path(key)}"

    def free_bytes(self) -> int | None:
        """Return None: memory has no disk."""
        return None

    def remove_stale_temps(self, prefix: str) -> int:
        """Do nothing: there are no temps."""
        return 0

    def keep(self, prefix: str) -> None:
        """Do nothing: memory does not go away before the process does."""

    def is_there(self) -> bool:
        """Return True: memory is there."""
        return True

    def can_begin(self) -> bool:
        """Return True: memory is there."""
        return True

    def _path(self, key: str) -> str:
        return f"/{self.root}/{key}".rstrip("/")

    def _key(self, path: str) -> str:
        return path.removeprefix(f"/{self.root}/")
