"""Scores read and changed for a performance: another tempo, another instrument."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError
from musiccore.scores.notation import SCORE_SUFFIXES, read_score
from musiccore.scores.score import AS_PLAYERS_DO, DEFAULT_TEMPO, Part, Reading, Score, Tempo

SLOWEST, FASTEST = 0.05, 20.0

_HYMN_TEMPO, _MIDI_TEMPO = 80.0, 120.0
_PROGRAM_CHANGE = 0xC
_LONGEST_QUARTER: Final = (1 << 24) - 1  # microseconds


def read_to_play(source: str | Path, reading: Reading = AS_PLAYERS_DO) -> Score:
    """Read a score, or a piece of music21's package by its name.

    Args:
        source: a file that `read_score` knows, or such as `bwv66.6`. A chorale that says nothing
            about its tempo is played as a hymn is, at 80 quarter notes a minute.
        reading: how files of other people are read.

    Raises:
        AudioError: if it cannot be read.
        ConfigError: if it is neither.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() in SCORE_SUFFIXES or path.is_file():
        return read_score(path, reading=reading)
    score = read_score(str(source))
    return score if score.tempos else with_tempo(score, _HYMN_TEMPO / _MIDI_TEMPO)


def with_tempo(score: Score, factor: float) -> Score:
    """Return the score played faster or slower.

    Args:
        score: any score.
        factor: of the tempo; 2 is twice as fast.

    Raises:
        ConfigError: if the factor is out of range, or a tempo would be.
    """
    if not SLOWEST <= factor <= FASTEST:
        raise ConfigError(f"tempo_scale is {factor:g}; it must be {SLOWEST:g} to {FASTEST:g}")
    if factor == 1.0:
        return score
    tempos = score.tempos
    if not tempos or tempos[0].tick > 0:
        tempos = (Tempo(tick=0, microseconds=DEFAULT_TEMPO), *tempos)
    scaled = [(tempo.tick, round(tempo.microseconds / factor)) for tempo in tempos]
    if not all(1 <= microseconds <= _LONGEST_QUARTER for _, microseconds in scaled):
        raise ConfigError(f"tempo_scale is {factor:g}; a tempo of the score would be out of range")
    return replace(
        score, tempos=tuple(Tempo(tick=tick, microseconds=each) for tick, each in scaled)
    )


def with_program(score: Score, program: int) -> Score:
    """Return the score with one instrument for all parts; percussion stays.

    Args:
        score: any score.
        program: of General MIDI, 0 to 127.

    Raises:
        ConfigError: if there is no such program.
    """
    if not 0 <= program <= 127:
        raise ConfigError(f"program is {program}; it must be 0 to 127")

    def changed(part: Part) -> Part:
        if part.is_drums:
            return part
        controls = tuple(c for c in part.controls if c.kind != _PROGRAM_CHANGE)
        return replace(part, program=program, controls=controls)

    return replace(score, parts=tuple(changed(part) for part in score.parts))
