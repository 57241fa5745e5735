"""What instruments sound like: a few numbers each, for every program of General MIDI.

Families, not portraits: a piano is a struck string that rings, an organ a row of steady partials.
`instruments.py` turns the numbers into sound.

Specification: "General MIDI System Level 1", MIDI Manufacturers Association, for the numbering.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Formant:
    """A stretch of frequencies that an instrument favours, whatever it plays."""

    hertz: float
    width: float
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timbre:
    """How an instrument sounds.

    Attributes:
        name: of the family.
        partials: at most so many.
        tilt: the nth partial has level `n ** -tilt`.
        even: level of the even partials, relative to that.
        ratios: instead of the harmonic series: (ratio, level, share of `ring`).
        stretch: inharmonicity of a stiff string.
        formants: favoured frequencies.
        ring: seconds in which middle C falls by a factor of e; 0 sustains.
        damping: how much sooner each further partial dies.
        attack: seconds until it has begun.
        bloom: seconds by which each further partial comes later, for instruments that sustain.
        release: seconds from the end of the note to silence.
        held: whether it stops when the note ends; a struck bar rings on.
        ensemble: cents between players; 0 is one player.
        tremolo: depth and rate (Hz) of a swaying level.
        level: loudness beside the others.
    """

    name: str
    partials: int = 16
    tilt: float = 1.0
    even: float = 1.0
    ratios: tuple[tuple[float, float, float], ...] = ()
    stretch: float = 0.0
    formants: tuple[Formant, ...] = ()
    ring: float = 0.0
    damping: float = 0.3
    attack: float = 0.005
    bloom: float = 0.0
    release: float = 0.09
    held: bool = True
    ensemble: float = 0.0
    tremolo: tuple[float, float] = (0.0, 5.0)
    level: float = 1.0


_VOWEL: Final = (
    Formant(hertz=700, width=160, gain=2.5),
    Formant(hertz=1150, width=200, gain=1.6),
    Formant(hertz=2700, width=400, gain=0.8),
)
_NASAL: Final = (
    Formant(hertz=1100, width=300, gain=2.0),
    Formant(hertz=2900, width=600, gain=1.0),
)
_BODY: Final = (
    Formant(hertz=500, width=250, gain=0.8),
    Formant(hertz=1500, width=500, gain=0.5),
    Formant(hertz=3000, width=900, gain=0.7),
)

_ALL: Final = (
    Timbre(
        name="piano", partials=24, tilt=1.15, stretch=1e-4, ring=1.6, damping=0.3, release=0.12,
        level=1.3,
    ),
    Timbre(
        name="electric piano", ratios=((1, 1, 1), (2, 0.25, 0.6), (3, 0.1, 0.4), (7, 0.12, 0.12)),
        ring=1.5, release=0.12, tremolo=(0.08, 4.5), level=1.2,
    ),
    Timbre(
        name="harpsichord", partials=28, tilt=0.75, stretch=4e-5, ring=1.0, damping=0.12,
        attack=0.002, release=0.07, level=1.1,
    ),
    Timbre(
        name="mallet", ratios=((1, 1, 1), (3.984, 0.3, 0.3), (10.67, 0.08, 0.12)), ring=0.55,
        attack=0.003, held=False, level=1.4,
    ),
    Timbre(
        name="bell", ratios=((1, 1, 1), (2.756, 0.45, 0.6), (5.404, 0.2, 0.35), (8.933, 0.08, 0.2)),
        ring=1.6, attack=0.002, held=False, level=0.9,
    ),
    Timbre(
        name="vibraphone", ratios=((1, 1, 1), (3.984, 0.2, 0.25), (9.8, 0.06, 0.1)), ring=2.2,
        attack=0.003, release=0.3, tremolo=(0.2, 5.0), level=1.2,
    ),
    Timbre(
        name="tubular bell",
        ratios=((1, 1, 1), (0.5, 0.25, 1.2), (1.5, 0.5, 0.7), (2.0, 0.4, 0.5), (2.66, 0.3, 0.4),
                (3.4, 0.2, 0.3)),
        ring=2.0, attack=0.002, held=False, level=0.85,
    ),
    Timbre(
        name="organ",
        ratios=((1, 1, 1), (2, 0.6, 1), (3, 0.35, 1), (4, 0.4, 1), (6, 0.15, 1), (8, 0.15, 1)),
        attack=0.015, release=0.07, level=0.9,
    ),
    Timbre(
        name="accordion", partials=18, tilt=0.9, formants=_NASAL, attack=0.03, release=0.08,
        ensemble=4.0, level=1.2,
    ),
    Timbre(
        name="guitar", partials=22, tilt=1.1, stretch=3e-5, ring=0.9, damping=0.25, attack=0.003,
        release=0.1, level=1.2,
    ),
    Timbre(
        name="electric guitar", partials=20, tilt=0.9, ring=1.8, damping=0.15, attack=0.003,
        release=0.08, level=1.0,
    ),
    Timbre(
        name="distorted guitar", partials=24, tilt=0.75, formants=_BODY, ring=6.0, damping=0.02,
        attack=0.004, release=0.08, level=0.85,
    ),
    Timbre(
        name="bass", partials=14, tilt=1.3, ring=1.6, damping=0.35, attack=0.004, release=0.09,
        level=1.6,
    ),
    Timbre(
        name="solo strings", partials=22, tilt=1.0, formants=_BODY, attack=0.04, bloom=0.004,
        release=0.15, tremolo=(0.1, 5.5), level=0.9,
    ),
    Timbre(
        name="pizzicato", partials=14, tilt=1.2, ring=0.28, damping=0.4, attack=0.003, release=0.1,
        level=1.6,
    ),
    Timbre(
        name="harp", partials=16, tilt=1.3, ring=1.3, damping=0.35, attack=0.003, held=False,
        level=1.0,
    ),
    Timbre(
        name="timpani",
        ratios=((1, 1, 1), (1.504, 0.6, 0.7), (1.742, 0.3, 0.5), (2.0, 0.4, 0.5),
                (2.245, 0.2, 0.3)),
        ring=0.5, attack=0.003, held=False, level=1.8,
    ),
    Timbre(
        name="strings", partials=20, tilt=1.1, formants=_BODY, attack=0.05, bloom=0.006,
        release=0.22, ensemble=5.0, tremolo=(0.05, 5.2), level=1.2,
    ),
    Timbre(
        name="choir", partials=22, tilt=1.5, formants=_VOWEL, attack=0.05, bloom=0.005,
        release=0.22, ensemble=5.0, tremolo=(0.05, 4.8), level=1.25,
    ),
    Timbre(
        name="brass", partials=20, tilt=0.9, formants=(Formant(hertz=1200, width=700, gain=0.9),),
        attack=0.02, bloom=0.006, release=0.09, level=0.85,
    ),
    Timbre(
        name="reed", partials=20, tilt=0.9, formants=_NASAL, attack=0.02, bloom=0.002,
        release=0.08, tremolo=(0.06, 5.2), level=0.85,
    ),
    Timbre(
        name="clarinet", partials=19, tilt=1.0, even=0.12, attack=0.025, bloom=0.003, release=0.08,
        level=0.9,
    ),
    Timbre(
        name="flute", partials=7, tilt=2.1, attack=0.035, bloom=0.004, release=0.09,
        tremolo=(0.12, 5.0), level=1.05,
    ),
    Timbre(
        name="square lead", partials=21, tilt=1.0, even=0.0, attack=0.004, release=0.06, level=0.8,
    ),
    Timbre(name="saw lead", partials=24, tilt=1.0, attack=0.004, release=0.06, level=0.8),
    Timbre(
        name="pad", partials=14, tilt=1.4, attack=0.05, bloom=0.02, release=0.5, ensemble=6.0,
        level=1.1,
    ),
    Timbre(
        name="plucked", partials=20, tilt=0.9, ring=0.7, damping=0.25, attack=0.003, release=0.1,
        level=1.2,
    ),
)  # fmt: skip

_NAMED: Final = {timbre.name: timbre for timbre in _ALL}

# First program -> family, up to the next row.
_ROWS: Final = (
    (0, "piano"), (4, "electric piano"), (6, "harpsichord"), (8, "bell"), (11, "vibraphone"),
    (12, "mallet"), (14, "tubular bell"), (15, "plucked"), (16, "organ"), (20, "accordion"),
    (24, "guitar"), (26, "electric guitar"), (29, "distorted guitar"), (31, "electric guitar"),
    (32, "bass"), (40, "solo strings"), (44, "strings"), (45, "pizzicato"), (46, "harp"),
    (47, "timpani"), (48, "strings"), (52, "choir"), (55, "strings"), (56, "brass"), (64, "reed"),
    (71, "clarinet"), (72, "flute"), (80, "square lead"), (81, "saw lead"), (82, "flute"),
    (83, "saw lead"), (85, "choir"), (86, "saw lead"), (88, "pad"), (91, "choir"), (92, "pad"),
    (96, "bell"), (97, "pad"), (98, "bell"), (99, "pad"), (104, "plucked"), (108, "mallet"),
    (109, "reed"), (110, "solo strings"), (111, "reed"), (112, "bell"), (115, "mallet"),
    (116, "timpani"), (119, "pad"), (121, "flute"), (122, "pad"), (127, "timpani"),
)  # fmt: skip
_STARTS: Final = tuple(start for start, _ in _ROWS)


def timbre_of(program: int) -> Timbre:
    """Return how a General MIDI program, 0 to 127, sounds."""
    return _NAMED[_ROWS[bisect_right(_STARTS, program) - 1][1]]


def family_names() -> tuple[str, ...]:
    """Return the names of all families."""
    return tuple(_NAMED)
