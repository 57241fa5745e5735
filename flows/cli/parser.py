"""The words of the command line. Imports nothing heavy: `jukeflow --help` answers at once."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Commands = _SubParsersAction[ArgumentParser]

_EPILOG = """\
A first song:        jukeflow generate --model nano --seconds 12
Continue after a kill: jukeflow resume
What it would cost:  jukeflow plan --model nano --seconds 60

exit codes: 0 done, 2 bad request, 3 waiting for a choice, 4 interrupted but resumable, 1 other
"""


def _lazily(module: str, function: str) -> Callable[[Namespace], int]:
    """Return a handler that imports its module when it is called."""

    def handler(options: Namespace) -> int:
        return int(getattr(import_module(f"flows.cli.{module}"), function)(options))

    return handler


def _version() -> str:
    try:
        return version("jukeflow")
    except PackageNotFoundError:
        return "0 (not installed)"


def parser() -> ArgumentParser:
    """Return the parser of the whole command line."""
    top = ArgumentParser(
        prog="jukeflow",
        description=(
            "Make music with Jukebox-class models: nothing finished is ever lost, and the same "
            "request gives the same codes."
        ),
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"jukeflow {_version()}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _generate(commands)
    _upsample(commands)
    _resume(commands)
    _plan(commands)
    _runs(commands)
    _show(commands)
    _verify(commands)
    _explain(commands)
    _doctor(commands)
    _models(commands)
    _parity(commands)
    _evaluate(commands)
    _train(commands)
    return top


def _command(
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


def _request_options(command: ArgumentParser) -> None:
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
    add("--allow-unknown", action="store_true", default=None, help="unknown names become `unknown`")
    add("--seconds", metavar="S", type=float, help="length of the music")
    add("--total-seconds", metavar="S", type=float, help="length of the song this is the start of")
    add("--takes", metavar="N", type=int, help="variants of the top level")
    add("--choose", choices=("first", "best"), help="which take goes on to the end")
    add("--primer", metavar="FILE", help="audio that the music continues")
    add("--primer-seconds", metavar="S", type=float, help="how much of the primer is used")
    sampling = command.add_argument_group("how to sample")
    add = sampling.add_argument
    add("--seed", metavar="N", type=int, help="same seed, same music")
    add("--temperature", metavar="T[,T,T]", help="one, or one per level, bottom level first")
    add("--top-k", metavar="K", type=int, help="only the K likeliest codes (0: all)")
    add("--top-p", metavar="P", type=float, help="only the likeliest codes up to P (1: all)")
    add("--window-hop", metavar="N,N,N", help="codes between windows, bottom level first")
    add("--max-batch", metavar="N,N,N", help="takes per pass, bottom level first")


def _generate(commands: Commands) -> None:
    command = _command(
        commands,
        "generate",
        "make a whole song unattended",
        "jukeflow generate --model nano --seconds 12 --seed 1 --genre 'piano minor'",
        _lazily("making", "generate"),
        store=True,
    )
    _request_options(command)
    command.add_argument("--formats", metavar="F,F", help="files to write: wav,flac,mp3")
    command.add_argument("--run", metavar="ID", help="name of the run (default: made from title)")


def _upsample(commands: Commands) -> None:
    command = _command(
        commands,
        "upsample",
        "take a run's chosen take down to level 0 and deliver it",
        "jukeflow upsample bach-20260101-a1b2 --take 2",
        _lazily("making", "upsample"),
        store=True,
    )
    command.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")
    command.add_argument("--take", metavar="N", type=int, help="choose this take (from 1)")
    _consent_options(command)


def _resume(commands: Commands) -> None:
    command = _command(
        commands,
        "resume",
        "continue what is unfinished in the store",
        "jukeflow resume",
        _lazily("making", "resume"),
        store=True,
    )
    command.add_argument("run", nargs="?", metavar="RUN", help="one run (default: every one)")
    _consent_options(command)


def _consent_options(command: ArgumentParser) -> None:
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


def _plan(commands: Commands) -> None:
    command = _command(
        commands,
        "plan",
        "say what a request costs before anything is spent",
        "jukeflow plan --model nano --seconds 60 --takes 4",
        _lazily("planning", "plan"),
    )
    _request_options(command)


def _runs(commands: Commands) -> None:
    _command(
        commands,
        "runs",
        "list the runs in the store",
        "jukeflow runs",
        _lazily("inspecting", "runs"),
        store=True,
    )


def _show(commands: Commands) -> None:
    command = _command(
        commands,
        "show",
        "show one run: state, levels, files",
        "jukeflow show bach-20260101-a1b2 --json",
        _lazily("inspecting", "show"),
        store=True,
    )
    command.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")


def _verify(commands: Commands) -> None:
    command = _command(
        commands,
        "verify",
        "read every byte of a run again and compare it with its digest",
        "jukeflow verify bach-20260101-a1b2",
        _lazily("inspecting", "verify"),
        store=True,
    )
    command.add_argument("run", metavar="RUN", help="a name of `jukeflow runs`")


def _explain(commands: Commands) -> None:
    command = _command(
        commands,
        "explain",
        "print how an audio file was made",
        "jukeflow explain song.mp3",
        _lazily("inspecting", "explain"),
    )
    command.add_argument("file", metavar="FILE", help="audio that jukeflow delivered")


def _doctor(commands: Commands) -> None:
    _command(
        commands,
        "doctor",
        "report on this machine, the store and the models",
        "jukeflow doctor",
        _lazily("machine", "doctor"),
        store=True,
    )


def _models(commands: Commands) -> None:
    command = commands.add_parser(
        "models", help="models and their weights", description="Models and their weights."
    )
    inner = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _command(
        inner,
        "list",
        "list the models, and whether their weights are here",
        "jukeflow models list",
        _lazily("machine", "models_list"),
    )


def _parity(commands: Commands) -> None:
    command = _command(
        commands,
        "parity",
        "compare our model with recorded numbers of the published one",
        "jukeflow parity tests/golden",
        _lazily("laboratory", "parity"),
    )
    command.add_argument("folder", metavar="DIR", help="golden cases, or tables of tensors")


def _evaluate(commands: Commands) -> None:
    command = _command(
        commands,
        "evaluate",
        "measure a model from its weights and compare it with its gates",
        "jukeflow evaluate nano --json",
        _lazily("laboratory", "evaluate"),
    )
    command.add_argument("model", metavar="MODEL", choices=("nano",), help="nano")
    command.add_argument("--weights", metavar="DIR", help="other weights than the embedded ones")
    command.add_argument(
        "--bigram-pieces",
        metavar="N",
        type=int,
        help="training pieces for the bigram baseline (all); fewer make a weaker one, quickly",
    )


def _train(commands: Commands) -> None:
    command = _command(
        commands,
        "train",
        "train a model from its data; continues where it stopped",
        "jukeflow train nano --folder training",
        _lazily("laboratory", "train"),
        json=False,
    )
    command.add_argument("model", metavar="MODEL", choices=("nano",), help="nano")
    command.add_argument(
        "--folder", metavar="DIR", default="training", help="where data and checkpoints lie"
    )
    command.add_argument(
        "--out", metavar="DIR", default="training/nano", help="where the weights go"
    )
    command.add_argument(
        "--stage", metavar="STAGE", help="only data, codec, polish, encode, prior, or export"
    )
    command.add_argument("--level", metavar="L", type=int, help="only this level of the stage")
    command.add_argument(
        "--shorten", metavar="N", type=int, default=1, help="divide every number of steps: rehearse"
    )
