"""A store in a bucket of Google's: gs:// by gcsfs.

A name is created once by the condition of the service itself, `ifGenerationMatch=0`. An object
appears whole when its upload ends, and every write is shown to every reader and in every listing at
once. Whether a service that only speaks like Google's keeps the condition, the probe finds out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from musiccore.errors import StorageError
from musiccore.storage.file_systems import FileSystem, file_system, streamed, translated
from musiccore.storage.places import Place

_EDGE: Final = b"--==0=="  # between the parts of a small upload of gcsfs, which does not escape it


class CloudBackend:
    """A folder of a bucket. Whatever the service refuses is one sentence.

    Args:
        root: bucket and folder.
    """

    at_once = 16  # a reply takes a tenth of a second, however little it holds

    def __init__(self, root: Place) -> None:
        self.root = root

    def create(self, key: str, data: bytes) -> None:
        """Upload on the condition that there is no such object.

        After a reply that got lost the name is found taken by our own bytes.
        """
        with self._writing(key) as system:
            system.pipe_file(self._path(key), data, mode="create", **self._how(data))

    def replace(self, key: str, data: bytes) -> None:
        """Upload; the object is exchanged when all of it arrived."""
        with self._writing(key) as system:
            system.pipe_file(self._path(key), data, mode="overwrite", **self._how(data))

    def read(self, key: str, limit: int | None) -> bytes:
        """Read an object, or the beginning of it."""
        with self._asking("reading", key) as system:
            if limit is None:
                return system.cat_file(self._path(key))
            try:
                return system.cat_file(self._path(key), start=0, end=limit + 1)
            except Exception as error:
                if str(getattr(error, "code", "")) == "416":  # it has no first byte
                    return b""
                raise

    def sizes(self, prefix: str) -> dict[str, int]:
        """List every object below a prefix."""
        try:
            with self._asking("listing", prefix) as system:
                found = system.find(self._path(prefix), detail=True)
        except FileNotFoundError:
            return {}
        skip = len(self.root.path) + 1
        return {path.strip("/")[skip:]: int(str(info["size"])) for path, info in found.items()}

    def children(self, prefix: str) -> set[str]:
        """List the first path parts, without what lies below them."""
        try:
            with self._asking("listing", prefix) as system:
                found = system.ls(self._path(prefix), detail=False)
        except FileNotFoundError:
            return set()
        skip = len(self._path(prefix)) + 1
        return {name for path in found if (name := path.strip("/")[skip:])}

    def remove(self, key: str) -> None:
        """Remove the object."""
        with self._asking("removing", key) as system:
            system.rm_file(self._path(key))

    def location(self, key: str) -> str:
        """Return the address."""
        return str(Place(self.root.scheme, self._path(key)))

    def free_bytes(self) -> int | None:
        """Return None: a bucket has no end."""
        return None

    def remove_stale_temps(self, prefix: str) -> int:
        """Do nothing: an upload that was not finished is no object."""
        return 0

    def keep(self, prefix: str) -> None:
        """Do nothing: there are no folders that could be made again."""

    def is_there(self) -> bool:
        """Ask for the bucket; the folder in it appears with the first object."""
        bucket = self.root.path.partition("/")[0]
        try:
            with self._asking("listing", "") as system:
                system.ls(f"{self.root.path}/", detail=False)
        except FileNotFoundError:
            return self.root.path != bucket and self._has_bucket(bucket)
        return True

    def _has_bucket(self, bucket: str) -> bool:
        try:
            with self._asking("listing", "") as system:
                system.ls(bucket, detail=False)
        except FileNotFoundError:
            return False
        return True

    def can_begin(self) -> bool:
        """Ask for the bucket, which is not ours to make."""
        return self.is_there()

    def _path(self, key: str) -> str:
        return f"{self.root.path}/{key}".rstrip("/")

    def _how(self, data: bytes) -> dict[str, int]:
        """Return how bytes are uploaded: in one request, unless they hold the edge of one."""
        return streamed(self.root.scheme, len(data)) if _EDGE in data else {}

    @contextlib.contextmanager
    def _asking(self, action: str, key: str) -> Iterator[FileSystem]:
        """Give the file system; let pass what `Store` understands, and translate the rest."""
        try:
            yield file_system(self.root.scheme)  # each time: after a fork it is another one
        except (FileExistsError, FileNotFoundError):
            raise
        except Exception as error:  # each library has its own
            raise translated(error, action, self.location(key), self.root.scheme) from error

    @contextlib.contextmanager
    def _writing(self, key: str) -> Iterator[FileSystem]:
        try:
            with self._asking("writing", key) as system:
                yield system
        except FileNotFoundError as error:
            bucket = self.root.path.partition("/")[0]
            raise StorageError(
                f"store: there is no bucket {self.root.scheme}://{bucket}",
                hint="make it first, or check the name",
            ) from error
