"""What a piece starts from, as it was when its run began: a file, or a score that is composed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from musiccore.composing import ComposeOptions, compose
from musiccore.composing.options import MAX_SEED
from musiccore.config import ModelConfig
from musiccore.errors import AudioError
from musiccore.midi import write_midi
from musiccore.primers import (
    bar_length,
    composed_bars,
    is_score,
    read_primer_score,
)
from musiccore.records import sha256 as digest_of
from musiccore.request import GenerationRequest

_BARS_BEYOND: Final = 4
"""Bars that are composed and left out, so that the primer does not end with a cadence."""


def compose_primer(request: GenerationRequest, config: ModelConfig) -> bytes:
    """Compose the primer that a request asks for.

    Without a key, `nano` gets the one it was trained in: C major, or A minor if the genre says so.

    Args:
        request: with `primer_compose`.
        config: the model that continues it.

    Returns:
        A MIDI file; equal requests give equal bytes on one machine.
    """
    asked = request.primer_compose
    assert asked is not None
    mode = asked.mode or ("minor" if "minor" in request.conditioning.genre.split() else "major")
    key = asked.key
    if not key and config.name == "nano":
        key = "C" if mode == "major" else "A"
    seed = request.sampling.seed if asked.seed is None else asked.seed
    bars = composed_bars(asked.tempo, request.composed_limit)
    score = compose(
        ComposeOptions(
            seed=seed % (MAX_SEED + 1),
            bars=bars + _BARS_BEYOND,
            key=key,
            mode="minor" if mode == "minor" else "major",
            tempo=asked.tempo,
            temperature=asked.temperature,
        )
    )
    return write_midi(score.until(bars * bar_length(asked.tempo)))


def primer_midi(request: GenerationRequest, config: ModelConfig, sha256: str) -> bytes | None:
    """Return the score that a piece starts from, as the run began with it.

    Args:
        request: what to make.
        config: the model that continues it.
        sha256: digest of the primer's file, or of the composed MIDI file.

    Returns:
        A MIDI file; None if the piece starts from a recording or from nothing.

    Raises:
        AudioError: if the file is gone or another one, or cannot be read.
    """
    if request.primer_compose is not None:
        data = compose_primer(request, config)
        if digest_of(data) != sha256:
            raise AudioError(
                "primer: this machine composes another one than the run began with",
                hint="go on where the run began, or start another run",
            )
        return data
    if request.primer is None or not is_score(Path(request.primer)):
        return None
    primer_file(request, sha256)
    return write_midi(read_primer_score(Path(request.primer)))


def primer_file(request: GenerationRequest, sha256: str) -> bytes:
    """Return the bytes of the primer's file, if it is still the one that the run began with.

    Raises:
        AudioError: if it is not.
    """
    path = Path(request.primer or "")
    data = path.read_bytes() if path.is_file() else b""
    if digest_of(data) != sha256:
        raise AudioError(
            f"primer {request.primer!r} is missing, or not the file that the run began with",
            hint="put the file back where it was, or start another run",
        )
    return data
