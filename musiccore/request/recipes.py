"""Many requests in one file: `[[song]]` tables in TOML, or the rows of a CSV table.

A song is a request with short names: `artist` stands for `conditioning.artist`, `seed` for
`sampling.seed`. A wrong song says which field is wrong and does not stop the others; only a file
that cannot be read at all is an error of the whole.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from musiccore.errors import ConfigError
from musiccore.errors.doors import TABLE
from musiccore.request.request import GenerationRequest, read_lyrics

MAX_FILE_BYTES: Final = 8 << 20
MAX_SONGS: Final = 10_000

_SHORT: Final = {
    **dict.fromkeys(("artist", "genre", "lyrics", "lyrics_file"), "conditioning"),
    **dict.fromkeys(("seed", "temperature", "top_k", "top_p"), "sampling"),
}
_PARTS: Final = ("conditioning", "sampling", "primer_compose")
_WHOLE: Final = ("seed", "top_k", "takes", "priority")
_REAL: Final = ("top_p", "seconds", "total_seconds", "primer_seconds", "max_hours")
_LISTS: Final = {"temperature": float, "window_hop": int, "max_batch": int, "formats": str}
_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Values = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """One row of a file of songs.

    Attributes:
        row: number of the song in the file, from 1.
        title: what the file calls it, also where the rest of the row is wrong.
        request: what to make; None if the row is wrong.
        priority: higher ones come first.
        max_hours: most hours that one session may spend on the song; None without a limit.
        error: what is wrong with the row; empty if nothing is.
    """

    row: int
    title: str = ""
    request: GenerationRequest | None = None
    priority: int = 0
    max_hours: float | None = None
    error: str = ""


def read_songs(path: Path) -> tuple[Song, ...]:
    """Return the songs of a `.toml` or `.csv` file.

    Lyrics files and primers are relative to the file.

    Raises:
        ConfigError: if the file cannot be read, is neither, or holds no song.
    """
    kind = path.suffix.lower()
    if kind not in (".toml", ".csv"):
        raise ConfigError(
            f"file: {str(path)!r} is neither .toml nor .csv",
            hint="give `[[song]]` tables in a .toml file, or a .csv table with a header",
        )
    return parse_songs(read_text(path), "csv" if kind == ".csv" else "toml", path.parent)


def read_text(path: Path) -> str:
    """Return the text of a file of songs.

    Raises:
        ConfigError: if it cannot be read, is too large or is not UTF-8.
    """
    try:
        if not path.is_file():
            raise ConfigError(f"file: {str(path)!r} does not exist, or is not a regular file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"file: {str(path)!r} is larger than {MAX_FILE_BYTES} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"file: {str(path)!r} is not text in UTF-8") from error
    except OSError as error:
        raise ConfigError(f"file: {str(path)!r} cannot be read: {error}") from error


def parse_songs(text: str, kind: Literal["toml", "csv"], folder: Path) -> tuple[Song, ...]:
    """Return the songs in a text.

    Args:
        text: the whole file.
        kind: how it is written.
        folder: where relative paths in it begin.

    Raises:
        ConfigError: if it is not what it should be, or holds no song.
    """
    tables = _toml(text) if kind == "toml" else _csv(text)
    if not tables:
        raise ConfigError(
            "file: there is no song in it",
            hint="each song is a `[[song]]` table, or a row below the header",
        )
    if len(tables) > MAX_SONGS:
        raise ConfigError(f"file: {len(tables)} songs; {MAX_SONGS} is the limit")
    return tuple(_song(row, table, folder) for row, table in enumerate(tables, start=1))


def _toml(text: str) -> list[Values]:
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers without an end, tables in tables
        raise ConfigError(f"file: it is not TOML: {error}") from error
    if unknown := sorted(data.keys() - {"song", "defaults"}):
        raise ConfigError(
            f"file: {unknown[0]} is neither `[defaults]` nor `[[song]]`",
            hint="fields of every song go under [defaults]",
        )
    songs, defaults = data.get("song", []), data.get("defaults", {})
    if not isinstance(defaults, dict):
        raise ConfigError("defaults: a table is needed")
    if not isinstance(songs, list) or not all(isinstance(song, dict) for song in songs):
        raise ConfigError("song: write each song as a `[[song]]` table")
    return [_merged(defaults, song) for song in songs]


def _merged(defaults: Mapping[str, object], song: Mapping[str, object]) -> Values:
    """Return one song with short names only; its own values win over the defaults."""
    merged: Values = {}
    for table in (defaults, song):
        for name, value in table.items():
            if name in _PARTS and isinstance(value, dict):
                merged.update({f"{name}.{inner}": item for inner, item in value.items()})
            else:
                merged[f"{_SHORT[name]}.{name}" if name in _SHORT else name] = value
    return merged


def _csv(text: str) -> list[Values]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ConfigError(f"file: line {reader.line_num} is not CSV: {error}") from error
    if not rows:
        return []
    names = [name.strip() for name in rows[0]]
    if "" in names or len(set(names)) < len(names):
        raise ConfigError(
            "file: every column needs a name of its own", hint=f"the header is {rows[0]!r}"
        )
    return [_row(names, cells) for cells in rows[1:]]


def _row(names: list[str], cells: list[str]) -> Values:
    if len(cells) > len(names):
        return {"": f"{len(cells)} cells; the header names {len(names)} columns"}
    given = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
    return _merged({}, {name: _cell(name.rpartition(".")[2], cell) for name, cell in given.items()})


def _cell(name: str, cell: str) -> object:
    """Return a cell as the type of its column; one that does not fit stays text and is refused."""
    text = cell.strip()
    try:
        if name in _WHOLE:
            return int(text)
        if name in _REAL:
            return float(text)
        if name in _LISTS:
            values = tuple(_LISTS[name](part) for part in text.replace(";", " ").split())
            return values[0] if name == "temperature" and len(values) == 1 else values
    except ValueError:
        return text
    if name == "allow_unknown":
        return _TRUTH.get(text.lower(), text)
    return cell if name == "lyrics" else text


def _song(row: int, table: Values, folder: Path) -> Song:
    values = dict(table)
    title = values.get("title")
    title = title if isinstance(title, str) else ""
    try:
        if "" in values:
            raise ConfigError(str(values[""]))
        priority, max_hours = _priority(values), _max_hours(values)
        request = GenerationRequest.parse(_nested(values, folder))
    except ConfigError as error:
        return Song(row=row, title=title, error=error.sentence_at(TABLE))
    return Song(row=row, title=title, request=request, priority=priority, max_hours=max_hours)


def _priority(values: Values) -> int:
    value = values.pop("priority", 0)
    if type(value) is not int or abs(value) > 1_000_000:
        raise ConfigError(f"priority is {value!r}; it must be a whole number")
    return value


def _max_hours(values: Values) -> float | None:
    value = values.pop("max_hours", None)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < float(str(value)) < 1e5:
        raise ConfigError(f"max_hours is {value!r}; it must be a number above 0")
    return float(str(value))


def _nested(values: Values, folder: Path) -> Values:
    nested: Values = {}
    parts: dict[str, Values] = {name: {} for name in _PARTS}
    for name, value in values.items():
        part, _, inner = name.partition(".")
        if inner and part in parts:
            parts[part][inner] = value
        else:
            nested[name] = value
    words = parts["conditioning"]
    if "lyrics_file" in words:
        file = words.pop("lyrics_file")
        if "lyrics" in words or not isinstance(file, str):
            raise ConfigError("lyrics_file: give it as a path, or give lyrics; not both")
        words["lyrics"] = read_lyrics(folder / file)
    if isinstance(nested.get("primer"), str):
        nested["primer"] = str(folder / str(nested["primer"]))
    return {**nested, **{name: part for name, part in parts.items() if part}}
