"""Where a file lies: a path of this machine, or an address in a store. Text only, nothing opens.

album/1.wav   ~/album   file:///home/me/album    this machine
gs://bucket/album   s3://bucket/album            a cloud
memory://album                                   this process, for tests and notebooks
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError

CLOUDS: Final = ("gs", "gcs", "s3", "s3a", "az", "abfs")
MAGIC = re.compile(r"[*?[]")

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


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
    if "\0" in text or len(text) > 4096:
        raise ConfigError(f"{field}: the address is too long or holds a zero byte")
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return Place("", _user(text, field))
    scheme, rest = match[1], match[2]
    shown = ascii(text if len(text) <= 120 else text[:120] + "...")
    if "@" in rest.split("/")[0]:  # never repeated in the message: it holds a secret
        raise ConfigError(
            f"{field}: the address holds credentials", hint="give them in the environment instead"
        )
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
