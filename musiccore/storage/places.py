"""Where a file or a store lies: a path of this machine, or an address elsewhere.

album/1.wav   ~/album   file:///home/me/album    this machine
gs://bucket/album   s3://bucket/album            a cloud
memory://album                                   this process, for tests and notebooks

Text only, nothing opens: no library that could follow an address sees it before it has passed here.
Files may have any name; the address of a store is held to what every kind of store can keep.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError, StorageError

CLOUDS: Final = ("gs", "gcs", "s3", "s3a", "az", "abfs")
STORES: Final = ("gs", "gcs")
"""Clouds that a store can be kept in: they create a name only once, if they are asked to."""

MAGIC = re.compile(r"[*?[]")

_LONGEST: Final = 4096
_SHOWN: Final = 120  # characters of an address that a message repeats
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ROOT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_UNKEPT: Final = "?#%\\*"  # characters that some kind of store reads as more than a name


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One file or folder somewhere.

    Attributes:
        scheme: of the store; empty for this machine.
        path: path of this machine, else bucket and key without a slash at either end.
    """

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}" if self.scheme else self.path

    @property
    def local(self) -> Path | None:
        """The path, None for an address in a store."""
        return None if self.scheme else Path(self.path)

    @property
    def name(self) -> str:
        """The last part."""
        return Path(self.path).name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return Path(self.path).stem

    @property
    def suffix(self) -> str:
        """What the name ends with, in small letters and without its dot; empty for nothing."""
        return Path(self.path).suffix.lower().removeprefix(".")

    @property
    def parent(self) -> Place:
        """The folder that holds it."""
        return Place(self.scheme, str(Path(self.path).parent))

    def under(self, relative: str) -> Place:
        """Return what lies at a relative path below this folder."""
        return Place(self.scheme, str(Path(self.path, relative)))

    def relative_to(self, folder: Place) -> str:
        """Return the path below a folder.

        Raises:
            ValueError: if it is not below it.
        """
        if self.scheme != folder.scheme:
            raise ValueError(f"{self} is not below {folder}")
        return Path(self.path).relative_to(folder.path).as_posix()

    def is_below(self, folder: Place) -> bool:
        """Return whether it lies inside a folder; links of this machine are followed."""
        if self.scheme != folder.scheme:
            return False
        mine, other = Path(self.path), Path(folder.path)
        if not self.scheme:
            mine, other = Path(os.path.realpath(mine)), Path(os.path.realpath(other))
        return mine != other and mine.is_relative_to(other)

    def same(self, other: Place) -> bool:
        """Return whether both are one file, under other names or links too."""
        if self == other:
            return True
        one, two = self.local, other.local
        if one is None or two is None:
            return False
        if os.path.realpath(one) == os.path.realpath(two):
            return True
        return one.exists() and two.exists() and one.samefile(two)


def parse_place(text: str, field: str) -> Place:
    """Read a path or an address as a person writes it.

    Args:
        text: `album/1.wav`, `~/album`, `file:///album`, `gs://bucket/album`, `memory://album`.
        field: its name in the message.

    Raises:
        ConfigError: if it is empty, of an unknown kind, or holds credentials.
    """
    if not text.strip():
        raise ConfigError(f"{field}: the address is empty", hint="give a file or a folder")
    if "\0" in text or len(text) > _LONGEST:
        raise ConfigError(f"{field}: the address is too long or holds a zero byte")
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return Place("", _user(text, field))
    scheme, rest = match[1], match[2]
    _refuse_credentials(text, field)
    shown = _shown(text)
    if scheme == "file":
        if not rest.startswith("/") or rest.startswith("//"):
            raise ConfigError(f"{field}: {shown} is no path", hint="write file:///folder/song.wav")
        return Place("", rest)
    if scheme not in (*CLOUDS, "memory"):
        raise ConfigError(
            f"{field}: {shown} is an address that is not known here",
            hint="use a path, file://, gs://, s3:// or az://; download from the web first",
        )
    path = rest.strip("/")
    if not path or ".." in path.split("/") or "//" in path or not path.isprintable():
        raise ConfigError(
            f"{field}: {shown} is no file or folder of a store",
            hint=f"write {scheme}://bucket/folder",
        )
    return Place(scheme, path)


def parse_root(root: object) -> Place:
    """Read the address of a store; stricter than that of a file, for all that it will hold.

    Args:
        root: `./runs`, `~/songs`, `file:///folder`, `gs://bucket/songs`, `memory://songs`.

    Returns:
        Its place; `~` and relative folders stand as they were written.

    Raises:
        ConfigError: if it is no address that a store can have.
        StorageError: if it is a cloud that a store cannot be kept in yet.
    """

    def refuse(why: str, hint: str | None = None) -> ConfigError:
        return ConfigError(
            f"store: {why}",
            hint=hint or "give a folder such as ./runs, or gs://bucket/folder",
        )

    if isinstance(root, os.PathLike):
        root = os.fspath(root)
    if not isinstance(root, str):
        raise refuse(f"a store address is text, not {type(root).__name__}")
    if not root.strip():
        raise refuse("the address is empty")
    _refuse_credentials(root, "store")
    shown = _shown(root)
    if len(root) > _LONGEST or not root.isprintable():
        raise refuse(f"{shown} is too long or holds invisible characters")
    if "::" in root:
        raise refuse(f"{shown} chains protocols")
    for bad in _UNKEPT:
        if bad in root:
            raise refuse(f"{shown} holds {bad!r}")
    has_scheme = _SCHEME.match(root) is not None
    if ".." in root.split("/"):
        written_out = None if has_scheme else f"write the folder out: {os.path.abspath(root)}"
        raise refuse(f"{shown} holds '..'", written_out)
    if not has_scheme:
        if root.startswith("//") or (root.startswith("~") and not root.startswith("~/")):
            raise refuse(f"{shown} is not a folder")
        return Place("", root)
    match = _ADDRESS.fullmatch(root)
    scheme, rest = match.groups() if match else ("", "")
    if scheme == "file" and re.match(r"/[^/]", rest):
        return Place("", rest)
    if scheme in (*STORES, "memory") and _ROOT.fullmatch(rest.rstrip("/")):
        return Place(scheme, rest.rstrip("/"))
    if scheme in set(CLOUDS) - set(STORES):
        raise StorageError(
            f"store: {scheme}:// stores follow in a later release",
            hint="use a folder or gs:// for now; finished runs can be copied as they are",
        )
    raise refuse(f"{shown} is not an address that a store can have")


def _refuse_credentials(text: str, field: str) -> None:
    authority = re.match(r"[^/]*://([^/]*)", text)
    if authority and "@" in authority[1]:  # never repeated in the message: it holds a secret
        raise ConfigError(
            f"{field}: the address holds credentials", hint="give them in the environment instead"
        )


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _user(text: str, field: str) -> str:
    if not text.startswith("~"):
        return text
    path = os.path.expanduser(text)
    if path == text and not os.path.lexists(text):
        raise ConfigError(f"{field}: nobody is {text.split('/')[0]!r}", hint="check the path")
    return path


def split_pattern(place: Place) -> tuple[Place, str]:
    """Part a pattern into the folder before its first `*`, `?` or `[`, and the rest."""
    parts = Path(place.path).parts
    first = next(i for i, part in enumerate(parts) if MAGIC.search(part))
    base = str(Path(*parts[:first])) if first else ("." if not place.scheme else "")
    return Place(place.scheme, base), "/".join(parts[first:])
