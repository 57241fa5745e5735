"""The words of `batch`, of `plan`, and of budgets of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily, request_options

if TYPE_CHECKING:
    from flows.cli.words import Commands


def batch_command(commands: Commands) -> None:
    """Declare the words of `batch`."""
    words = command(
        commands,
        "batch",
        "make every song of a file, rows of different songs sharing passes of the model",
        "jukeflow batch songs.toml --hours 8",
        lazily("batching", "batch"),
        store=True,
    )
    words.add_argument(
        "file", metavar="FILE", help="[[song]] tables in a .toml file, or a .csv with a header"
    )
    words.add_argument("--name", metavar="TEXT", help="what it is called (the name of the file)")
    words.add_argument(
        "--hours", metavar="H", type=float, help="stop at the last window border before that"
    )


def plan_command(commands: Commands) -> None:
    """Declare the words of `plan`."""
    words = command(
        commands,
        "plan",
        "say what a request costs before anything is spent",
        "jukeflow plan --model nano --seconds 60 --takes 4 --price 0.35",
        lazily("planning", "plan"),
        store=True,
    )
    request_options(words)
    words.add_argument("--price", metavar="P", type=float, help="money per hour of the machine")
    words.add_argument("--currency", metavar="NAME", default="", help="what the price is in")
    words.add_argument("--until", metavar="TIME", help="what fits into 11h40m, 90m or 12h")
    words.add_argument(
        "--calibrate",
        action="store_true",
        help="measure this machine with this model first, for a minute at most; it is remembered",
    )
