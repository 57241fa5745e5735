"""`convert`: any audio to any audio, without Prefect, so that it takes a second."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable

from flows.cli.convert_options import conversion_options, with_program
from flows.cli.convert_progress import shown_files
from flows.cli.convert_report import report
from flows.cli.convert_streams import (
    STREAM,
    check_streams,
    to_standard_output,
)
from flows.cli.output import Exit, checking, data, data_json, talk
from musiccore.conversion.batch_convert import (
    Row,
    convert_files,
    find_news,
    memory_of,
    worker_count,
)
from musiccore.conversion.listing import Conversion, Listing, plan_conversions
from musiccore.errors import ConfigError
from musiccore.storage.atomic import check_place
from musiccore.storage.files import STANDARD_INPUT, look, taken
from musiccore.work.stop import Interrupted


def convert(options: Namespace) -> int:
    if options.join or options.stereo:
        from flows.cli.combining import combine

        return combine(options)
    with checking():
        for word, owner in (("crossfade", "join"), ("delays", "stereo")):
            if getattr(options, word) is not None:
                raise ConfigError(f"{word}: it belongs to --{owner}")
        sources, out = _places(options)
        check_streams(sources, out, options)
    if out == STREAM:
        return to_standard_output(sources, options, conversion_options)
    with checking():
        listing = plan_conversions(sources, options.to, out, may_be_empty=options.new)
        kind = listing.conversions[0].kind if listing.conversions else options.to
        how = conversion_options(options, kind)
        worker_count(options.jobs, 1)
        _refuse_taken(listing, options)
        _check_places(listing)
    conversions, memory, notes = listing.conversions, None, listing.notes
    waiting: tuple[Row, ...] = ()
    if options.new:
        memory = memory_of(sources[0], out)
        news = find_news(listing, memory, how, options.quiet_seconds)
        conversions, waiting, notes = news.conversions, news.waiting, (*notes, *news.notes)
    for note in notes:
        talk(note)
    if options.dry_run:
        return _plan(conversions, json=options.json)
    try:
        with shown_files([each.source.place.name for each in conversions]) as watch:
            rows = convert_files(
                conversions,
                with_program(how),
                force=options.force,
                jobs=options.jobs,
                remember=memory,
                watch=watch,
            )
    except (KeyboardInterrupt, Interrupted):
        talk("nothing is there in part; the same command does the rest")
        raise
    return report([*rows, *waiting], single=listing.single, json=options.json)


def _places(options: Namespace) -> tuple[list[str], str]:
    """Return sources and destination; the last of several words is OUT where no --to is given."""
    inputs, out = [*options.inputs, *options.input], options.out or ""
    if options.to is None and not out:
        if len(inputs) != 2:
            raise ConfigError(
                "to: which format is wanted is not said",
                hint="give one file and the name of another, or --to flac",
            )
        out = inputs.pop()
    elif not out and len(inputs) > 1 and inputs[-1] == STREAM:
        out = inputs.pop()
    if options.new and len(inputs) != 1:
        raise ConfigError("new: it takes one folder or pattern", hint="jukeflow convert DIR --new")
    if options.new and out and out != STREAM and not out.endswith("/"):
        out += "/"
    return [STANDARD_INPUT if each == STREAM else each for each in inputs], out


def _refuse_taken(listing: Listing, options: Namespace) -> None:
    """Refuse to leave the one file that was asked for undone."""
    if listing.single and not options.force and not options.new:
        for each in listing.conversions:
            if look(each.target) is not None:
                raise taken(each.target)


def _check_places(listing: Listing) -> None:
    """Refuse to begin where none of the files could be written; one of many is a row that failed.

    Raises:
        ConfigError: if so.
    """
    places = {each.target.parent: each.target for each in listing.conversions}
    problems = []
    for target in places.values():
        try:
            if target.local is not None:
                check_place(target.local)
        except ConfigError as error:
            problems.append(error)
    if problems and len(problems) == len(places):
        raise problems[0]


def _plan(conversions: Iterable[Conversion], *, json: bool) -> int:
    """Say what would become what."""
    rows = [
        {
            "source": str(each.source.place),
            "destination": str(each.target),
            "result": "exists" if look(each.target) is not None else "planned",
        }
        for each in conversions
    ]
    if json:
        data_json({"files": rows})
    else:
        for row in rows:
            data(f"{row['source']} -> {row['destination']}" + _mark(row["result"]))
    return Exit.DONE


def _mark(result: str) -> str:
    return " (exists)" if result == "exists" else ""
