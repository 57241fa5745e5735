"""The store: keys and bytes, blobs named by their digest, and nothing that is ever half written.

    <root>/<run id>/run.json             written once
                    log/00000001.json    create-only, numbered, chained: the only commit point
                    blobs/ab/<sha256>    content-named
                    tip.json             a hint about the end of the log
                    heartbeat/           who is at work
                    export/              derived files; never read on resume
                    quarantine/          damaged bytes, kept

It is kept in a folder, a bucket of a cloud, or the memory of one process. Everything above this
module asks the store what it can do instead of assuming it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from musiccore.errors import Corrupt, NotFound, StorageError, Unavailable
from musiccore.storage.backends import Backend, FolderGone, LocalBackend, MemoryBackend
from musiccore.storage.cloud import CloudBackend
from musiccore.storage.os_errors import gone, is_away, meaning
from musiccore.storage.places import parse_root
from musiccore.storage.sealed import Json

Writers = Literal["multi-writer", "single-writer"]

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EIO)


class AlreadyExists(StorageError):
    """`create` found the key taken; what is there was not touched."""


class Digest(Protocol):
    """Names bytes: their sha256 and how many there are."""

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobRef:
    """Name of stored bytes.

    Attributes:
        sha256: digest of the content, 64 hexadecimal digits.
        size: bytes.
    """

    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(str(self.sha256)):
            raise Corrupt(f"a blob is named {self.sha256!r}, which is not a sha256")
        if type(self.size) is not int or self.size < 0:
            raise Corrupt(f"blob {self.sha256[:12]} has the size {self.size!r}")

    @property
    def key(self) -> str:
        """Key below the run."""
        return f"blobs/{self.sha256[:2]}/{self.sha256}"

    def to_json(self) -> dict[str, Json]:
        """Return the form that log records hold."""
        return {"sha256": self.sha256, "size": self.size}

    @classmethod
    def from_json(cls, value: object) -> BlobRef:
        """Read the form that log records hold.

        Raises:
            Corrupt: if `value` is anything else.
        """
        if not isinstance(value, dict) or not {"sha256", "size"} <= value.keys():
            raise Corrupt(f"expected a blob reference, found {str(value)[:80]!r}")
        return cls(sha256=value["sha256"], size=value["size"])

    @classmethod
    def of(cls, data: bytes) -> BlobRef:
        """Return the name that `data` has in every store."""
        return cls(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What the start-up probe found out about a store.

    Attributes:
        writers: `multi-writer` if creation is exclusive, so that workers can fence each other.
        reason: one sentence that says how we know.
    """

    writers: Writers
    reason: str


def open_store(root: object, *, single_writer: bool = False) -> Store:
    """Open a store; nothing is read or written yet.

    Args:
        root: a folder (`./runs`, `~/songs`), `file:///absolute/folder`, `gs://bucket/folder`, or
            `memory://name`. A cloud finds credentials by itself, where its own tools do.
        single_writer: promise that only one worker writes, for file systems without exclusive
            creation (some mounted drives).

    Raises:
        ConfigError: if the root is not one of these; the text is checked before any library that
            could open a connection sees it.
        StorageError: if it is in a cloud that a store cannot be kept in yet.
    """
    place = parse_root(root)
    writers: Writers = "single-writer" if single_writer else "multi-writer"
    if place.scheme == "memory":
        return Store(MemoryBackend(place.path), writers=writers)
    if place.scheme:
        return Store(CloudBackend(place), writers=writers)
    folder = os.path.abspath(os.path.expanduser(place.path))
    return Store(LocalBackend(folder, single_writer=single_writer), writers=writers)


