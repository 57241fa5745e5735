"""Scores to tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect.client.schemas.objects import State

from musiccore.errors import AudioError
from musiccore.scores.score import Reading
from musiccore.scores.tokenise import TokenRow
from tasks.artifacts import show_table
from tasks.midi import list_scores, tokenise_scores, write_tokens
from tasks.outcome import outcome, rows_flow
from tasks.story import tell


@rows_flow(name="midi-tokenise", flow_run_name="tokenise-{form}")
def midi_tokenise(
    source: str,
    form: Literal["seed", "events", "grid"] = "events",
    destination: str = "",
    steps: Literal[1, 2, 4] = 4,
    legacy: bool = False,
    force: bool = False,
    encoding: str = "auto",
    strict: bool = False,
) -> list[TokenRow] | State[list[TokenRow]]:
    """Turn a score, or every one of a folder, into tokens that a model can learn from.

    A score that cannot be read is a row that says so; the others are written.

    Args:
        source: a folder with everything below it, or one score, on the machine that does the work.
        form: events hold all of the music in time, grid holds voices in steps, seed holds the names
            of notes and chords without time.
        destination: a .json file for all, or a folder for one file per score; empty writes
            tokens-events.json (or -seed, -grid) into the folder.
        steps: of a quarter note, for the grid; 4 are 16th notes.
        legacy: for the seed; the first part of the first three MIDI files alone.
        force: write over what is there already.
        encoding: of texts in MIDI files that are not UTF-8, such as shift_jis; auto finds it out.
        strict: refuse what is odd about a score, instead of saying it.

    Returns:
        One row per score: how many tokens it became, or what is wrong with it.
    """
    pieces = list_scores([source], legacy)
    reading = Reading(encoding=encoding, strict=strict)
    made = tokenise_scores(pieces, form, steps, legacy, reading)
    if made.tokens.pieces:
        write_tokens(made.tokens, _target(source, form, destination), force)
    n = len(made.rows)
    tell(f"{n} score{'s' * (n != 1)}, {n - made.failed} became tokens, {made.failed} failed.")
    show_table(made.rows, key="tokenised", description="What became tokens, and how it ended.")
    if not made.failed:
        return made.rows
    first = next(row["error"] for row in made.rows if row["error"])
    total = len(made.rows)
    if made.failed == total:
        raise AudioError(f"{made.failed} of {total} scores failed; the first: {first}")
    return outcome(made.rows, failed=made.failed, total=total, what="scores", first=str(first))


def _target(source: str, form: str, destination: str) -> Path:
    if destination:
        return Path(destination).expanduser()
    path = Path(source).expanduser()
    return (path if path.is_dir() else path.parent) / f"tokens-{form}.json"
