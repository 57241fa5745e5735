"""Files of scores into files of tokens, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypedDict

import numpy as np

from musiccore.errors import ConfigError, MusicCoreError
from musiccore.scores.midi import limited_bytes, write_midi
from musiccore.scores.notation import Music21
from musiccore.scores.score import AS_PLAYERS_DO, Reading, Score
from musiccore.scores.score_files import ScoreFile, find_scores
from musiccore.scores.tokens import (
    EventVocabulary,
    Form,
    Grid,
    GridFacts,
    GridVoice,
    TokenFile,
    TokenPiece,
    decode_events,
    decode_grid,
    dump_tokens,
    encode_events,
    encode_grid,
    load_tokens,
)
from musiccore.scores.tokens.grid import STRINGS
from musiccore.scores.tokens.seed import LEGACY_FILES, TIME_LIMIT, seed_strings, vocabulary
from musiccore.storage.atomic import write_file

MAX_TOKEN_BYTES = 256 << 20

PerQuarter = Literal[1, 2, 4]


class TokenRow(TypedDict):
    """How one piece went.

    Attributes:
        source: the piece.
        result: `done` or `failed`.
        tokens: how many, or None.
        error: what is wrong, or None.
        warnings: what was odd about it, and read all the same.
    """

    source: str
    result: str
    tokens: int | None
    error: str | None
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenised:
    """The pieces that could be read, and how each went.

    Attributes:
        tokens: all of them, in one vocabulary.
        rows: one per piece, in the order of the files.
    """

    tokens: TokenFile
    rows: list[TokenRow]

    @property
    def failed(self) -> int:
        """Number of pieces that failed."""
        return sum(row["result"] == "failed" for row in self.rows)


def list_scores(sources: Sequence[str], legacy: bool = False) -> list[ScoreFile]:
    """List the pieces to read.

    Args:
        sources: scores, folders, or pieces of music21's package.
        legacy: the first three MIDI files alone.

    Raises:
        ConfigError: if there is none.
    """
    found = find_scores(sources)
    if not legacy:
        return found
    midi = [piece for piece in found if piece.is_midi][:LEGACY_FILES]
    if not midi:
        raise ConfigError("source: there is no MIDI file", hint="legacy reads MIDI files alone")
    return midi


def tokenise_scores(
    pieces: Sequence[ScoreFile],
    form: Form,
    per_quarter: PerQuarter = 4,
    legacy: bool = False,
    reading: Reading = AS_PLAYERS_DO,
) -> Tokenised:
    """Turn pieces into tokens; one that fails is a row that says so, and the next one goes on.

    Args:
        pieces: what to read.
        form: `seed`, `events` or `grid`.
        per_quarter: steps of a quarter note in a grid.
        legacy: of `seed`: the first part of each piece alone.
        reading: how scores of other people are read.
    """
    rows: list[TokenRow] = []
    strings: dict[str, list[list[str]]] = {}
    facts: dict[str, GridFacts] = {}
    with Music21(seconds=TIME_LIMIT) as music21:
        for piece in pieces:
            row = TokenRow(source=piece.name, result="done", tokens=None, error=None, warnings=[])
            rows.append(row)
            try:
                score = piece.read(music21, reading=reading)
                row["warnings"].extend(score.warnings)
                if form == "seed":
                    found = _seed(piece, score, music21, legacy=legacy)
                elif form == "events":
                    found = [encode_events(score)]
                else:
                    grid = encode_grid(score, per_quarter)
                    found = [[STRINGS[cell] for cell in cells] for cells in grid.cells]
                    facts[piece.name] = _facts(grid)
            except MusicCoreError as error:
                row["result"], row["error"] = "failed", error.message
                continue
            strings[piece.name] = found
            row["tokens"] = sum(len(each) for each in found)
    words = _vocabulary(form, strings)
    ids = {word: n for n, word in enumerate(words)}
    tokens = TokenFile(
        form=form,
        vocabulary=words,
        pieces=[
            TokenPiece(
                name=name,
                rows=[[ids[word] for word in row] for row in found],
                grid=facts.get(name),
            )
            for name, found in strings.items()
        ],
    )
    return Tokenised(tokens=tokens, rows=rows)


def _seed(piece: ScoreFile, score: Score, music21: Music21, *, legacy: bool) -> list[list[str]]:
    if piece.is_midi:
        return seed_strings(Path(piece.source), legacy=legacy, music21=music21)
    return seed_strings(write_midi(score), legacy=legacy, music21=music21)


def _vocabulary(form: Form, strings: dict[str, list[list[str]]]) -> list[str]:
    if form == "events":
        return list(EventVocabulary().strings)
    if form == "grid":
        return list(STRINGS)
    return vocabulary(word for rows in strings.values() for row in rows for word in row)


def _facts(grid: Grid) -> GridFacts:
    return GridFacts(
        per_quarter=grid.per_quarter,
        microseconds=grid.microseconds,
        meter=grid.meter,
        voices=[(voice.part, voice.program, voice.is_drums) for voice in grid.voices],
    )


def token_targets(tokens: TokenFile, target: Path) -> list[tuple[Path, bytes]]:
    """Return the files that hold tokens, and their content.

    Args:
        tokens: what to write.
        target: a file that ends with `.json`, for all; or a folder, for one file per piece and
            `vocabulary.json`.
    """
    if target.suffix.lower() == ".json":
        return [(target, dump_tokens(tokens))]
    alone = [
        (target / _inside(piece.name, ".json"), tokens.model_copy(update={"pieces": [piece]}))
        for piece in tokens.pieces
    ]
    words = tokens.model_copy(update={"pieces": []})
    return [
        *((path, dump_tokens(one)) for path, one in alone),
        (target / "vocabulary.json", dump_tokens(words)),
    ]


def _inside(name: str, suffix: str) -> PurePosixPath:
    """Return a file's name within a folder, whatever the name of the piece is.

    Raises:
        ConfigError: if it would lie outside the folder.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
        raise ConfigError(f"piece {name!r} would be written outside the folder")
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)


