"""`midi roll`: a score as a picture."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import Exit, checking, data, data_json, say_odd
from musiccore.errors import ConfigError
from musiccore.scores.score import Reading
from musiccore.scores.score_files import named_after, open_score
from musiccore.storage.atomic import write_file


def roll(options: Namespace) -> int:
    from musiccore.pages.figures import piano_roll

    with checking():
        target = (
            Path(options.out).expanduser() if options.out else named_after(options.source, "png")
        )
        if target.suffix.lower() != ".png":
            raise ConfigError(f"out: {str(target)!r} is no PNG file", hint="end its name with .png")
        if target.exists() and not options.force:
            raise ConfigError(f"out: {str(target)!r} exists", hint="use --force to write over it")
        reading = Reading(encoding=options.encoding, strict=options.strict)
        score, _ = open_score(options.source, reading)
        say_odd(options.source, score.warnings)
        if not score.n_notes:
            raise ConfigError(f"source: {options.source!r} holds no notes")
    write_file(target, piano_roll(score), force=options.force)
    if options.json:
        data_json({"file": str(target), "notes": score.n_notes, "seconds": round(score.seconds, 3)})
    else:
        data(str(target))
    return Exit.DONE
