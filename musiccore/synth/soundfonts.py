"""Sound fonts of this machine, and where packages lie; none comes with this program."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError, MissingProgram

FONT_SUFFIXES: Final = (".sf2", ".sf3")
FONT_FOLDERS: Final = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/sounds/sf2",
    "/usr/local/share/sounds/sf3",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "/opt/homebrew/share/sounds/sf2",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
)
_WANTED_FIRST = ("default", "fluidr3", "generaluser", "musescore", "timgm")

HINT: Final = (
    "install the extra `play` for the library (pip install 'jukeflow[play]') and name a sound font "
    "with --soundfont or SOUNDFONT, or use --engine own"
)

"""What to do where something is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFont:
    """A sound font on this machine.

    Attributes:
        path: the file.
    """

    path: Path

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name

    def sha256(self) -> str:
        """Return the digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def find_font(soundfont: str | os.PathLike[str] = "") -> SoundFont:
    """Find a sound font.

    Args:
        soundfont: its path; empty looks for one.

    Raises:
        ConfigError: if the path is wrong.
        MissingProgram: if there is none.
    """
    if os.fspath(soundfont):
        path = Path(soundfont).expanduser()
        if not _is_font(path):
            what = "is no sound font" if path.is_file() else "does not exist"
            raise ConfigError(
                f"soundfont: {os.fspath(soundfont)!r} {what}",
                hint="give a file that ends with .sf2 or .sf3",
            )
        return SoundFont(path=path)
    for path in _fonts():
        if _is_font(path):
            return SoundFont(path=path)
    raise MissingProgram("no sound font is on this machine", hint=HINT, extra="play")


def _fonts() -> Iterator[Path]:
    for folder in FONT_FOLDERS:
        there = Path(folder).expanduser()
        files = [p for p in sorted(there.glob("*")) if p.suffix.lower() in FONT_SUFFIXES]
        yield from sorted(files, key=_rank)
    yield from sorted(package_folder("pretty_midi").glob("*.sf[23]"))


def _rank(path: Path) -> int:
    stem = path.stem.lower()
    ranks = [at for at, word in enumerate(_WANTED_FIRST) if stem.startswith(word)]
    return ranks[0] if ranks else len(_WANTED_FIRST)


def _is_font(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"sfbk"


def package_folder(name: str) -> Path:
    """Folder of an installed package, which is not imported; an empty one if it is missing."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else Path(os.devnull)
