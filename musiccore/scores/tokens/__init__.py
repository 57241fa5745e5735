"""Scores as tokens, in three forms.

`seed`: strings of notes and chords without time. `events`: bars, positions, pitches, durations,
velocities, instruments, tempo and meter. `grid`: voices and steps.
"""

from musiccore.scores.tokens.events import EventVocabulary, decode_events, encode_events, on_grid
from musiccore.scores.tokens.grid import HOLD, REST, Grid, GridVoice, decode_grid, encode_grid
from musiccore.scores.tokens.token_files import (
    Form,
    GridFacts,
    TokenFile,
    TokenPiece,
    dump_tokens,
    load_tokens,
)

__all__ = [
    "decode_events",
    "decode_grid",
    "dump_tokens",
    "encode_events",
    "encode_grid",
    "EventVocabulary",
    "Form",
    "Grid",
    "GridFacts",
    "GridVoice",
    "HOLD",
    "load_tokens",
    "on_grid",
    "REST",
    "TokenFile",
    "TokenPiece",
]
