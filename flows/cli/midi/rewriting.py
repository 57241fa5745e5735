"""`midi convert`: a score from one form to another, without Prefect."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import BadRequest, Exit, checking, data, data_json, say_odd, talk
from musiccore.errors import AudioError, ConfigError, MusicCoreError
from musiccore.scores.midi import SUFFIXES
from musiccore.scores.notation import Music21
from musiccore.scores.score import Reading, Score
from musiccore.scores.score_files import ScoreFile, check_written, find_scores, write_score
from musiccore.storage.atomic import same_file


def convert(options: Namespace) -> int:
    out = Path(options.out).expanduser()
    with checking():
        pieces = _pieces(options)
        alone = len(pieces) == 1
        targets = (
            [out] if alone else [out / f"{number + 1:03d}.mid" for number in range(len(pieces))]
        )
        if alone:
            check_written(out)
        _check_targets(targets, options)
    rows: list[dict[str, object]] = []
    with Music21() as music21:
        for piece, target in zip(pieces, targets, strict=True):
            row: dict[str, object] = {"source": piece.name, "destination": str(target)}
            try:
                score = _read(piece, music21, options)
            except MusicCoreError as error:
                if alone:
                    raise BadRequest(error) from error
                talk(f"{piece.name}: failed: {error.message}")
                rows.append({**row, "result": "failed", "notes": None, "error": error.message})
                continue
            write_score(target, score, force=options.force, music21=music21)
            say_odd(piece.name, score.warnings)
            talk(f"{piece.name}: {score.n_notes} notes, {score.seconds:.1f} s")
            rows.append({**row, "result": "written", "notes": score.n_notes, "error": None})
            rows[-1]["warnings"] = list(score.warnings)
            if not options.json:
                data(str(target))
    failed = sum(row["result"] == "failed" for row in rows)
    if options.json:
        data_json({"files": rows, "written": len(rows) - failed, "failed": failed})
    if not failed:
        return Exit.DONE
    return Exit.BAD_REQUEST if failed == len(rows) else Exit.PARTIAL


def _pieces(options: Namespace) -> list[ScoreFile]:
    """Return the piece, or the tunes of a book that go into a folder.

    Raises:
        ConfigError: if it is not said which of several pieces is meant.
    """
    if Path(options.source).expanduser().is_dir():
        raise ConfigError(f"source: {options.source!r} is a folder", hint="name one score")
    pieces = find_scores([options.source])
    if options.tune is not None:
        if not 1 <= options.tune <= len(pieces):
            raise ConfigError(f"tune is {options.tune}; {options.source!r} holds {len(pieces)}")
        return [pieces[options.tune - 1]]
    if len(pieces) > 1 and Path(options.out).suffix:
        raise ConfigError(
            f"tune: {options.source!r} is a book of {len(pieces)} tunes",
            hint="say which with --tune, or name a folder for all of them",
        )
    return pieces


def _check_targets(targets: list[Path], options: Namespace) -> None:
    for target in targets:
        if same_file(Path(options.source), target):
            raise ConfigError(
                f"out: {str(target)!r} is the source itself", hint="choose another name"
            )
        if target.exists() and not options.force:
            raise ConfigError(f"out: {str(target)!r} exists", hint="use --force to write over it")


def _read(piece: ScoreFile, music21: Music21, options: Namespace) -> Score:
    reading = Reading(encoding=options.encoding, strict=options.strict)
    score = piece.read(music21, repeats=not options.no_repeats, reading=reading)
    if not score.n_notes and Path(options.out).suffix.lower() not in SUFFIXES:
        raise AudioError(f"score {piece.source!r} holds no notes")
    return score