class Store:
    """Objects under keys, with the promises that the journal needs.

    Args:
        backend: where the bytes are.
        writers: what the caller promises, checked by `probe`.
        prefix: folder of this view of the store, `""` for all of it.
    """

    def __init__(self, backend: Backend, *, writers: Writers, prefix: str = "") -> None:
        self._backend = backend
        self._writers: Writers = writers
        self._prefix = prefix

    def at(self, prefix: str) -> Store:
        """Return a view of one folder; its keys are relative to the folder."""
        return type(self)(self._backend, writers=self._writers, prefix=self._key(prefix) + "/")

    def location(self, key: str = "") -> str:
        """Return where an object is: a path for a folder, an address otherwise."""
        return self._backend.location(self._key(key) if key else self._prefix.rstrip("/"))

    def create(self, key: str, data: bytes) -> None:
        """Write a new object; exactly one of any number of writers succeeds.

        Raises:
            AlreadyExists: if the key is taken, perhaps by our own write whose reply was lost.
            Unavailable: if it is not known whether the object was written.
            StorageError: if the store refused.
        """
        with self._door("writing", key, size=len(data)):
            self._backend.create(self._key(key), data)

    def put(self, key: str, data: bytes) -> None:
        """Write an object over what is there; a reader sees the old or the new, never a part.

        Raises:
            StorageError: if the store refused or did not answer.
        """
        with self._door("writing", key, size=len(data)):
            self._backend.replace(self._key(key), data)

    def get(self, key: str, *, limit: int | None = None) -> bytes:
        """Read an object.

        Args:
            key: its key.
            limit: bytes that it may have at most.

        Raises:
            NotFound: if there is no such object.
            Corrupt: if it is larger than `limit`.
        """
        with self._door("reading", key):
            data = self._backend.read(self._key(key), limit)
        if limit is not None and len(data) > limit:
            raise Corrupt(f"{self.location(key)} is larger than the {limit} bytes it may have")
        return data

    def get_each(self, keys: Sequence[str], *, limit: int) -> Iterator[bytes | NotFound | Corrupt]:
        """Read objects in the order asked for; of a store that is far away several at once.

        Args:
            keys: their keys.
            limit: bytes that each may have at most.

        Yields:
            The bytes, or what `get` raises where they are not to be had.

        Raises:
            StorageError: if the store refused or did not answer.
        """

        def read(key: str) -> bytes | NotFound | Corrupt:
            try:
                return self.get(key, limit=limit)
            except (NotFound, Corrupt) as error:
                return error

        if self._backend.at_once == 1:
            yield from map(read, keys)
            return
        with ThreadPoolExecutor(self._backend.at_once) as pool:
            yield from pool.map(read, keys)

    def exists(self, key: str) -> bool:
        """Return whether an object can be read; a hint, never a decision to write."""
        try:
            with self._door("reading", key):
                self._backend.read(self._key(key), 0)
        except NotFound:
            return False
        return True

    def list(self, prefix: str = "") -> dict[str, int]:
        """Return key → size in bytes of every object below a folder, sorted by key."""
        full = self._key(prefix) + "/" if prefix else self._prefix
        with self._door("listing", prefix):
            found = self._backend.sizes(full)
        skip = len(self._prefix)
        return {key[skip:]: size for key, size in sorted(found.items())}

    def children(self) -> tuple[str, ...]:
        """Return the names directly below this folder, sorted."""
        with self._door("listing", ""):
            return tuple(sorted(self._backend.children(self._prefix)))

    def delete(self, key: str) -> None:
        """Remove an object. Log records must never be removed: their numbers would come free.

        Raises:
            NotFound: if there is no such object.
        """
        with self._door("removing", key):
            self._backend.remove(self._key(key))

    def set_aside(self, key: str) -> str:
        """Move an object to `quarantine/` of this folder; return its key there.

        Several workers may do so at once: what is written under the key meanwhile stays.

        Args:
            key: as it was listed; names that no object of ours has are taken too.

        Raises:
            StorageError: if the store refused.
        """
        with self._door("reading", "quarantine"):
            data = self._backend.read(self._listed(key), None)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", key).strip("-._")[:80]
        aside = f"quarantine/{name}-{hashlib.sha256(data).hexdigest()[:16]}"
        with contextlib.suppress(AlreadyExists):
            self.create(aside, data)
        with (
            contextlib.suppress(NotFound),
            self._door("removing", "quarantine"),
        ):
            if self._backend.read(self._listed(key), None) == data:
                self._backend.remove(self._listed(key))
        return aside

    def _listed(self, key: str) -> str:
        if not {"..", "."}.isdisjoint(key.split("/")):
            raise StorageError(f"{ascii(key)[:120]} is not a key")
        return self._prefix + key

    def put_blob(self, data: bytes) -> BlobRef:
        """Write content under its own name and read it back.

        Writing what is already there is harmless and heals a damaged copy.

        Raises:
            Corrupt: if other bytes come back.
            StorageError: if the store refused.
        """
        ref = BlobRef.of(data)
        self.put(ref.key, data)
        self.get_blob(ref)
        return ref

    def get_blob(self, ref: Digest) -> bytes:
        """Read content and compare it with its name.

        Raises:
            Corrupt: if it is missing or differs in size or digest.
        """
        name = BlobRef(sha256=ref.sha256, size=ref.size)
        try:
            data = self.get(name.key, limit=name.size)
        except NotFound as error:
            raise Corrupt(
                f"blob {name.sha256[:12]} is missing: {self.location(name.key)}"
            ) from error
        if BlobRef.of(data) != name:
            raise Corrupt(
                f"blob {name.sha256[:12]} is damaged: {self.location(name.key)} holds "
                f"{len(data)} bytes that differ from the {name.size} recorded"
            )
        return data

    def keep(self) -> None:
        """Never make this folder again: if it goes away, writing into it raises `Gone`."""
        self._backend.keep(self._prefix)

    def is_there(self) -> bool:
        """Return whether the store's folder is there; looks only."""
        return self._backend.is_there()

    def require(self) -> None:
        """Refuse to read where there is no store.

        Raises:
            NotFound: if the store's folder is not there.
        """
        if not self._backend.is_there():
            raise self._absent()

    def require_place(self) -> None:
        """Refuse to make a store where not even the folder is that it would lie in.

        Raises:
            NotFound: if so: a drive is not mounted, or the name is wrong.
        """
        if not self._backend.can_begin():
            raise self._absent()

    def _absent(self) -> NotFound:
        place = self._backend.location("")
        return NotFound(
            f"store: there is no {'bucket of' if '://' in place else 'folder'} {place}",
            hint="check --store or JUKEFLOW_STORE, and whether the drive is mounted; a new store "
            "is made by `jukeflow generate` in a folder that exists",
        )

    def remove_stale_temps(self) -> int:
        """Remove what killed writers left in this folder over a day ago; return how many."""
        return self._backend.remove_stale_temps(self._prefix)

    def probe(self) -> Capability:
        """Write twice under one new name and look what happens; leaves nothing behind.

        Raises:
            StorageError: if the store cannot be written, or cannot create exclusively and nobody
                promised to be the only writer.
        """
        key = f"probe-{uuid.uuid4().hex}"
        root = Store(self._backend, writers=self._writers)
        try:
            return root._probe(key)
        finally:
            with contextlib.suppress(StorageError):
                root.delete(key)

    def _probe(self, key: str) -> Capability:
        first, second = b"first", b"second"
        try:
            self.create(key, first)
        except AlreadyExists:  # nobody else knows the name: it was us, and the reply got lost
            pass
        except StorageError as error:
            self._explain(error, key)
            self.create(key, first)  # a passing failure: it works the second time
        try:
            self.create(key, second)
            exclusive = False
        except AlreadyExists:
            exclusive = self.get(key) == first
        if key not in self.children():
            raise StorageError(f"{self.location()} does not list an object just written to it")
        if not exclusive:
            raise self._not_exclusive("it let two writers create one name")
        if self._writers == "single-writer":
            return Capability(writers="single-writer", reason="opened for a single writer")
        return Capability(writers="multi-writer", reason="creation is exclusive")

    def _explain(self, error: StorageError, key: str) -> None:
        """Raise what `error` of the first create means, unless trying again is worth while."""
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in _NO_LINKS:
            raise error
        try:
            self.put(key, b"writable")
            self.delete(key)
        except StorageError:
            raise error from cause
        try:
            self.create(f"{key}-again", b"")
            self.delete(f"{key}-again")
        except StorageError:
            raise self._not_exclusive("it cannot make hard links") from error

    def _not_exclusive(self, why: str) -> StorageError:
        return StorageError(
            f"{self.location()} cannot keep several workers apart: {why}",
            hint="use another folder, or open this one for a single writer and start only one "
            "worker at a time",
        )

    def _key(self, key: str) -> str:
        if not _KEY.fullmatch(key) or ".." in key.split("/"):
            raise StorageError(f"{ascii(key)[:120]} is not a key")
        return self._prefix + key

    @contextlib.contextmanager
    def _door(self, action: str, key: str, *, size: int = 0) -> Iterator[None]:
        """Translate every error of a backend."""
        try:
            yield
        except FileExistsError as error:
            raise AlreadyExists(f"{self.location(key)} exists already") from error
        except FolderGone as error:
            raise gone(self.location()) from error
        except FileNotFoundError as error:
            if action == "writing":  # the folder could not be made
                raise self._meaning(error, action, key, size) from error
            raise NotFound(f"{self.location(key)} does not exist") from error
        except (ConnectionError, TimeoutError) as error:
            raise Unavailable(f"{action} {self.location(key)} got no answer: {error}") from error
        except OSError as error:
            raise self._meaning(error, action, key, size) from error

    def _meaning(self, error: OSError, action: str, key: str, size: int) -> StorageError:
        if is_away(error):
            return gone(self.location())
        free = self._backend.free_bytes()
        return meaning(error, action, self.location(key), size=size, free=free)
