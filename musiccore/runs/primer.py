"""What a piece starts from, as it was when its run began: a file, or a score that is composed."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final

import numpy as np

from musiccore.audio.sound import Audio
from musiccore.composer import ComposeOptions, compose
from musiccore.composer.compose_options import MAX_SEED
from musiccore.errors import AudioError, Corrupt
from musiccore.models.config import ModelConfig
from musiccore.request.request import GenerationRequest
from musiccore.runs.primer_audio import (
    bar_length,
    composed_bars,
    is_score,
    read_primer,
    read_primer_score,
)
from musiccore.scores.midi import write_midi
from musiccore.storage.sealed import sha256 as digest_of

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


def primer_piece(
    request: GenerationRequest, config: ModelConfig, n_samples: int, sha256: str, ffmpeg: str | None
) -> bytes:
    """Return what is used of a primer, as a run keeps it.

    Args:
        request: what to make.
        config: the model that continues it.
        n_samples: length that is used, at the model's rate.
        sha256: digest of the primer's file, or of the composed MIDI file.
        ffmpeg: path of the program; None looks for it.

    Returns:
        A MIDI file; of a recording what the model hears, see `sound_of`.

    Raises:
        AudioError: if the file is gone or another one, or cannot be read.
        MissingProgram: if only ffmpeg could read it and there is none.
    """
    if request.primer_compose is not None:
        data = compose_primer(request, config)
        if digest_of(data) != sha256:
            raise AudioError(
                "primer: this machine composes another one than the run began with",
                hint="go on where the run began, or start another run",
            )
        return data
    path = Path(request.primer or "")
    _check_file(path, sha256)
    if is_score(path):
        return write_midi(read_primer_score(path))
    heard = read_primer(path, n_samples, config.vqvae.sample_rate, ffmpeg=ffmpeg)
    buffer = io.BytesIO()
    np.save(buffer, heard.samples, allow_pickle=False)
    return buffer.getvalue()


def sound_of(piece: bytes, config: ModelConfig) -> Audio:
    """Return a recording that a run keeps: mono [1, n_samples] at the model's rate.

    Raises:
        Corrupt: if it is none.
    """
    try:
        samples = np.load(io.BytesIO(piece), allow_pickle=False)
        return Audio(samples=samples, sample_rate=config.vqvae.sample_rate)
    except (ValueError, EOFError, AudioError) as error:
        raise Corrupt(f"the primer that the run keeps is damaged: {error}") from error


def starts_from_score(request: GenerationRequest) -> bool:
    """Return whether a piece starts from a score."""
    composed = request.primer_compose is not None
    return composed or (request.primer is not None and is_score(Path(request.primer)))


def file_sha256(path: Path) -> str:
    """Return the digest of a file of any size; empty if there is none.

    Raises:
        AudioError: if it cannot be read.
    """
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"primer: {str(path)!r} cannot be read: {error.strerror}") from error


def _check_file(path: Path, sha256: str) -> None:
    if file_sha256(path) != sha256:
        raise AudioError(
            f"primer {str(path)!r} is missing, or not the file that the run began with",
            hint="put the file back where it was, or start another run",
        )
