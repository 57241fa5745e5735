"""`midi train`: the recurrent model, from the chorales or any folder of MIDI files."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import BadRequest, Exit, checking, data, data_json, say_odd, talk
from musiccore.errors import ConfigError
from musiccore.scores.score import Reading
from musiccore.storage.atomic import check_place


def train(options: Namespace) -> int:
    from musiccore.composer.assessment import train_composer
    from musiccore.composer.schedule import TrainingOptions

    asked = {
        name: value
        for name in ("minutes", "seed", "steps", "width", "dropout", "unheard")
        if (value := getattr(options, name)) is not None
    }
    with checking():
        wanted = TrainingOptions(**asked)
        reading = Reading(encoding=options.encoding, strict=options.strict)
        check_place(Path(options.out) / "model")
    try:
        result = train_composer(
            options.source,
            options.out,
            wanted,
            options.grid,
            options.voices,
            options.test,
            reading,
            say=talk,
        )
    except ConfigError as error:
        raise BadRequest(error) from error
    if options.json:
        data_json(result)
    else:
        data(options.out)
        talk(
            f"{result['valid']:.4f} nats a note held out; repeating {result['copy']}, "
            f"pairs of notes {result['bigram']}"
        )
        rows = result["rows"]
        assert isinstance(rows, list)
        for row in rows:
            say_odd(row["file"], row["warnings"])
            if not row["used"]:
                talk(f"skipped {row['file']}: {row['how']}")
        if options.test:
            talk(f"of the test chorales, and drawn: {result['test']}")
    return Exit.DONE
