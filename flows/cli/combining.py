"""`convert --join` and `convert --stereo`: several files into one."""

from __future__ import annotations

from argparse import Namespace

from flows.cli.convert_options import conversion_options, with_program
from flows.cli.convert_progress import shown_files
from flows.cli.convert_report import report
from flows.cli.output import Exit, checking, data, data_json, numbers
from musiccore.conversion.batch_combine import Joining, Siding, combine_files, plan_combination
from musiccore.errors import ConfigError
from musiccore.timecode import parse_seconds


def combine(options: Namespace) -> int:
    with checking():
        inputs, out = [*options.inputs, *options.input], options.out or ""
        if not out and len(inputs) > 1:
            out = inputs.pop()
        if not out or not inputs:
            raise ConfigError(
                "out: the file to make is not named",
                hint="jukeflow convert --join a.wav b.wav both.flac",
            )
        for word in ("new", "jobs"):
            if getattr(options, word):
                raise ConfigError(f"{word}: it has no meaning where one file is made")
        asked = plan_combination(inputs, options.to, out, _how(options), force=options.force)
        how = conversion_options(options, asked.kind)
    if options.dry_run:
        source = " + ".join(str(found.place) for found in asked.sources)
        planned = {"source": source, "destination": str(asked.target), "result": "planned"}
        if options.json:
            data_json({"files": [planned]})
        else:
            data(f"{source} -> {asked.target}")
        return Exit.DONE
    with shown_files([asked.target.name]) as watch:
        row = combine_files(asked, with_program(how), force=options.force, watch=watch)
    return report([row], single=True, json=options.json)


def _how(options: Namespace) -> Joining | Siding:
    if options.stereo:
        if options.crossfade is not None:
            raise ConfigError("crossfade: it belongs to --join, not to --stereo")
        return Siding(delays=numbers(options.delays, "delays") if options.delays else ())
    if options.delays is not None:
        raise ConfigError("delays: they belong to --stereo, not to --join")
    text = options.crossfade
    return Joining(crossfade=0.0 if text is None else parse_seconds(text, "crossfade"))
