"""Files of tokens: JSON with the form, the vocabulary and every piece by itself."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from musiccore.errors import AudioError

Form = Literal["seed", "events", "grid"]

_Ids = list[Annotated[int, Field(ge=0)]]


class GridFacts(BaseModel):
    """What decoding a grid needs beside its cells."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_quarter: int
    microseconds: int
    meter: tuple[int, int]
    voices: list[tuple[int, int, bool]]
    """Part, program, and whether it is percussion; one per row."""


class TokenPiece(BaseModel):
    """The tokens of one piece.

    Attributes:
        name: of the piece, or of its file within the folder.
        rows: ids: of `seed` one row per part, of `grid` one per voice, of `events` one.
        grid: of a grid alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    rows: list[_Ids]
    grid: GridFacts | None = None


class TokenFile(BaseModel):
    """Pieces in one form, with the vocabulary that their ids count in.

    Attributes:
        jukeflow_tokens: version of this format.
        form: `seed`, `events` or `grid`.
        vocabulary: strings; the id of one is its index.
        pieces: each by itself: nothing runs over from one to the next.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    jukeflow_tokens: Literal[1] = 1
    form: Form
    vocabulary: list[str]
    pieces: list[TokenPiece]

    def strings(self, piece: TokenPiece) -> list[list[str]]:
        """Return the rows of a piece as strings."""
        return [[self.vocabulary[token] for token in row] for row in piece.rows]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return self.model_dump(exclude_none=True)


def dump_tokens(tokens: TokenFile) -> bytes:
    """Write a file of tokens."""
    return json.dumps(tokens.plain(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def load_tokens(data: bytes, name: str = "tokens") -> TokenFile:
    """Read a file of tokens.

    Raises:
        AudioError: if it is none, or an id is outside its vocabulary.
    """
    try:
        tokens = TokenFile.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "it"
        raise AudioError(
            f"{name} is no file of tokens: {place}: {first['msg']}",
            hint="`jukeflow midi tokenise` writes such files",
        ) from error
    for piece in tokens.pieces:
        last = max((max(row, default=0) for row in piece.rows), default=0)
        if any(piece.rows) and last >= len(tokens.vocabulary):
            raise AudioError(
                f"{name}: piece {piece.name!r} has the id {last}, and the vocabulary ends at "
                f"{len(tokens.vocabulary) - 1}"
            )
    return tokens
