"""`jukeflow`: make music with Jukebox-class models as a durable workflow."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from flows.cli.output import BadRequest, Exit, complain, talk
from flows.cli.parser import parser
from flows.serving.passwords import refusal
from musiccore.errors import ConfigError, MissingProgram, MusicCoreError
from tasks.stopping import Interrupted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; those of the process by default.

    Returns:
        The exit code: 0 done, 2 bad request, 3 waiting for a choice, 4 interrupted but resumable,
        5 a codec or program is missing, 6 some files of a batch failed, 1 anything else.
    """
    options = parser().parse_args(arguments)
    if getattr(options, "store", None) is not None:
        os.environ["JUKEFLOW_STORE"] = options.store
    try:
        return int(options.handler(options))
    except BadRequest as bad:
        if options.debug:
            raise
        complain(bad.error)
        return Exit.BAD_REQUEST
    except MusicCoreError as error:
        if options.debug:
            raise
        complain(error)
        if isinstance(error, MissingProgram):
            return Exit.MISSING_CODEC
        return Exit.BAD_REQUEST if isinstance(error, ConfigError) else Exit.FAILED
    except (KeyboardInterrupt, Interrupted):
        if options.debug:
            raise
        talk("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as error:
        if options.debug:
            raise
        if (refused := refusal(error)) is not None:
            complain(refused)
            return Exit.BAD_REQUEST
        complain(
            f"{type(error).__name__}: {error}" if str(error) else type(error).__name__,
            hint="this is a fault of the program; run the command again with --debug for details",
        )
        return Exit.FAILED


if __name__ == "__main__":
    sys.exit(main())
