"""What was converted before, remembered beside the converted files, so that only news is work.

One small file per fact, below `.jukeflow/converted/` of the destination: its name says which
target, and of which version of the source and with which options it was made. So one listing tells
everything, nothing is ever rewritten, and a kill costs the file in progress. The content is for
people.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Final

from musiccore.conversion.listing import Conversion
from musiccore.conversion.options import ConversionOptions
from musiccore.storage.files import names, remove, walk, write_small
from musiccore.storage.places import Place

FOLDER: Final = ".jukeflow/converted"
_OURS, _DONE, _HOPELESS = "ours", "done", "hopeless"


class Ledger:
    """The memory of one destination.

    Args:
        folder: the destination; for files written beside their sources, the folder of these.
        options: how files are converted: with other ones, everything is new.

    Raises:
        StorageError: if the destination does not answer.
    """

    def __init__(self, folder: Place, options: ConversionOptions) -> None:
        self._folder = folder
        self._home = folder.under(FOLDER)
        self._options = _digest(*_asked(options))
        self._facts: dict[str, set[str]] = {}  # key of a target -> names of the facts about it
        for name in names(self._home):
            self._facts.setdefault(name.split(".")[0], set()).add(name)
        self._there = {found.place for found in walk(folder, lambda _: None)}

    def is_done(self, conversion: Conversion) -> bool:
        """Return whether the target is there, made of the source as it is now."""
        return conversion.target in self._there and self._knows(conversion, _DONE)

    def is_hopeless(self, conversion: Conversion) -> bool:
        """Return whether the source, as it is now, could not be read before."""
        return self._knows(conversion, _HOPELESS)

    def wrote(self, place: Place) -> bool:
        """Return whether a file was written by us: never a source, and ours to replace."""
        try:
            return self._key(place) in self._facts
        except ValueError:  # not below the destination
            return False

    def begin(self, conversion: Conversion) -> None:
        """Remember that the target will be ours, before it appears.

        Raises:
            StorageError: if that cannot be written.
        """
        if self._key(conversion.target) not in self._facts:
            self._write(f"{self._key(conversion.target)}.{_OURS}.json", conversion, {})

    def finish(self, conversion: Conversion, facts: dict[str, object]) -> None:
        """Remember that the target is made of the source as it was listed.

        Args:
            conversion: it.
            facts: more of it, for people.

        Raises:
            StorageError: if that cannot be written.
        """
        self._replace(conversion, _DONE, facts)
        self._there.add(conversion.target)

    def give_up(self, conversion: Conversion, facts: dict[str, object]) -> None:
        """Remember that the source cannot be read until it changes.

        Args:
            conversion: it.
            facts: more of it, for people.

        Raises:
            StorageError: if that cannot be written.
        """
        self._replace(conversion, _HOPELESS, facts)

    def _knows(self, conversion: Conversion, word: str) -> bool:
        known = self._facts.get(self._key(conversion.target), set())
        return self._name(conversion, word) in known

    def _replace(self, conversion: Conversion, word: str, facts: dict[str, object]) -> None:
        key, name = self._key(conversion.target), self._name(conversion, word)
        self._write(name, conversion, facts)
        for old in self._facts[key] - {name, f"{key}.{_OURS}.json"}:  # of other versions
            remove(self._home.under(old))
            self._facts[key].discard(old)

    def _write(self, name: str, conversion: Conversion, facts: dict[str, object]) -> None:
        about = {
            "source": str(conversion.source.place),
            "version": conversion.source.version,
            "target": str(conversion.target),
            **facts,
        }
        text = json.dumps(about, ensure_ascii=False)
        # Names are bytes: those that are no text become escapes of JSON.
        write_small(self._home.under(name), text.encode(errors="backslashreplace"))
        self._facts.setdefault(self._key(conversion.target), set()).add(name)

    def _name(self, conversion: Conversion, word: str) -> str:
        version = _digest(conversion.source.version, self._options)
        return f"{self._key(conversion.target)}.{version}.{word}.json"

    def _key(self, target: Place) -> str:
        """Name a target by its path below the destination, which may be moved as a whole."""
        return _digest(target.relative_to(self._folder))


def _asked(options: ConversionOptions) -> list[str]:
    """Return what was asked for beside the defaults: a later release may have more of these."""
    plain = ConversionOptions(kind=options.kind)
    return [options.kind] + [
        f"{one.name}={getattr(options, one.name)!r}"
        for one in fields(options)
        if one.name != "ffmpeg" and getattr(options, one.name) != getattr(plain, one.name)
    ]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()[:24]
