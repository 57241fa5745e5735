"""`midi render`: scores to sound, without Prefect, so that it takes seconds."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import Exit, checking, complain, data, data_json, talk
from musiccore.errors import ConfigError
from musiccore.scores.score import Reading
from musiccore.storage.atomic import check_place
from musiccore.synth.render import Rendering, plan_rendering, render_file
from tasks.settings import process_settings

_CODES = {
    "request": Exit.BAD_REQUEST,
    "score": Exit.BAD_REQUEST,
    "program": Exit.MISSING_CODEC,
    "output": Exit.FAILED,
}


def render(options: Namespace) -> int:
    with checking():
        wanted = plan_rendering(options.source, options.out or "", options.to or "wav")
        for _, audio in wanted:
            check_place(Path(audio))
        if len(wanted) == 1 and Path(wanted[0][1]).exists() and not options.force:
            raise ConfigError(f"out: {wanted[0][1]!r} exists", hint="use --force to write over it")
        rendering = _rendering(options)
    here = process_settings()
    rendering = rendering.on(library=here.fluidsynth, soundfont=here.soundfont)
    player = rendering.player()
    if player.reason:
        talk(f"played on our own instruments: {player.reason}")
    rows = []
    for score, audio in wanted:
        row = render_file(score, audio, rendering, force=options.force)
        rows.append(row)
        _tell(row, alone=len(wanted) == 1, json=options.json)
    return _end(rows, json=options.json)


def _rendering(options: Namespace) -> Rendering:
    """Read how to play.

    Raises:
        ConfigError: naming the option that is wrong.
    """
    loudness = options.loudness
    try:
        wanted = None if loudness == "keep" else float(loudness)
    except ValueError as error:
        raise ConfigError(
            f"loudness is {loudness!r}; it must be a number of LUFS, or keep"
        ) from error
    return Rendering(
        engine=options.engine,
        soundfont=options.soundfont or "",
        sample_rate=options.sample_rate,
        loudness=wanted,
        transpose=options.transpose,
        tempo_scale=options.tempo_scale,
        program=options.program or "",
        reading=Reading(encoding=options.encoding, strict=options.strict),
    )


def _tell(row: dict[str, object], *, alone: bool, json: bool) -> None:
    if row["result"] == "failed":
        if alone:
            complain(str(row["error"]))
        else:
            talk(f"{row['source']}: failed: {row['error']}")
        return
    words = "exists, left alone" if row["result"] == "exists" else f"done, {row['seconds']} s"
    notes = f" ({row['notes']})" if row["notes"] else ""
    talk(f"{row['source']}: {words}{notes}")
    if not json and row["result"] == "written":
        data(str(row["destination"]))


def _end(rows: list[dict[str, object]], *, json: bool) -> int:
    counts = {
        word: sum(row["result"] == word for row in rows) for word in ("written", "exists", "failed")
    }
    if json:
        data_json({"files": rows, **counts})
    elif len(rows) > 1:
        talk(", ".join(f"{number} {word}" for word, number in counts.items() if number))
    if not counts["failed"]:
        return Exit.DONE
    return Exit.PARTIAL if len(rows) > 1 else _CODES[str(rows[0]["cause"])]
