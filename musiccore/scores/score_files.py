"""Scores in files and folders: find them, tell what they are, write them in another form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError, MusicCoreError
from musiccore.scores.arrange import read_to_play
from musiccore.scores.midi import write_midi
from musiccore.scores.notation import (
    SCORE_SUFFIXES,
    Music21,
    count_tunes,
    read_score,
    write_musicxml,
)
from musiccore.scores.score import AS_PLAYERS_DO, Reading, Score
from musiccore.storage.atomic import write_file

WRITTEN_SUFFIXES: Final = {
    ".mid": "MIDI",
    ".midi": "MIDI",
    ".musicxml": "MusicXML",
    ".xml": "MusicXML",
}
"""Suffix → what is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFile:
    """One piece that can be read.

    Attributes:
        source: a file, or a piece of music21's package.
        name: what it is called: its path within the folder, with `#` and its number in a book.
        tune: number in a book, or None.
    """

    source: str
    name: str
    tune: int | None = None

    @property
    def is_midi(self) -> bool:
        """Whether it is a MIDI file."""
        return Path(self.source).suffix.lower() in (".mid", ".midi", ".kar", ".rmi")

    def read(
        self, music21: Music21, *, repeats: bool = True, reading: Reading = AS_PLAYERS_DO
    ) -> Score:
        """Read it.

        Raises:
            AudioError: if it cannot be read.
            ConfigError: if there is no such piece.
        """
        return read_score(
            self.source, repeats=repeats, tune=self.tune, music21=music21, reading=reading
        )


def find_scores(sources: Iterable[str]) -> list[ScoreFile]:
    """List the pieces that files, folders and names mean, every folder sorted.

    Args:
        sources: scores, folders with everything below them, or pieces such as bwv66.6.

    Returns:
        The pieces; every tune of an ABC book is one. A damaged book is one, too.

    Raises:
        ConfigError: if there is none, or a file does not exist.
    """
    found = [piece for source in sources for piece in _pieces(source)]
    if not found:
        raise ConfigError(
            f"source: no score is in {', '.join(map(repr, sources))}",
            hint=f"files that end with {', '.join(SCORE_SUFFIXES)} are scores",
        )
    return found


def _pieces(source: str) -> Iterator[ScoreFile]:
    path = Path(source).expanduser()
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in SCORE_SUFFIXES and file.is_file():
                yield from _tunes(file, file.relative_to(path).as_posix())
        return
    if path.suffix.lower() not in SCORE_SUFFIXES:
        if path.exists():
            raise ConfigError(
                f"source: {source!r} is no score by its name",
                hint=f"scores end with {', '.join(SCORE_SUFFIXES)}",
            )
        yield ScoreFile(source=source, name=source)
        return
    if not path.exists():
        raise ConfigError(f"source: {source!r} does not exist", hint="check the path")
    yield from _tunes(path, path.name)


def _tunes(file: Path, name: str) -> Iterator[ScoreFile]:
    tunes = 1
    with suppress(MusicCoreError):  # reading it will say what is wrong
        tunes = count_tunes(file)
    if tunes == 1:
        yield ScoreFile(source=str(file), name=name)
        return
    for number in range(1, tunes + 1):
        yield ScoreFile(source=str(file), name=f"{name}#{number}", tune=number)


def check_written(target: Path) -> None:
    """Refuse a name of no format that scores are written in.

    Raises:
        ConfigError: if it is none.
    """
    if target.suffix.lower() not in WRITTEN_SUFFIXES:
        raise ConfigError(
            f"out: {str(target)!r} does not say which format is wanted",
            hint=f"end it with {', '.join(WRITTEN_SUFFIXES)}",
        )


def write_score(target: Path, score: Score, *, force: bool, music21: Music21 | None = None) -> None:
    """Write a score as its file's name says; the file appears whole or not at all.

    Raises:
        ConfigError: if the file exists, or MIDI cannot hold the score.
        AudioError: if it cannot be written.
    """
    check_written(target)
    kind = WRITTEN_SUFFIXES[target.suffix.lower()]
    data = write_midi(score) if kind == "MIDI" else write_musicxml(score, music21=music21)
    write_file(target, data, force=force)


def open_score(source: str, reading: Reading = AS_PLAYERS_DO) -> tuple[Score, str]:
    """Read a score or a chorale.

    Returns:
        The score, and the sha256 of its file (of its name for a chorale).

    Raises:
        AudioError: if it cannot be read.
        ConfigError: if there is no such chorale.
    """
    score, path = read_to_play(source, reading), Path(source).expanduser()
    content = path.read_bytes() if path.is_file() else source.encode()
    return score, hashlib.sha256(content).hexdigest()


def stem_of(source: str) -> str:
    """Return what a score is called: its file without the suffix, or the name of a chorale."""
    path = Path(source)
    return path.stem if path.suffix.lower() in SCORE_SUFFIXES else source


def named_after(source: str, suffix: str) -> Path:
    """Return a file of this folder, named after a score or a chorale."""
    return Path(f"{stem_of(source)}.{suffix}")
