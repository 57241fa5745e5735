"""The words of the command line. Imports nothing heavy: `jukeflow --help` answers at once."""

from __future__ import annotations

from argparse import Action, ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from importlib import import_module
from typing import TYPE_CHECKING

from flows.cli.words import (
    alone_helps,
    budget_options,
    command,
    consent_options,
    group,
    helping,
    lazily,
    request_options,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from flows.cli.words import Commands

_EPILOG = """\
A first song:           jukeflow generate --model nano --seconds 12
Continue after a kill:  jukeflow resume
What it would cost:     jukeflow plan --model nano --seconds 60
Everything in Prefect:  jukeflow serve
Options, an example:    jukeflow COMMAND --help

exit codes: 0 done, 2 bad request, 3 waiting for a choice, 4 interrupted but resumable,
            5 a codec or program is missing, 6 some files of a batch failed, 1 other
"""


class _Version(Action):
    """Prints the version, which is looked up when somebody asks for it."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"jukeflow {version('jukeflow')}")
        except PackageNotFoundError:
            print("jukeflow 0 (not installed)")
        parser.exit()


def parser(first: str | None = None) -> ArgumentParser:
    """Return the parser of the command line.

    Args:
        first: word of the command line; where it names a command, only that one is built.
    """
    top = ArgumentParser(
        prog="jukeflow",
        description=(
            "Make music with Jukebox-class models: nothing finished is ever lost,\n"
            "and the same request gives the same codes."
        ),
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )
    top.set_defaults(handler=helping(top), debug=False)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    named = [declare for names, declare in _COMMANDS if first in names]
    for declare in named or [declare for _, declare in _COMMANDS]:
        declare(commands)
    return top


def option_names() -> frozenset[str]:
    """Return every long option there is, of any command."""
    found: set[str] = set()
    waiting = [parser()]
    while waiting:
        for action in waiting.pop()._actions:
            found.update(name for name in action.option_strings if name.startswith("--"))
            if isinstance(action, _SubParsersAction):
                waiting.extend(action.choices.values())
    return frozenset(found)


def _generate(commands: Commands) -> None:
    words = command(
        commands,
        "generate",
        "make a whole song unattended",
        "jukeflow generate --model nano --seconds 12 --seed 1 --genre 'piano minor'",
        lazily("making", "generate"),
        store=True,
    )
    request_options(words)
    words.add_argument("--formats", metavar="F,F", help="files to write: wav,flac,mp3")
    words.add_argument("--run", metavar="ID", help="name of the run (default: made from title)")
    budget_options(words)


def _upsample(commands: Commands) -> None:
    words = command(
        commands,
        "upsample",
        "take a run's chosen take down to level 0 and deliver it",
        "jukeflow upsample bach-20260101-a1b2 --take 2",
        lazily("making", "upsample"),
        store=True,
    )
    words.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")
    words.add_argument("--take", metavar="N", type=int, help="send this take to upsampling")
    words.add_argument("--copies", metavar="N", type=int, default=1, help="how many upsamplings")
    words.add_argument(
        "--again",
        dest="anew",
        action="store_true",
        help="of a longer take sample all again (what its shorter song has is kept)",
    )
    consent_options(words)
    budget_options(words)


def _resume(commands: Commands) -> None:
    words = command(
        commands,
        "resume",
        "continue what is unfinished in the store",
        "jukeflow resume",
        lazily("making", "resume"),
        store=True,
    )
    words.add_argument("run", nargs="?", metavar="RUN", help="one run (default: every one)")
    consent_options(words)
    budget_options(words)


def _runs(commands: Commands) -> None:
    command(
        commands,
        "runs",
        "list the runs in the store",
        "jukeflow runs",
        lazily("inspecting", "runs"),
        store=True,
    )


def _show(commands: Commands) -> None:
    words = command(
        commands,
        "show",
        "show one run: state, levels, files",
        "jukeflow show bach-20260101-a1b2 --json",
        lazily("inspecting", "show"),
        store=True,
    )
    words.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")


def _verify(commands: Commands) -> None:
    words = command(
        commands,
        "verify",
        "read every byte of a run again and compare it with its digest",
        "jukeflow verify bach-20260101-a1b2",
        lazily("inspecting", "verify"),
        store=True,
    )
    words.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")
    words.add_argument(
        "--repair",
        action="store_true",
        help="go back to the last sound record; what is damaged is set aside, nothing is deleted",
    )
    words.add_argument(
        "--take-over",
        action="store_true",
        help="repair it although another worker seems to be at work on it",
    )


def _explain(commands: Commands) -> None:
    words = command(
        commands,
        "explain",
        "print how a file was made, and every tag in it",
        "jukeflow explain song.mp3",
        lazily("explaining", "explain"),
    )
    words.add_argument("file", metavar="FILE", help="any audio or MIDI file; - is standard input")
    words.add_argument(
        "--tag-encoding",
        metavar="NAME",
        help="of old tags that say none: shift_jis, gbk, cp1251, ..., or auto (UTF-8 or Latin-1)",
    )


def _doctor(commands: Commands) -> None:
    command(
        commands,
        "doctor",
        "report on this machine, the store and the models",
        "jukeflow doctor",
        lazily("doctor", "doctor"),
        store=True,
    )


def _models(commands: Commands) -> None:
    inner = group(
        commands,
        "models",
        "say which models there are, and whether their weights are here",
        "jukeflow models list\njukeflow models list --json",
    )
    command(
        inner,
        "list",
        "list the models, and whether their weights are here",
        "jukeflow models list",
        lazily("doctor", "models_list"),
    )


def _parity(commands: Commands) -> None:
    words = command(
        commands,
        "parity",
        "compare our model with recorded numbers of the published one",
        "jukeflow parity tests/golden",
        lazily("laboratory", "parity"),
    )
    words.add_argument("folder", metavar="DIR", help="golden cases, or tables of tensors")


def _evaluate(commands: Commands) -> None:
    words = command(
        commands,
        "evaluate",
        "measure a model from its weights and compare it with its gates",
        "jukeflow evaluate nano --json",
        lazily("laboratory", "evaluate"),
    )
    words.add_argument("model", metavar="MODEL", choices=("nano",), help="nano")
    words.add_argument("--weights", metavar="DIR", help="other weights than the embedded ones")
    words.add_argument(
        "--bigram-pieces",
        metavar="N",
        type=int,
        help="training pieces for the bigram baseline (all); fewer make a weaker one, quickly",
    )


def _train(commands: Commands) -> None:
    words = command(
        commands,
        "train",
        "train a model from its data; continues where it stopped",
        "jukeflow train nano --folder training",
        lazily("laboratory", "train"),
        json=False,
    )
    words.set_defaults(handler=alone_helps(words, "model", lazily("laboratory", "train")))
    words.add_argument("model", nargs="?", metavar="MODEL", choices=("nano",), help="nano")
    words.add_argument(
        "--folder", metavar="DIR", default="training", help="where data and checkpoints lie"
    )
    words.add_argument("--out", metavar="DIR", default="training/nano", help="where the weights go")
    words.add_argument(
        "--stage", metavar="STAGE", help="only data, codec, polish, encode, prior, or export"
    )
    words.add_argument("--level", metavar="L", type=int, help="only this level of the stage")
    words.add_argument(
        "--shorten", metavar="N", type=int, default=1, help="divide every number of steps: rehearse"
    )


def _serve(commands: Commands) -> None:
    words = command(
        commands,
        "serve",
        "start Prefect, every flow and the listening room on this machine",
        "jukeflow serve --store runs",
        lazily("serving", "serve"),
        store=True,
    )
    words.add_argument("--port", metavar="N", type=int, default=4200, help="of Prefect (4200)")
    words.add_argument(
        "--room-port", metavar="N", type=int, default=4300, help="of the listening room (4300)"
    )
    words.add_argument(
        "--gpu-limit", metavar="N", type=int, default=1, help="runs at once that need the GPU (1)"
    )
    words.add_argument("--no-room", action="store_true", help="without the listening room")
    words.add_argument(
        "--no-server", action="store_true", help="use the server of PREFECT_API_URL, start none"
    )


def _listen(commands: Commands) -> None:
    words = command(
        commands,
        "listen",
        "open the listening room: hear candidates in a browser and choose",
        "jukeflow listen --open",
        lazily("listening", "listen"),
        store=True,
    )
    words.add_argument("run", nargs="?", metavar="RUN", help="begin at this run (a name of `runs`)")
    words.add_argument("--port", metavar="N", type=int, default=4300, help="0: any free one (4300)")
    words.add_argument("--host", metavar="NAME", default="127.0.0.1", help="answer at (127.0.0.1)")
    words.add_argument("--token", metavar="TEXT", help="secret that lets people in (kept for you)")
    words.add_argument("--open", action="store_true", help="open a browser")
    words.add_argument(
        "--silent", action="store_true", help="do not print the address: it holds the token"
    )
    words.add_argument(
        "--file", action="store_true", help="print where the page of RUN's round lies, and end"
    )


def _elsewhere(module: str, function: str) -> Callable[[Commands], None]:
    """Return what declares the words of a module, which is imported when they are."""

    def declare(commands: Commands) -> None:
        getattr(import_module(f"flows.cli.{module}"), function)(commands)

    return declare


_COMMANDS: tuple[tuple[tuple[str, ...], Callable[[Commands], None]], ...] = (
    (("generate",), _generate),
    (("compose", "choose", "tree", "purge"), _elsewhere("choice_words", "add_commands")),
    (("upsample",), _upsample),
    (("resume",), _resume),
    (("plan",), _elsewhere("batch_words", "plan_command")),
    (("batch",), _elsewhere("batch_words", "batch_command")),
    (("runs",), _runs),
    (("show",), _show),
    (("verify",), _verify),
    (("explain",), _explain),
    (("reproduce",), _elsewhere("reproduce_words", "reproduce_command")),
    (("doctor",), _doctor),
    (("models",), _models),
    (("parity",), _parity),
    (("evaluate",), _evaluate),
    (("train",), _train),
    (("serve",), _serve),
    (("listen",), _listen),
    (("convert",), _elsewhere("convert_words", "convert_command")),
    (("midi",), _elsewhere("midi_words", "midi_commands")),
)
