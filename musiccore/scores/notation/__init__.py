"""Scores through music21; the only package that imports it.

What reads files of strangers runs music21 in a process of its own (`asking`), with limits of time
and size: it can hang on a few bytes.
"""

from musiccore.scores.notation.bach import (
    Mode,
    Note,
    Piece,
    chorale_names,
    estimate_key,
    read_chorale,
)
from musiccore.scores.notation.harmony import Chord, Harmony, analyse_harmony, key_name, key_of
from musiccore.scores.notation.process import Music21
from musiccore.scores.notation.score_reader import (
    SCORE_SUFFIXES,
    count_tunes,
    read_score,
    split_tunes,
    write_musicxml,
)

__all__ = [
    "analyse_harmony",
    "Chord",
    "chorale_names",
    "count_tunes",
    "estimate_key",
    "Harmony",
    "key_name",
    "key_of",
    "Mode",
    "Music21",
    "Note",
    "Piece",
    "read_chorale",
    "read_score",
    "SCORE_SUFFIXES",
    "split_tunes",
    "write_musicxml",
]
