"""Building blocks of sub-commands: the common options, and those of a request.

Imports nothing heavy: `jukeflow --help` answers at once.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from importlib import import_module
from textwrap import indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Commands = _SubParsersAction[ArgumentParser]


def lazily(module: str, function: str) -> Callable[[Namespace], int]:
    """Return a handler that imports its module when it is called."""

    def handler(options: Namespace) -> int:
        return int(getattr(import_module(f"flows.cli.{module}"), function)(options))

    return handler


def command(
    commands: Commands,
    name: str,
    about: str,
    example: str,
    handler: Callable[[Namespace], int],
    *,
    store: bool = False,
    json: bool = True,
) -> ArgumentParser:
    command = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=f"example: {example}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    if store:
        command.add_argument(
            "--store", metavar="FOLDER", help="where runs are kept (JUKEFLOW_STORE, ./runs)"
        )
    if json:
        command.add_argument("--json", action="store_true", help="write JSON to standard output")
    command.add_argument("--debug", action="store_true", help="show a traceback on errors")
    command.set_defaults(handler=handler, command=name)
    return command


def helping(words: ArgumentParser) -> Callable[[Namespace], int]:
    """Return a handler for a command that says nothing yet: it prints its help."""

    def handler(options: Namespace) -> int:
        words.print_help()
        return 0

    return handler


def alone_helps(
    words: ArgumentParser, needed: str, handler: Callable[[Namespace], int]
) -> Callable[[Namespace], int]:
    """Return a handler that prints the help where the command stands alone.

    Args:
        words: the command; the argument it needs is optional there.
        needed: name of that argument; without it, other options are an error as ever.
        handler: does the work.
    """

    def helped(options: Namespace) -> int:
        if getattr(options, needed) is not None:
            return handler(options)
        given = vars(options).items()
        if any(value != words.get_default(name) for name, value in given if name != needed):
            words.error(f"the following arguments are required: {needed.upper()}")
        return helping(words)(options)

    return helped


def group(commands: Commands, name: str, about: str, examples: str) -> Commands:
    """Add a command that has sub-commands; alone it prints its help.

    Args:
        commands: where it is added.
        name: of the group.
        about: what it is for, in lower case.
        examples: one command a line.
    """
    words = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog="examples:\n" + indent(examples, "  "),
        formatter_class=RawDescriptionHelpFormatter,
    )
    words.set_defaults(handler=helping(words), command=name, debug=False)
    return words.add_subparsers(title="commands", metavar="COMMAND")


def reading_options(command: ArgumentParser) -> None:
    """Add how scores of other people are read."""
    command.add_argument(
        "--encoding",
        metavar="NAME",
        default="auto",
        help="of texts in MIDI files that are not UTF-8, such as shift_jis or cp1251 (auto)",
    )
    command.add_argument(
        "--strict",
        action="store_true",
        help="refuse what is odd about a score, or audio that is damaged, instead of saying it",
    )


def request_options(command: ArgumentParser) -> None:
    command.add_argument(
        "recipe", nargs="?", metavar="RECIPE.toml", help="a request as a file; options override it"
    )
    request = command.add_argument_group("what to make")
    add = request.add_argument
    add("--model", metavar="NAME", help="a name of `jukeflow models list` (nano)")
    add("--title", metavar="TEXT", help="what you call it")
    add("--artist", metavar="NAME", help="artist the model knows")
    add("--genre", metavar="WORDS", help="genre the model knows")
    add("--lyrics", metavar="TEXT", help="words to sing, for models that sing")
    add("--lyrics-file", metavar="FILE", help="the same from a text file")
    add(
        "--allow-unknown",
        action="store_true",
        default=None,
        help="leave out names and letters that the model does not know, and say which",
    )
    add("--seconds", metavar="S", type=float, help="length of the music")
    add("--total-seconds", metavar="S", type=float, help="length of the song this is the start of")
    add("--takes", metavar="N", type=int, help="variants of the top level")
    add(
        "--choose",
        choices=("first", "best", "all", "wait"),
        help="which take goes on to the end; wait: that which a person chooses",
    )
    add(
        "--primer",
        metavar="FILE",
        help="what the music continues: audio of any format that `convert` reads, or a score",
    )
    add("--primer-seconds", metavar="S", type=float, help="how much of the primer is used")
    add(
        "--primer-compose",
        metavar="KEY",
        nargs="?",
        const="",
        help="compose the primer, in a key such as `A minor` if you like",
    )
    add("--primer-tempo", metavar="BPM", type=float, help="of the composed primer (84)")
    sampling = command.add_argument_group("how to sample")
    add = sampling.add_argument
    add("--seed", metavar="N", type=int, help="same seed, same music")
    add("--temperature", metavar="T[,T,T]", help="one, or one per level, bottom level first")
    add("--top-k", metavar="K", type=int, help="only the K likeliest codes (0: all)")
    add("--top-p", metavar="P", type=float, help="only the likeliest codes up to P (1: all)")
    add("--window-hop", metavar="N,N,N", help="codes between windows, bottom level first")
    add("--max-batch", metavar="N,N,N", help="takes per pass, bottom level first")


def consent_options(command: ArgumentParser) -> None:
    command.add_argument(
        "--take-over",
        action="store_true",
        help="claim the run although another worker seems to be at work on it",
    )
    command.add_argument(
        "--accept-different-numerics",
        action="store_true",
        help="continue on a machine that computes slightly different numbers; it is recorded",
    )


def budget_options(command: ArgumentParser) -> None:
    """Declare the budget of a session."""
    command.add_argument(
        "--until",
        metavar="TIME",
        help="stop at the last window border before 11h40m, 90m or 12h from now are over",
    )
