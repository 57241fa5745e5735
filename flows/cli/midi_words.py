"""The words of `midi`. Imports nothing heavy: `jukeflow --help` answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.midi_model_words import model_commands
from flows.cli.midi_sound_words import sound_commands
from flows.cli.midi_symbol_words import symbol_commands
from flows.cli.words import group

if TYPE_CHECKING:
    from flows.cli.words import Commands


_EXAMPLES = """\
jukeflow midi compose --seed 1 --seconds 20 -o chorale.mid
jukeflow midi render chorale.mid -o chorale.wav
jukeflow midi play chorale.mid --volume 0.5
jukeflow midi transcribe melody.wav -o melody.mid
jukeflow midi info bwv66.6 --harmony
jukeflow midi COMMAND --help      every option of one of them, with an example"""


def midi_commands(commands: Commands) -> None:
    inner = group(
        commands,
        "midi",
        "compose, render, play, transcribe and rewrite scores (MIDI, MusicXML, ABC, Humdrum)",
        _EXAMPLES,
    )
    sound_commands(inner)
    symbol_commands(inner)
    model_commands(inner)
