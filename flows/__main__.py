"""`jukeflow`: make music with Jukebox-class models as a durable workflow."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # what is imported here is imported before anything can heed Ctrl-C
if TYPE_CHECKING:
    from collections.abc import Sequence

UNBEGUN = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; those of the process by default.

    Returns:
        The exit code: 0 done, 2 bad request, 3 waiting for a choice, 4 interrupted but resumable,
        5 a codec or program is missing, 6 some files of a batch failed, 130 interrupted before
        anything was begun, 1 anything else.
    """
    if arguments is not None:
        from flows.cli.signals import handlers_kept

        with handlers_kept():
            return _run(arguments)
    try:
        from flows.cli.signals import conclude
        from flows.cli.standard_streams import open_streams, report_lost_signals

        open_streams()
        report_lost_signals()
        code = _run(None)
        conclude()  # the rest is the end of the process
    except KeyboardInterrupt:  # before the command began
        code = UNBEGUN
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from contextlib import suppress

    from flows.cli.output import BadRequest, Exit, complain, talk
    from flows.cli.parser import parser
    from flows.cli.signals import is_interruption
    from musiccore.errors import ConfigError, Gone, MissingProgram, MusicCoreError

    words = sys.argv[1:] if arguments is None else arguments
    options = parser(words[0] if words else None).parse_args(words)
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
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except BaseException as error:
        if options.debug or isinstance(error, SystemExit):
            raise
        if is_interruption(error):
            talk("interrupted")
            return Exit.INTERRUPTED
        if not isinstance(error, Exception):
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
