"""Where a drawn piece may end: on the tonic, in root position, near the length that is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musiccore.composer.drawing import Drawn
from musiccore.composer.voice_leading import check
from musiccore.scores.key import Key
from musiccore.scores.notation import Note, estimate_key

_TRIAD = {"major": (0, 4, 7), "minor": (0, 3, 7)}
_LONGEST_HOLD = 6  # quarter notes in which nothing moves


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnEnding:
    """An end of one of the drawn pieces.

    Attributes:
        piece: index of the piece.
        step: at which its final chord begins.
        cost: how much speaks against it.
        is_cadence: whether the final chord is the tonic in root position.
    """

    piece: int
    step: int
    cost: float
    is_cadence: bool


def triad(key: Key) -> tuple[int, ...]:
    """Return the pitch classes of the tonic's triad, root first."""
    return tuple((key.tonic + step) % 12 for step in _TRIAD[key.mode])


def cadences(pitches: NDArray[np.int16], key: Key, beat: int) -> NDArray[np.int64]:
    """Return the steps at which a chord begins on which a piece may end.

    It begins on a beat, lasts for one, and is the tonic's triad in root position with its third;
    a piece in minor may end in major. Of one or two voices only the lowest is asked for its root.

    Args:
        pitches: `[T, V]`.
        key: of the piece.
        beat: steps of a beat.
    """
    found = []
    for step in range(beat, len(pitches) - beat + 1, beat):
        chord = pitches[step : step + beat].astype(np.int64)
        if (chord != chord[0]).any() or (chord[0] == 0).any():
            continue
        if (pitches[step - 1] == chord[0]).all() or chord[0, -1] % 12 != key.tonic:
            continue
        above = {int(pitch - key.tonic) % 12 for pitch in chord[0]}
        third = {4} if key.mode == "major" else {3, 4}
        if chord.shape[1] > 2 and not (above <= {0, 7} | third and len(above & third) == 1):
            continue
        found.append(step)
    return np.array(found, np.int64)


def key_of(pitches: NDArray[np.int16]) -> tuple[int, str]:
    """Return tonic and mode that fit the notes best."""
    notes = tuple(
        Note(onset=0.0, duration=float(count), pitch=int(pitch), part=0)
        for pitch, count in enumerate(np.bincount(pitches.ravel(), minlength=128))
        if pitch and count
    )
    return estimate_key(notes) if notes else (0, "major")


def best_ending(
    drawn: Drawn, key: Key, *, earliest: int, wanted: int, latest: int, beat: int
) -> DrawnEnding:
    """Choose the piece and the step on which it ends best.

    Args:
        drawn: pieces to choose from.
        key: they should be in.
        earliest: first step for the final chord.
        wanted: best step for it.
        latest: last step for it.
        beat: steps of a beat.

    Returns:
        The ending with the lowest cost: far from the wanted length, in another key, without the
        model's own sign of an end, with crossed voices or a standstill. If no piece has a cadence
        in time, the wanted step of the best piece.
    """
    endings = []
    for piece, pitches in enumerate(drawn.pitches):
        found = cadences(pitches, key, beat)
        found = found[(found >= earliest) & (found <= latest)]
        for step in found:
            cost = abs(step - wanted) / (4 * beat)
            cost += 2 * (1 - float(drawn.fermata[piece, step]))
            endings.append(
                DrawnEnding(
                    piece=piece,
                    step=int(step),
                    cost=cost + _faults(pitches[: step + beat], key, beat),
                    is_cadence=True,
                )
            )
        if not len(found):
            cost = 100 + _faults(pitches[: wanted + beat], key, beat)
            endings.append(DrawnEnding(piece=piece, step=wanted, cost=cost, is_cadence=False))
    return min(endings, key=lambda ending: (ending.cost, ending.piece, ending.step))


def _faults(pitches: NDArray[np.int16], key: Key, beat: int) -> float:
    figures = check([pitches], beat)
    cost = 8 * figures.crossings + 4 * (1 - figures.consonant)
    cost += 4 * (key_of(pitches) != (key.tonic, key.mode))
    still = np.flatnonzero((pitches[1:] != pitches[:-1]).any(1))
    longest = int(np.diff(still, prepend=-1, append=len(pitches) - 1).max())
    return cost + 4 * (longest > _LONGEST_HOLD * beat)
