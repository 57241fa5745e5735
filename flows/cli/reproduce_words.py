"""The words of `reproduce`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily

if TYPE_CHECKING:
    from flows.cli.words import Commands


def reproduce_command(commands: Commands) -> None:
    words = command(
        commands,
        "reproduce",
        "make a file's music again from the file alone, and compare",
        "jukeflow reproduce song.mp3",
        lazily("reproducing", "reproduce"),
    )
    words.add_argument("file", metavar="FILE", help="audio that jukeflow delivered")
    words.add_argument(
        "--store", metavar="FOLDER", help="where it is made (a folder that is removed afterwards)"
    )
    words.add_argument("--primer", metavar="FILE", help="what the music starts from, if anything")
    words.add_argument("--out", metavar="PATH", help="write what was made again: wav, flac or mp3")
    words.add_argument("--keep", action="store_true", help="keep the store")
    words.add_argument("--until", metavar="TIME", help="stop after this time, for example 2h30m")
    words.add_argument(
        "--dry-run", action="store_true", help="say what differs here and what it costs, and end"
    )
