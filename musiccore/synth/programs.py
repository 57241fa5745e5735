"""Programs of General MIDI by number or name."""

from __future__ import annotations

from musiccore.errors import ConfigError
from musiccore.synth.timbres import family_names, timbre_of


def program_of(text: str) -> int:
    """Return the program that a number, 0 to 127, or a name such as `organ` stands for.

    Raises:
        ConfigError: if it is neither.
    """
    word = text.strip().lower()
    if word.isdigit() and int(word) <= 127:
        return int(word)
    for program in range(128):
        if timbre_of(program).name == word:
            return program
    raise ConfigError(
        f"program: {text!r} is unknown",
        hint=f"use a number of General MIDI, 0 to 127, or one of {', '.join(family_names())}",
    )
