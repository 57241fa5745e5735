"""The note and chord strings of the program that jukeflow grew from, and its two functions.

`getNotes` and `noteToSequence` keep their names, arguments and results for programs that call them.
`getNotes` reads what the old one read where that one worked: the first part of the first three
files. `seed_strings` reads all parts of a file, and `vocabulary` returns what the old program lost.

A note is its name and octave (`C4`, `E-3`), a chord its normal order (`0.4.7`), whatever its
octaves and inversion; times are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi import SUFFIXES, read_midi, write_midi
from musiccore.scores.notation.process import Music21, Refusal

WINDOW: Final = 100
"""Strings that one prediction sees."""

LEGACY_FILES: Final = 3
"""Files of a folder that the old program read."""

TIME_LIMIT: Final = 30.0
"""Seconds that one file may take."""


def seed_strings(
    source: Path | bytes, *, legacy: bool = False, music21: Music21 | None = None
) -> list[list[str]]:
    """Return the strings of a MIDI file, part by part.

    Args:
        source: the file, or its bytes.
        legacy: the first part alone, even where it is empty.
        music21: a process to ask; without one, a new one is started.

    Returns:
        Per part that plays anything, its strings in the order in which they begin. Instruments
        of one kind are one part.

    Raises:
        AudioError: if the file cannot be read, or no part of it has a note with a pitch.
    """
    if music21 is None:
        with Music21(seconds=TIME_LIMIT) as own:
            return seed_strings(source, legacy=legacy, music21=own)
    score = read_midi(source)  # refuses what is damaged, before music21 sees it
    data = source if isinstance(source, bytes) else source.read_bytes()
    if score.warnings:  # music21 takes offence at what players play
        data = write_midi(score)
    name = "MIDI data" if isinstance(source, bytes) else f"MIDI file {str(source)!r}"
    try:
        parts: list[list[str]] = json.loads(music21.ask("seed", data))
    except Refusal as error:
        raise AudioError(f"{name} cannot be read: {error.message}") from error
    found = parts[:1] if legacy else [part for part in parts if part]
    if not any(found):
        raise AudioError(
            f"{name} holds no notes with a pitch" + (" in its first part" if legacy else "")
        )
    return found


def vocabulary(notes: Iterable[str]) -> list[str]:
    """Return the different strings, sorted; the number of one is its index."""
    return sorted(set(notes))


def getNotes(path: str | Path) -> list[str]:
    """Return the strings of the first parts of the first three MIDI files of a folder, sorted.

    Args:
        path: the folder.

    Raises:
        ConfigError: if there is no such folder, or no MIDI file in it.
        AudioError: if a file cannot be read, or its first part has no note.
    """
    folder = Path(path)
    files = midi_files(folder)[:LEGACY_FILES]
    with Music21(seconds=TIME_LIMIT) as music21:
        return [
            string
            for file in files
            for part in seed_strings(file, legacy=True, music21=music21)
            for string in part
        ]


def midi_files(folder: Path) -> list[Path]:
    """Return the MIDI files of a folder, without those of folders in it, sorted.

    Raises:
        ConfigError: if there is no such folder, or no MIDI file in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"path: {str(folder)!r} is no folder", hint="give a folder of MIDI files")
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise ConfigError(
            f"path: no MIDI file is in {str(folder)!r}",
            hint=f"MIDI files end with {', '.join(SUFFIXES)}",
        )
    return found


def noteToSequence(
    notes: Sequence[str], nvocab: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return windows of strings and what follows each.

    The number of a string is its index in `vocabulary(notes)`.

    Args:
        notes: strings, more than `WINDOW` of them.
        nvocab: how many different strings there are.

    Returns:
        Inputs [N, 100, 1] from 0 to below 1: numbers divided by `nvocab`; and targets [N, nvocab],
        one-hot.

    Raises:
        ConfigError: if there are too few strings, or `nvocab` is wrong.
    """
    words = vocabulary(notes)
    if len(notes) <= WINDOW:
        raise ConfigError(
            f"notes: there are {len(notes)}, and a window takes {WINDOW} and the one that follows",
            hint="read more files",
        )
    if nvocab != len(words):
        raise ConfigError(
            f"nvocab is {nvocab}; the notes have {len(words)} different strings",
            hint="use len(set(notes))",
        )
    numbers = {word: n for n, word in enumerate(words)}
    ids = np.array([numbers[word] for word in notes])
    windows = np.lib.stride_tricks.sliding_window_view(ids[:-1], WINDOW)
    inputs = windows[:, :, None] / float(nvocab)
    targets = np.eye(nvocab)[ids[WINDOW:]]
    return inputs, targets
