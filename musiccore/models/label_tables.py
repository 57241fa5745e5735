"""Names of artists and genres and their ids.

Tables of v2 and v3 belong to the non-commercial release and are loaded from the user's copy; the
table of `nano` is ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from musiccore.errors import ConditioningError
from musiccore.models.config import LabelRules
from musiccore.models.nano import ARTISTS, GENRES

UNKNOWN = 0  # id of every name that has no id of its own
EMPTY_SLOT = -1  # unused genre slot

_PUBLISHED_SHA256 = {
    "v2_artist_ids.txt": "fce2ecc0c7b00838cf8cc90273609c5460fa1ec8d3211ce9f6546ed792feb001",
    "v2_genre_ids.txt": "04d7c5e5f0002c74789ee2a72a1e33f11057eb6c183ed0cf8f4b140164197e48",
    "v3_artist_ids.txt": "85ab98ca035945a917ec3d3e1f06bcd938767196281cfb8caecf058872a9e9ed",
    "v3_genre_ids.txt": "f85f72dca1e6052da129041bb927e29eb143e5f1450951006565f4a8af6f31cb",
}
_MAX_TABLE_BYTES = 8 * 2**20
_NUMBER = re.compile(r"#[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTables:
    """Names of artists and genres with their ids, under one set of rules.

    Attributes:
        artists, genres: normalised name → id; empty where the user has given no tables.
        digests: file name → sha256 of the files they come from.
    """

    rules: LabelRules
    artists: Mapping[str, int] = field(default_factory=dict)
    genres: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path, rules: LabelRules, *, verify: bool = True) -> LabelTables:
        """Load `{rules}_artist_ids.txt` and `{rules}_genre_ids.txt`, lines of `name;id`.

        Args:
            folder: where the files are.
            rules: which pair to load.
            verify: refuse files whose sha256 is not that of the published ones.

        Raises:
            ConditioningError: if a file is missing, is another one, or has a line of another form.
        """
        artists, artist_digest = _read_table(folder / f"{rules}_artist_ids.txt", verify)
        genres, genre_digest = _read_table(folder / f"{rules}_genre_ids.txt", verify)
        return cls(
            rules=rules, artists=artists, genres=genres, digests=artist_digest | genre_digest
        )

    @classmethod
    def for_rules(
        cls, rules: LabelRules, folder: Path | None = None, *, verify: bool = True
    ) -> LabelTables:
        """Return the tables of some rules: built in for `nano`, else from `folder`, else empty."""
        if rules == "nano":
            return NANO_TABLES
        return cls(rules=rules) if folder is None else cls.load(folder, rules, verify=verify)

    @property
    def absent(self) -> bool:
        """Whether there is not one name, because the user has given no tables."""
        return not self.artists and not self.genres

    def artist_id(self, name: str) -> int | None:
        """Return the id of an artist, None if it has none. An empty name is "unknown"."""
        if not name.strip():
            return UNKNOWN
        return self._find(self.artists, self.normalise(name))

    def genre_ids(self, name: str) -> list[tuple[str, int | None]]:
        """Return (word, id) of each genre word, id None if it has none; v3: the whole name.

        A word `#123` is the id 123 itself.
        """
        if not name.strip():
            return [("", UNKNOWN)]
        if self.rules == "v3":
            number = id_in(name)
            key = self.normalise(name)
            return [(name, self._find(self.genres, key) if number is None else number)]
        found: list[tuple[str, int | None]] = []
        for part in name.split():
            number = id_in(part)
            if number is not None:
                found.append((part, number))
                continue
            words = [word for word in self.normalise(part).split("_") if word]
            found.extend((word, self._find(self.genres, word)) for word in words)
        return found or [(name, None)]

    def artist_name(self, artist_id: int) -> str:
        """Return the names that share an id, sorted and joined with `_`; "" if there are none."""
        return "_".join(sorted(n for n, i in self.artists.items() if i == artist_id))

    def genre_name(self, genre_ids: Sequence[int]) -> str:
        """Return the names of genre ids, joined with `_`; empty slots are skipped."""
        return "_".join(
            "_".join(sorted(n for n, i in self.genres.items() if i == genre_id))
            for genre_id in genre_ids
            if genre_id != EMPTY_SLOT
        )

    def nearest(self, name: str, kind: str) -> list[str]:
        """Return up to three known names that look like this one."""
        table = self.artists if kind == "artist" else self.genres
        return get_close_matches(self.normalise(name), [n for n in table if n], n=3, cutoff=0.5)

    def normalise(self, name: str) -> str:
        """Return a name as the table spells it.

        v2 and nano: lower case, everything but ASCII letters and digits is `_`, single and never at
        an end; accents are not transliterated. v3: lower case, nothing else.
        """
        if self.rules == "v3":
            return name.lower()
        return re.sub(r"[^a-z0-9]+", "_", _lower_ascii(name)).strip("_")

    @staticmethod
    def _find(table: Mapping[str, int], key: str) -> int | None:
        return table.get(key, UNKNOWN if key == "unknown" else None)


NANO_TABLES = LabelTables(
    rules="nano",
    artists=ARTISTS,
    genres=GENRES,
)


def _lower_ascii(name: str) -> str:
    """Lower case, where a letter that only becomes ASCII by lowering still counts as foreign."""
    return "".join(c.lower() if c.isascii() else "_" for c in name.lower())


def id_in(name: str) -> int | None:
    """Return the id in a name of the form `#123`, None for any other name."""
    return int(name.strip()[1:]) if _NUMBER.fullmatch(name.strip()) else None


def _read_table(path: Path, verify: bool) -> tuple[dict[str, int], dict[str, str]]:
    try:
        if path.stat().st_size > _MAX_TABLE_BYTES:
            raise ConditioningError(f"label_tables: {path} is larger than any label table")
        data = path.read_bytes()
    except OSError as error:
        raise ConditioningError(
            f"label_tables: {path} cannot be read ({error.strerror})",
            hint="{label_tables} is the folder with v2_artist_ids.txt, v2_genre_ids.txt and so on",
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    expected = _PUBLISHED_SHA256.get(path.name)
    if verify and expected is not None and digest != expected:
        raise ConditioningError(
            f"label_tables: {path} has sha256 {digest[:12]}…, the published file has "
            f"{expected[:12]}…",
            hint="take the file of the released repository; other ids give other music",
        )
    table: dict[str, int] = {}
    try:
        for line in data.decode("utf-8").split("\n"):
            if line.strip():
                name, _, number = line.rpartition(";")
                table[name.lower()] = int(number)  # a name that occurs twice keeps its last id
    except ValueError as error:
        raise ConditioningError(
            f"label_tables: {path} holds a line that is not `name;id` in UTF-8"
        ) from error
    return table, {path.name: digest}
