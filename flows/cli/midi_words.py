"""The words of `midi`. Imports nothing heavy: `jukeflow --help` answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.midi_model_words import model_commands
from flows.cli.midi_sound_words import sound_commands
from flows.cli.midi_symbol_words import symbol_commands

if TYPE_CHECKING:
    from flows.cli.words import Commands


def midi_commands(commands: Commands) -> None:
    midi = commands.add_parser("midi", help="scores", description="Scores.")
    inner = midi.add_subparsers(title="commands", metavar="COMMAND", required=True)
    sound_commands(inner)
    symbol_commands(inner)
    model_commands(inner)
