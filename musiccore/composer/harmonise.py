"""Find voices for a melody: many tries side by side, the ones that foresee the melody go on.

The melody is known to the listener, not to the model, which only looks back. Each try is weighted
by how likely it finds the next melody note; tries that led nowhere are replaced by copies of
better ones (a particle filter), so the harmony leads to what comes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musiccore.composer.cadences import triad
from musiccore.composer.drawing import FREE, Drawing, Drawn, Rules
from musiccore.composer.network import Composer
from musiccore.composer.voices import Grid
from musiccore.scores.key import Key

N_TRIES = 48
_FINAL_CHORD = 6.0  # nats that a proper final chord is worth


def harmonise(model: Composer, melody: Grid, key: Key, seed: int, rules: Rules) -> Drawn:
    """Draw the voices below a melody.

    Args:
        model: draws.
        melody: `[T]`, pitches as the model's highest voice can sing them, 0 for a rest.
        key: of the melody.
        seed: same seed, same harmony.
        rules: how to draw.

    Returns:
        One piece, the likeliest of the tries that are left.
    """
    given = np.full((len(melody), model.config.n_voices), FREE, np.int16)
    given[:, 0] = melody
    drawing = Drawing(model, [(seed, n) for n in range(N_TRIES)], len(melody), rules, given)
    chance = np.random.default_rng((seed, N_TRIES))
    beat = model.config.steps_per_quarter
    final = _last_onset(melody)
    weights = np.zeros(N_TRIES)
    for step in range(len(melody)):
        drawing.step()
        weights -= drawing.nats[:, step, 0]
        if step == final:
            weights += _FINAL_CHORD * _is_final(drawing.history.grid[:, step], key)
        if step % beat == beat - 1 or step == final:
            shares = np.exp(weights - weights.max())
            shares /= shares.sum()
            if 1 / (shares**2).sum() < N_TRIES / 2:
                points = (np.arange(N_TRIES) + chance.random()) / N_TRIES
                rows = np.searchsorted(shares.cumsum(), points, side="right")
                drawing.keep(np.minimum(rows, N_TRIES - 1).astype(np.int64))
                weights = np.zeros(N_TRIES)
    drawn = drawing.drawn()
    total = drawn.nats.sum((1, 2)) - _FINAL_CHORD * _is_final(drawn.pitches[:, final], key)
    best = int(np.argmin(total))
    return Drawn(
        pitches=drawn.pitches[best : best + 1],
        struck=drawn.struck[best : best + 1],
        fermata=drawn.fermata[best : best + 1],
        last=drawn.last[best : best + 1],
        nats=drawn.nats[best : best + 1],
    )


def _last_onset(melody: Grid) -> int:
    changes = np.flatnonzero(np.diff(melody, prepend=-1) != 0)
    return int(changes[-1])


def _is_final(frames: NDArray[np.int16], key: Key) -> NDArray[np.bool_]:
    """Return whether each chord `[B, V]` is the tonic's triad in root position."""
    chord = triad(key)
    classes = frames.astype(np.int64) % 12
    third = np.isin(classes, (chord[1], (key.tonic + 4) % 12)).any(1)
    inside = np.isin(classes, (*chord, (key.tonic + 4) % 12)).all(1)
    is_final: NDArray[np.bool_] = inside & third & (classes[:, -1] == key.tonic)
    return is_final
