"""`midi render`: scores to sound, without Prefect, so that it takes seconds."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.converting import finish
from flows.cli.output import checking
from musiccore.errors import ConfigError
from tasks.rendering import render_file, scores


def render(options: Namespace) -> int:
    with checking():
        wanted = scores.fn(options.source, options.out or "")
        if len(wanted) == 1 and Path(wanted[0][1]).exists() and not options.force:
            raise ConfigError(f"out: {wanted[0][1]!r} exists", hint="use --force to write over it")
    return finish(
        (render_file.fn(score, audio, options.force) for score, audio in wanted), json=options.json
    )
