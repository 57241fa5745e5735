"""The words of `compose`, `choose`, `tree` and `purge`. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import budget_options, command, consent_options, lazily, request_options

if TYPE_CHECKING:
    from flows.cli.words import Commands


def add_commands(commands: Commands) -> None:
    """Declare the words of these commands."""
    words = command(
        commands,
        "compose",
        "make takes of the top level and let you choose; ends with exit code 3 until you do",
        "jukeflow compose --takes 4 --seconds 8 --artist bach --genre 'piano minor'",
        lazily("making", "compose"),
        store=True,
    )
    request_options(words)
    words.add_argument("--run", metavar="ID", help="name of the run (default: made from title)")
    words.add_argument(
        "--after",
        metavar="H",
        help="with --choose first, best or all: a person has so many hours first, such as 12h",
    )
    consent_options(words)
    budget_options(words)
    _choose(commands)
    words = command(
        commands,
        "tree",
        "draw the takes of a run and how they came about",
        "jukeflow tree bach-20260101-a1b2",
        lazily("choosing", "tree"),
        store=True,
    )
    words.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")
    words = command(
        commands,
        "purge",
        "show what removing dropped takes would free; with --yes, remove them for good",
        "jukeflow purge bach-20260101-a1b2",
        lazily("choosing", "purge"),
        store=True,
    )
    words.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")
    words.add_argument("--yes", action="store_true", help="really remove them")


def _choose(commands: Commands) -> None:
    words = command(
        commands,
        "choose",
        "write down what happens next with a take; nothing is lost by choosing differently later",
        "jukeflow choose bach-20260101-a1b2 --take 2 --continue 4s",
        lazily("choosing", "choose"),
        store=True,
    )
    words.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")
    words.add_argument(
        "--take", metavar="T", type=int, action="append", help="which take; may be repeated"
    )
    what = words.add_argument_group("what happens (keep, if nothing is said)")
    add = what.add_mutually_exclusive_group().add_argument
    add("--keep", action="store_true", help="keep the takes; brings a dropped one back")
    add("--drop", action="store_true", help="put the takes aside")
    add("--continue", metavar="S", dest="continue_", help="go on from the take by so much: 4s")
    add("--more", action="store_true", help="more like the take: same beginning, other endings")
    add("--again", action="store_true", help="new takes in the place of this round's")
    add("--back", action="store_true", help="step back to the round before")
    add("--cut", metavar="RANGE", help="a new take that is a stretch of this one: 0:04-0:09")
    add("--splice", metavar="PARTS", help="a new take out of stretches: 3@0:00-0:04+5@0:04-0:09")
    add("--audition", metavar="RANGE", help="hear a stretch at full quality first: 0:00-0:06")
    add("--upsample", action="store_true", help="send the takes to upsampling")
    add("--redo", metavar="RANGE", help="make a stretch of the finished song again: 0:31-0:34")
    more = words.add_argument_group("details")
    add = more.add_argument
    add("--count", metavar="N", type=int, help="how many new takes (as at the beginning)")
    add("--copies", metavar="N", type=int, default=1, help="how many different upsamplings (1)")
    add("--anew", action="store_true", help="upsample: sample all, keep nothing of a shorter song")
    add("--song", metavar="N", type=int, help="which finished song to redo (the take's newest)")
    add("--artist", metavar="NAME", help="artist for what follows")
    add("--genre", metavar="WORDS", help="genre for what follows")
    add("--lyrics", metavar="TEXT", help="words for what follows")
    add("--lyrics-file", metavar="FILE", help="the same from a text file")
    add("--temperature", metavar="T", type=float, help="temperature for what follows")
    add("--top-k", metavar="K", type=int, help="top k for what follows")
    add("--top-p", metavar="P", type=float, help="top p for what follows")
    add("--total-seconds", metavar="S", type=float, help="length of the piece for what follows")
    add("--name", metavar="TEXT", help="call the take this")
    add("--note", metavar="TEXT", help="write this beside the take")
    add("--stars", metavar="N", type=int, help="give the take 0 to 5 stars")
    how = words.add_argument_group("how")
    add = how.add_argument
    add("--round", metavar="R", type=int, help="the round you answer (that of the take)")
    add("--seen", metavar="K", type=int, help="number of the last choice you knew of (all)")
    add("--branch", action="store_true", help="although somebody chose otherwise: keep both")
    add("--who", metavar="NAME", default="", help="your name, kept beside the choice")
    add("--go", action="store_true", help="also do the work, here and now")
    consent_options(words)
