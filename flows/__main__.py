"""`jukeflow`: make music with Jukebox-class models as a durable workflow."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

INTERRUPTED = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; those of the process by default.

    Returns:
        The exit code: 0 done, 2 bad request, 3 waiting for a choice, 4 interrupted but resumable,
        5 a codec or program is missing, 6 some files of a batch failed, 1 anything else.
    """
    if arguments is not None:
        return _run(arguments)
    try:
        from flows.cli.streams import open_streams

        open_streams()
        code = _run(None)
    except KeyboardInterrupt:  # before the command began
        code = INTERRUPTED
    for signum in (signal.SIGINT, signal.SIGTERM):  # the rest is the end of the process
        signal.signal(signum, signal.SIG_IGN)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from flows.cli.output import BadRequest, Exit, complain, talk
    from flows.cli.parser import parser
    from musiccore.errors import ConfigError, Gone, MissingProgram, MusicCoreError
    from tasks.stopping import Interrupted

    options = parser().parse_args(arguments)
    try:
        _name_store(getattr(options, "store", None))
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
        if isinstance(error, Gone):
            return Exit.INTERRUPTED
        return Exit.BAD_REQUEST if isinstance(error, ConfigError) else Exit.FAILED
    except (KeyboardInterrupt, Interrupted):
        if options.debug:
            raise
        talk("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as error:
        if options.debug:
            raise
        from flows.serving.passwords import refusal  # which needs half of the network's library

        if (refused := refusal(error)) is not None:
            complain(refused)
            return Exit.BAD_REQUEST
        complain(
            f"{type(error).__name__}: {error}" if str(error) else type(error).__name__,
            hint="this is a fault of the program; run the command again with --debug for details",
        )
        return Exit.FAILED


def _name_store(root: str | None) -> None:
    """Let the rest of the process find the store that was named.

    Raises:
        ConfigError: if the name is empty, which would otherwise count as none.
    """
    from musiccore.errors import ConfigError

    if root is None:
        return
    if not root.strip():
        raise ConfigError("store: the address is empty", hint="for example --store ./runs")
    os.environ["JUKEFLOW_STORE"] = root


if __name__ == "__main__":
    sys.exit(main())
