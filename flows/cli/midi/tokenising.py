"""`midi tokenise` and `midi detokenise`: scores to tokens and back, without Prefect."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import Exit, checking, complain, data, data_json, say_odd, talk
from musiccore.errors import ConfigError
from musiccore.scores.midi import write_midi
from musiccore.scores.score import Reading
from musiccore.scores.score_files import write_score
from musiccore.scores.tokenise import (
    Tokenised,
    list_scores,
    read_tokens,
    score_targets,
    scores_of,
    tokenise_scores,
    write_tokens,
)
from musiccore.scores.tokens import TokenFile


def tokenise(options: Namespace) -> int:
    with checking():
        _check(options)
        pieces = list_scores(options.sources, options.legacy)
        reading = Reading(encoding=options.encoding, strict=options.strict)
    made = tokenise_scores(pieces, options.form, options.steps, options.legacy, reading)
    for row in made.rows:
        say_odd(row["source"], row["warnings"])
        if row["error"] is not None and len(made.rows) > 1:
            talk(f"{row['source']}: failed: {row['error']}")
    if made.failed == len(made.rows):
        complain(
            str(made.rows[0]["error"])
            if made.failed == 1
            else f"none of the {made.failed} scores could be read"
        )
    written: list[str] = []
    if options.out and made.tokens.pieces:
        written = write_tokens(made.tokens, Path(options.out), force=options.force)
    _tell(made, written, options)
    if made.failed == len(made.rows):
        return Exit.BAD_REQUEST
    return Exit.PARTIAL if made.failed else Exit.DONE


def _check(options: Namespace) -> None:
    """Refuse what cannot be done, before anything is read.

    Raises:
        ConfigError: naming the option that is wrong.
    """
    if options.legacy and options.form != "seed":
        raise ConfigError("legacy belongs to --form seed", hint="add --form seed")
    out = Path(options.out) if options.out else None
    if out is not None and out.suffix.lower() == ".json" and out.exists() and not options.force:
        raise ConfigError(f"out: {str(out)!r} exists", hint="use --force to write over it")


def _tell(made: Tokenised, written: list[str], options: Namespace) -> None:
    total = sum(row["tokens"] or 0 for row in made.rows)
    if options.json:
        told: dict[str, object] = {
            "files": made.rows,
            "done": len(made.rows) - made.failed,
            "failed": made.failed,
            "tokens": total,
        }
        data_json(told | ({"written": written} if options.out else made.tokens.plain()))
        return
    if options.out:
        for path in written:
            data(path)
    else:
        _print(made.tokens)
    if made.failed < len(made.rows):
        talk(
            f"{len(made.rows) - made.failed} scores, {total} tokens, "
            f"vocabulary of {len(made.tokens.vocabulary)}"
        )


def _print(tokens: TokenFile) -> None:
    """Print a line per row: name of the piece, a tab, its tokens."""
    for piece in tokens.pieces:
        for row in tokens.strings(piece):
            data(f"{piece.name}\t{' '.join(row)}")


def detokenise(options: Namespace) -> int:
    with checking():
        tokens = read_tokens(Path(options.source))
        made = scores_of(tokens)
        targets = score_targets(tokens, Path(options.out))
        for target in targets:
            if target.exists() and not options.force:
                raise ConfigError(f"out: {str(target)!r} exists", hint="use --force to overwrite")
        for _, score in made:
            write_midi(score)  # all of them can be written, or none is
    for (name, score), target in zip(made, targets, strict=True):
        write_score(target, score, force=options.force)
        talk(f"{name}: {score.n_notes} notes, {score.seconds:.1f} s")
        if not options.json:
            data(str(target))
    if options.json:
        rows = [
            {"source": name, "destination": str(target), "notes": score.n_notes}
            for (name, score), target in zip(made, targets, strict=True)
        ]
        data_json({"files": rows, "written": len(rows)})
    return Exit.DONE
