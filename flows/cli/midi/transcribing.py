"""`midi transcribe`: the melody of a recording as MIDI, without Prefect."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import BadRequest, Exit, checking, data, data_json, talk
from musiccore.errors import AudioError, ConfigError, NotFound
from musiccore.runs.audible import transcribe_source
from musiccore.storage.atomic import check_place
from musiccore.synth.programs import program_of
from tasks.context import shared_store


def transcribe(options: Namespace) -> int:
    with checking():
        program_of(options.program)
        target = Path(options.out).expanduser() if options.out else None
        if target is not None and not target.is_dir() and target.suffix.lower() not in _SUFFIXES:
            raise ConfigError(
                f"out: {str(target)!r} is no MIDI file", hint="end its name with .mid"
            )
        check_place((target or Path()) / "x.mid" if target is None or target.is_dir() else target)
        if target is not None and target.is_file() and not options.force:
            raise ConfigError(f"out: {str(target)!r} exists", hint="use --force to write over it")
    talk("experimental: one voice at a time, best for piano and plucked strings")
    try:
        found = transcribe_source(
            shared_store, options.source, options.take, options.program, strict=options.strict
        )
    except (AudioError, NotFound) as error:
        raise BadRequest(error) from error
    for words in found.warnings:
        talk(words)
    written = found.write(options.out or "", force=options.force)
    if options.json:
        data_json(
            {
                "file": written,
                "notes": found.score.n_notes,
                "seconds": round(found.seconds, 3),
                "experimental": True,
                "warnings": list(found.warnings),
            }
        )
    else:
        talk(f"{found.score.n_notes} notes in {found.seconds:.1f} s")
        data(written)
    return Exit.DONE


_SUFFIXES = (".mid", ".midi")
