"""A whole recording in memory, with a word about everything that is missing from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from musiccore.audio.signatures import DAMAGED_HINT
from musiccore.audio.sound import Audio
from musiccore.conversion.channels import mixing_matrix
from musiccore.conversion.pipeline import mixed
from musiccore.conversion.sources import open_sound
from musiccore.errors import AudioError


def heard_all(
    path: Path, *, mono: bool = True, strict: bool = False
) -> tuple[Audio, tuple[str, ...]]:
    """Read a recording to its end.

    Args:
        path: a file of any format.
        mono: mix its channels to one, by their speakers.
        strict: refuse one that is damaged or ends early.

    Returns:
        The sound, and what is odd about the file or missing from it.

    Raises:
        AudioError: if it cannot be read or holds no samples, or for being strict.
        MissingProgram: if only ffmpeg could read it.
    """
    sound = open_sound(path)
    blocks = sound.blocks()
    if mono:
        blocks = mixed(blocks, mixing_matrix(sound.channels, 1, sound.mask))
    kept = [block.astype(np.float32, copy=False) for block in blocks]
    if strict and sound.damage:
        raise AudioError(f"strict: {sound.damage}", hint=DAMAGED_HINT)
    if not kept:
        raise AudioError(f"audio file {str(path)!r} holds no samples", hint=DAMAGED_HINT)
    samples = np.ascontiguousarray(np.concatenate(kept).T)
    warnings = tuple(filter(None, (*sound.warnings, sound.damage)))
    return Audio(samples=samples, sample_rate=sound.sample_rate), warnings
