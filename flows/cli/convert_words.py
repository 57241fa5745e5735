"""The words of `convert`. Imports nothing heavy: `jukeflow --help` answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily

if TYPE_CHECKING:
    from flows.cli.words import Commands


def convert_command(commands: Commands) -> None:
    words = command(
        commands,
        "convert",
        "convert audio files, one or a whole folder",
        "jukeflow convert album --to flac --out album-flac",
        lazily("converting", "convert"),
    )
    words.add_argument("inputs", nargs="+", metavar="IN", help="IN OUT, or any number with --to")
    words.add_argument("--to", metavar="FORMAT", help="wav, flac, mp3, ogg or aiff")
    words.add_argument("--out", metavar="PATH", help="file or folder (default: beside the source)")
    words.add_argument("--force", action="store_true", help="write over files that exist")
