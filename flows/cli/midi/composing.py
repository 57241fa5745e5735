"""`midi compose`: pieces of the recurrent model, without Prefect, so that it takes seconds."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import BadRequest, Exit, checking, data, data_json, say_odd, talk
from musiccore.composer import ComposeOptions
from musiccore.composer.midi_files import compose_file, given_score, targets, variants
from musiccore.errors import CheckpointError, ConfigError
from musiccore.scores.score import Reading, Score
from musiccore.storage.atomic import check_place


def compose(options: Namespace) -> int:
    with checking():
        reading = Reading(encoding=options.encoding, strict=options.strict)
        asked = ComposeOptions(
            seed=options.seed,
            seconds=options.seconds,
            bars=options.bars,
            key=options.key,
            mode=options.mode,
            tempo=options.tempo,
            temperature=options.temperature,
            top_p=options.top_p,
            parallels=options.parallels,
            instruments=options.instruments,
            continued=_given(options.continued, reading),
            harmonised=_given(options.harmonise, reading),
            model=Path(options.model).expanduser() if options.model else None,
            title=options.title,
        )
        files = targets(options.out or "", options.seed, options.count)
        for file in files:
            check_place(file)
        there = [str(file) for file in files if file.exists()]
        if there and not options.force:
            raise ConfigError(f"out: {there[0]!r} exists", hint="use --force to write over it")
    rows = []
    for each, file in zip(variants(asked, options.count), files, strict=True):
        try:
            row = compose_file(each, str(file), force=options.force)
        except (ConfigError, CheckpointError) as error:
            raise BadRequest(error) from error
        rows.append(row)
        if not options.json:
            data(str(file))
            ending = "" if row["cadence"] is not False else "; no cadence was found near its end"
            talk(f"{row['key']}, {row['seconds']} s, {row['notes']} notes{ending}")
    if options.json:
        data_json({"files": rows})
    return Exit.DONE


def _given(source: str | None, reading: Reading) -> Score | None:
    score = given_score(source or "", reading)
    if score is not None:
        say_odd(str(source), score.warnings)
    return score