def write_tokens(tokens: TokenFile, target: Path, *, force: bool) -> list[str]:
    """Write tokens; every file appears whole or not at all.

    Args:
        tokens: what to write.
        target: see `token_targets`.
        force: write over files that exist.

    Returns:
        The files.

    Raises:
        ConfigError: if a file exists.
        AudioError: if it cannot be written.
    """
    written = []
    for path, data in token_targets(tokens, target):
        write_file(path, data, force=force)
        written.append(str(path))
    return written


def read_tokens(source: Path) -> TokenFile:
    """Read a file of tokens.

    Raises:
        AudioError: if it cannot be read.
    """
    name = f"file {str(source)!r}"
    return load_tokens(limited_bytes(source, name, MAX_TOKEN_BYTES), name)


def scores_of(tokens: TokenFile) -> list[tuple[str, Score]]:
    """Turn tokens back into scores.

    Returns:
        Pairs of name and score.

    Raises:
        ConfigError: if they hold no times, or make no sense.
    """
    if tokens.form == "seed":
        raise ConfigError(
            "form: seed tokens hold no times, so no score can be made of them",
            hint="tokenise with --form events or --form grid",
        )
    return [(piece.name, _score(tokens, piece)) for piece in tokens.pieces]


def _score(tokens: TokenFile, piece: TokenPiece) -> Score:
    try:
        if tokens.form == "events":
            return decode_events([word for row in tokens.strings(piece) for word in row])
        return decode_grid(_grid(tokens, piece))
    except MusicCoreError as error:
        raise ConfigError(
            f"piece {piece.name!r}: {error.message}", hint=error.marked_hint
        ) from error


def _grid(tokens: TokenFile, piece: TokenPiece) -> Grid:
    facts = piece.grid
    if facts is None or len({len(row) for row in piece.rows}) > 1:
        raise ConfigError("its rows are no grid")
    numbers = {word: n for n, word in enumerate(STRINGS)}
    cells = [[numbers.get(word, -1) for word in row] for row in tokens.strings(piece)]
    return Grid(
        cells=np.array(cells, dtype=np.int16).reshape(len(cells), -1),
        voices=tuple(
            GridVoice(part=part, program=program, is_drums=drums)
            for part, program, drums in facts.voices
        ),
        per_quarter=facts.per_quarter,
        microseconds=facts.microseconds,
        meter=facts.meter,
    )


def score_targets(tokens: TokenFile, target: Path) -> list[Path]:
    """Return where the scores of tokens go.

    Args:
        tokens: one piece or several.
        target: a MIDI file for one; a folder for any number.

    Raises:
        ConfigError: if several pieces would go to one file.
    """
    if target.suffix.lower() not in (".mid", ".midi"):
        return [target / _inside(piece.name, ".mid") for piece in tokens.pieces]
    if len(tokens.pieces) != 1:
        raise ConfigError(
            f"out: {len(tokens.pieces)} pieces do not fit into {str(target)!r}",
            hint="name a folder",
        )
    return [target]
