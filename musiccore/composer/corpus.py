"""Pieces to train a model of voices on: the chorales, or any folder of MIDI files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from musiccore.composer.chorales import Split, read_split
from musiccore.composer.voices import VoiceGrid, fold
from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi import SUFFIXES, read_midi
from musiccore.scores.score import AS_PLAYERS_DO, Reading

CHORALES = "chorales"
GridName = Literal["1/16", "1/8", "1/4"]
STEPS: dict[str, int] = {"1/16": 4, "1/8": 2, "1/4": 1}
"""Steps of a quarter note."""

MAX_STEPS = 512
"""A longer piece of a folder is learnt in sections of this many steps."""

_ONE_IN = 10  # pieces of a folder that decide when to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusRow:
    """What became of one file.

    Attributes:
        file: its path below the folder.
        used: `train`, `valid`, or empty if it was skipped.
        how: how its voices were found, or why it was skipped.
        steps: of the grid.
        warnings: what was odd about it, and read all the same; in `how` as well.
    """

    file: str
    used: Literal["train", "valid", ""]
    how: str
    steps: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Pieces to learn from and pieces to judge by.

    Attributes:
        train: pieces to learn from.
        valid: pieces that decide which weights are kept.
        rows: one per file of a folder; empty for the chorales.
    """

    train: tuple[VoiceGrid, ...]
    valid: tuple[VoiceGrid, ...]
    rows: tuple[CorpusRow, ...] = ()


def chorale_split(split: Split, grid: GridName = "1/16") -> list[VoiceGrid]:
    """Return one part of the chorales on a grid."""
    every = STEPS["1/16"] // STEPS[grid]
    return [piece.every(every) for piece in read_split(split)]


def read_corpus(
    source: str,
    grid: GridName = "1/16",
    n_voices: int = 4,
    reading: Reading = AS_PLAYERS_DO,
) -> Corpus:
    """Read pieces to train on.

    Args:
        source: `chorales`, or a folder; every MIDI file below it is read.
        grid: length of a step.
        n_voices: voices that each piece of a folder is brought to.
        reading: how the files of a folder are read.

    Returns:
        The pieces. Of a folder, files chosen by a digest of their music, one in ten and at least
        one, are judged by; equal files are on one side.

    Raises:
        ConfigError: if the grid is unknown or there are fewer than two pieces.
    """
    if grid not in STEPS:
        raise ConfigError(f"grid: {grid!r} is unknown", hint=f"use one of {', '.join(STEPS)}")
    if source == CHORALES:
        if n_voices != 4:
            raise ConfigError(f"voices: the chorales have 4, not {n_voices}")
        return Corpus(
            train=tuple(chorale_split("train", grid)), valid=tuple(chorale_split("valid", grid))
        )
    if not 1 <= n_voices <= 8:
        raise ConfigError(f"voices: it is {n_voices}, want 1 to 8")
    return _read_folder(Path(source).expanduser(), STEPS[grid], n_voices, reading)


def _read_folder(folder: Path, steps_per_quarter: int, n_voices: int, reading: Reading) -> Corpus:
    if not folder.is_dir():
        raise ConfigError(
            f"source: {str(folder)!r} is no folder", hint=f"give a folder, or `{CHORALES}`"
        )
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    found: list[tuple[VoiceGrid, str, tuple[str, ...]]] = []
    skipped: list[CorpusRow] = []
    for file in files:
        name = str(file.relative_to(folder))
        try:
            score = read_midi(file, reading)
            piece, how = fold(score, n_voices, steps_per_quarter, name)
            found.append((piece, how, score.warnings))
        except (AudioError, ConfigError) as error:
            skipped.append(CorpusRow(file=name, used="", how=error.message, steps=0))
    digests = [hashlib.sha256(piece.pitches.tobytes()).hexdigest() for piece, *_ in found]
    distinct = sorted(set(digests))
    if len(distinct) < 2:
        reason = f"; skipped: {skipped[0].file}: {skipped[0].how}" if skipped else ""
        raise ConfigError(
            f"source: {len(distinct)} different pieces are in {str(folder)!r}{reason}",
            hint="give a folder with at least two MIDI files",
        )
    judged = set(distinct[: -(-len(distinct) // _ONE_IN)])
    rows = list(skipped)
    train: list[VoiceGrid] = []
    valid: list[VoiceGrid] = []
    for (piece, how, odd), digest in zip(found, digests, strict=True):
        is_judged = digest in judged
        (valid if is_judged else train).extend(_sections(piece))
        used: Literal["train", "valid"] = "valid" if is_judged else "train"
        rows.append(
            CorpusRow(
                file=piece.name,
                used=used,
                how="; ".join([how, *odd]),
                steps=len(piece.pitches),
                warnings=odd,
            )
        )
    rows.sort(key=lambda row: row.file)
    return Corpus(train=tuple(train), valid=tuple(valid), rows=tuple(rows))


def _sections(piece: VoiceGrid) -> Sequence[VoiceGrid]:
    n_steps = len(piece.pitches)
    if n_steps <= MAX_STEPS:
        return [piece]
    sections = []
    for n, first in enumerate(range(0, n_steps, MAX_STEPS)):
        pitches = piece.pitches[first : first + MAX_STEPS]
        if pitches.any():
            struck = piece.struck[first : first + MAX_STEPS]
            name = f"{piece.name}, section {n + 1}"
            sections.append(replace(piece, name=name, pitches=pitches, struck=struck))
    return sections
