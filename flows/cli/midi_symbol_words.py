"""The words of `midi info`, `convert`, `tokenise` and `detokenise`: scores as symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily, reading_options

if TYPE_CHECKING:
    from flows.cli.words import Commands

_SCORE = "a MIDI, MusicXML, ABC or Humdrum file, or a piece such as bwv66.6"


def symbol_commands(commands: Commands) -> None:
    _info(commands)
    _convert(commands)
    _tokenise(commands)
    _detokenise(commands)


def _info(commands: Commands) -> None:
    words = command(
        commands,
        "info",
        "tell length, tempo, meter, key and parts of scores",
        "jukeflow midi info song.mid --harmony",
        lazily("midi.describing", "info"),
    )
    words.add_argument("files", nargs="+", metavar="FILE", help=f"{_SCORE}; or a folder")
    words.add_argument("--harmony", action="store_true", help="name every chord, in the key")
    reading_options(words)


def _convert(commands: Commands) -> None:
    words = command(
        commands,
        "convert",
        "write a score as MIDI or MusicXML",
        "jukeflow midi convert tune.abc tune.mid",
        lazily("midi.rewriting", "convert"),
    )
    words.add_argument("source", metavar="IN", help=_SCORE)
    words.add_argument(
        "out", metavar="OUT", help="a .mid or .musicxml file; a folder for the tunes of a book"
    )
    words.add_argument("--tune", metavar="N", type=int, help="one tune of an ABC book, from 1 on")
    words.add_argument(
        "--no-repeats", action="store_true", help="as it is written: play no repeat again"
    )
    words.add_argument("--force", action="store_true", help="write over files that exist")
    reading_options(words)


def _tokenise(commands: Commands) -> None:
    words = command(
        commands,
        "tokenise",
        "turn scores into tokens, files or whole folders",
        "jukeflow midi tokenise songs --form events -o songs.json",
        lazily("midi.tokenising", "tokenise"),
    )
    words.add_argument("sources", nargs="+", metavar="SOURCE", help=f"{_SCORE}; or a folder")
    words.add_argument(
        "--form",
        choices=("seed", "events", "grid"),
        default="events",
        help="names of notes and chords; all of the music in time; voices in steps (events)",
    )
    words.add_argument(
        "-o", "--out", metavar="PATH", help="a .json file for all, or a folder (standard output)"
    )
    words.add_argument(
        "--steps",
        type=int,
        choices=(1, 2, 4),
        default=4,
        help="of a quarter note, for the grid: 4 are 16th notes (4)",
    )
    words.add_argument(
        "--legacy",
        action="store_true",
        help="for the seed: the first part of the first three MIDI files alone",
    )
    words.add_argument("--force", action="store_true", help="write over files that exist")
    reading_options(words)


def _detokenise(commands: Commands) -> None:
    words = command(
        commands,
        "detokenise",
        "turn tokens of events or grids back into MIDI",
        "jukeflow midi detokenise songs.json -o songs",
        lazily("midi.tokenising", "detokenise"),
    )
    words.add_argument("source", metavar="FILE", help="what `midi tokenise` wrote")
    words.add_argument(
        "-o", "--out", metavar="PATH", required=True, help="a .mid file, or a folder for several"
    )
    words.add_argument("--force", action="store_true", help="write over files that exist")
