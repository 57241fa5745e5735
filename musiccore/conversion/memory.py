"""Files of any format read whole into memory.

It takes what users hand in: it looks at the file before opening it, caps size and duration before
decoding, and gives one clear `AudioError` for every bad file.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import numpy as np

from musiccore.audio.signatures import DAMAGED_HINT, HEAD_BYTES, cut_short, sniff
from musiccore.audio.sound import Audio, check_header, decode
from musiccore.conversion.sources import open_sound
from musiccore.errors import AudioError, MissingProgram

MAX_SECONDS = 3600.0
MAX_BYTES = 1 << 30


def read(
    source: str | os.PathLike[str] | bytes,
    *,
    min_seconds: float = 0.0,
    max_seconds: float = MAX_SECONDS,
    max_bytes: int = MAX_BYTES,
) -> Audio:
    """Read a file of any format, to its end.

    Args:
        source: a path, or the bytes of a file.
        min_seconds: shorter audio is refused.
        max_seconds: longer audio is refused before anything is decoded.
        max_bytes: a larger file is refused before it is read.

    Returns:
        All channels at the file's own rate.

    Raises:
        AudioError: naming the file and what is wrong: missing, a folder, not a regular file, empty,
            too large, not audio, cut short, absurd header, too short or long, NaN inside.
        MissingProgram: if only ffmpeg could read it and there is none.
    """
    name = "audio data" if isinstance(source, bytes) else f"audio file {os.fspath(source)!r}"
    data = source if isinstance(source, bytes) else _file_bytes(Path(source), name, max_bytes)
    if not data:
        raise AudioError(f"{name} is empty (0 bytes)", hint=DAMAGED_HINT)
    if len(data) > max_bytes:
        raise AudioError(f"{name} has {len(data)} bytes, more than the limit of {max_bytes}")
    audio = _plain(data, name, max_seconds)
    if audio is None:
        audio = _examined(source, name, max_seconds)
    if audio.seconds < min_seconds:
        raise AudioError(
            f"{name} lasts {audio.seconds:.3f} s ({audio.n_samples} samples), "
            f"less than the {min_seconds:.3f} s needed"
        )
    return audio


def _plain(data: bytes, name: str, max_seconds: float) -> Audio | None:
    """Decode what states its length and keeps to it; None for everything else."""
    kind = sniff(data)
    if kind not in ("wav", "flac", "aiff") or cut_short(data[:HEAD_BYTES], len(data), grace=0):
        return None
    try:
        return decode(data, name, kind, max_seconds)
    except AudioError:  # which is not the last word: it may be mended
        return None


def _examined(source: str | os.PathLike[str] | bytes, name: str, max_seconds: float) -> Audio:
    """Decode by what is in the file; all of it, or an error."""
    if not isinstance(source, bytes):
        return _heard(Path(source), name, max_seconds)
    with tempfile.TemporaryDirectory(prefix="jukeflow-") as folder:
        path = Path(folder, "audio")
        path.write_bytes(source)
        try:
            return _heard(path, name, max_seconds)
        except (AudioError, MissingProgram) as error:
            message = error.message.replace(f"audio file {os.fspath(path)!r}", name)
            error.message = message.replace("'audio'", name)
            raise


def _heard(path: Path, name: str, max_seconds: float) -> Audio:
    sound = open_sound(path)
    rate, channels = sound.sample_rate, sound.channels
    check_header(name, rate, channels, 1 if sound.n_frames is None else sound.n_frames, max_seconds)
    blocks, done = [], 0
    for block in sound.blocks():
        blocks.append(block.astype(np.float32, copy=False))
        done += len(block)
        check_header(name, rate, channels, done, max_seconds)
    if sound.damage:
        words = sound.damage.removeprefix(f"{sound.name!r} ")
        raise AudioError(f"{name} {words}", hint=DAMAGED_HINT)
    if not done:
        raise AudioError(f"{name} holds no samples", hint=DAMAGED_HINT)
    return Audio(samples=np.ascontiguousarray(np.concatenate(blocks).T), sample_rate=rate)


def _file_bytes(path: Path, name: str, max_bytes: int) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(f"{name} is a folder", hint="name one audio file")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(
                f"{name} is a pipe or a device, not a regular file",
                hint="save the audio to a file first",
            )
        if status.st_size > max_bytes:
            raise AudioError(
                f"{name} has {status.st_size} bytes, more than the limit of {max_bytes}"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise AudioError(f"{name} does not exist", hint="check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{name} cannot be read: {reason}") from error
