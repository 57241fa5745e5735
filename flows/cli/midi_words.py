"""The words of `midi`. Imports nothing heavy: `jukeflow --help` answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.words import command, lazily

if TYPE_CHECKING:
    from flows.cli.words import Commands


def midi_commands(commands: Commands) -> None:
    midi = commands.add_parser("midi", help="scores", description="Scores.")
    inner = midi.add_subparsers(title="commands", metavar="COMMAND", required=True)
    words = command(
        inner,
        "render",
        "play a MIDI file, a folder of them, or a Bach chorale into audio files",
        "jukeflow midi render bwv66.6 -o chorale.wav",
        lazily("midi.rendering", "render"),
    )
    words.add_argument("source", metavar="SOURCE", help="a MIDI file, a folder, or such as bwv66.6")
    words.add_argument("-o", "--out", metavar="PATH", help="audio file, or folder")
    words.add_argument("--force", action="store_true", help="write over files that exist")
