"""Does music follow the score that it started from? Pitch classes of the sound against the notes.

For the stretch that the score covers, frame by frame; for what follows, by how often each pitch
class sounds. The same figures for the score moved to the eleven other keys say what a coincidence
would give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from musiccore.audio.measures import chroma, pitch_frames
from musiccore.audio.sound import Audio
from musiccore.errors import AudioError
from musiccore.scores.score import Score

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCheck:
    """How well a sound follows a score; correlations from -1 to 1.

    Attributes:
        primer: mean over the frames of the stretch that the score covers.
        primer_elsewhere: the highest of the same for the eleven other keys.
        following: pitch classes of what follows against those of the score; None if nothing
            audible follows.
        following_elsewhere: the highest of the same for the eleven other keys.
        drift: semitones, -5 to 6, of the key in which what follows fits best; 0 is the score's.
    """

    primer: float
    primer_elsewhere: float
    following: float | None
    following_elsewhere: float | None
    drift: int | None


def check_against_score(score: Score, audio: Audio, seconds: float) -> ScoreCheck:
    """Compare a sound with the score that it started from.

    Args:
        score: what was played at the beginning.
        audio: the whole result.
        seconds: how long the score's part of it is.

    Raises:
        AudioError: if the score is silent for that long.
    """
    split = round(seconds * audio.sample_rate)
    heard = np.sqrt(chroma(audio.samples[:, :split], audio.sample_rate))  # [12, frames]
    hop = pitch_frames(audio.sample_rate)[1] / audio.sample_rate
    notes = score_chroma(score, heard.shape[1], hop)
    sounding = notes.any(axis=0)
    if not sounding.any():
        raise AudioError(f"the score is silent for its first {seconds:.2f} s")
    heard, written = heard[:, sounding], notes[:, sounding]
    at = [
        float(np.mean(_correlations(np.roll(written, shift, axis=0), heard))) for shift in range(12)
    ]
    rest = np.zeros((12, 1))
    if audio.n_samples > split:
        later = chroma(audio.samples[:, split:], audio.sample_rate)
        rest = np.sqrt(later).sum(axis=1, keepdims=True)
    follows = bool(rest.any())
    profile = written.sum(axis=1, keepdims=True)
    after = [float(_correlations(np.roll(profile, shift, axis=0), rest)[0]) for shift in range(12)]
    best = int(np.argmax(after))
    return ScoreCheck(
        primer=at[0],
        primer_elsewhere=max(at[1:]),
        following=after[0] if follows else None,
        following_elsewhere=max(after[1:]) if follows else None,
        drift=(best - 12 if best > 6 else best) if follows else None,
    )


def score_chroma(score: Score, n_frames: int, hop_seconds: float) -> Real:
    """Return how loud each pitch class of a score is at the middle of each frame.

    Args:
        score: percussion is left out.
        n_frames: frames wanted; frame i is at `i * hop_seconds`.
        hop_seconds: seconds between frames.

    Returns:
        [12, n_frames], C first; velocities are summed, 0 is silence.
    """
    table = np.zeros((12, n_frames))
    for note in score.sounding():
        if not note.is_drums:
            first = int(np.ceil(note.onset / hop_seconds))
            last = int(np.ceil((note.onset + note.duration) / hop_seconds))
            table[note.pitch % 12, first:last] += note.velocity / 127
    return table


def _correlations(a: Real, b: Real) -> Real:
    """Correlation of each column of [12, n] with that of the other; 0 where one is constant."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    product = (a * b).sum(axis=0)
    return np.asarray(np.divide(product, norm, out=np.zeros_like(norm), where=norm > 1e-12))
