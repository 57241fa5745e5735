"""Sound in blocks: files of any length are read and written in constant memory.

With `audio` the door to soundfile; `resampling` changes rates. A block is float [T, C], at most
`BLOCK` frames: libsndfile's encoders are safe at that size and not above.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from musiccore.audio.mpg123 import LOST, overheard
from musiccore.audio.signatures import DAMAGED_HINT, HEAD_BYTES, cut_short, sniff
from musiccore.audio.sound import BLOCK, MAX_RATE, MIN_RATE, open_onward
from musiccore.errors import AudioError

Frames = npt.NDArray[np.floating]  # float32 or float64 [T, C]

MAX_STREAM_CHANNELS = 16

_WORD_BITS = {"8": "8", "16": "16", "20": "24", "24": "24", "32": "32"}
_KINDS = {"WAV": "wav", "WAVEX": "wav", "RF64": "rf64", "W64": "w64", "FLAC": "flac", "OGG": "ogg",
          "MP3": "mp3", "AIFF": "aiff", "CAF": "caf", "AU": "au"}  # fmt: skip
_MOST_FRAMES = 1 << 40  # more than that no file holds
_OF_MPEG = ("mp1", "mp2", "mp3")
_COMPRESSED = ("flac", "mp3", "ogg", "opus")
_LOSSY = ("mp3", "ogg", "opus")
_SEEKABLE = ("wav", "rf64", "w64", "aiff", "au", "flac", "caf")


class Seekable(Protocol):
    """What a decoder reads: a file, or something that looks like one."""

    def read(self, n_bytes: int = ..., /) -> bytes:
        """Return the next bytes."""
        ...

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to a place."""
        ...

    def tell(self) -> int:
        """Return the place."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def _beginning(seen: Seekable) -> bytes:
    head = seen.read(HEAD_BYTES)
    seen.seek(0)
    return head


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file of sound.

    Args:
        path: what the user named.

    Returns:
        At most 64 bytes, at least one.

    Raises:
        AudioError: naming the file: missing, a folder, a pipe or a device, unreadable, empty.
    """
    name = f"audio file {os.fspath(path)!r}"
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{name} is a folder", hint="name one audio file")
        if not stat.S_ISREG(mode):
            raise AudioError(
                f"{name} is a pipe or a device, not a regular file",
                hint="save the audio to a file first",
            )
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise AudioError(f"{name} does not exist", hint="check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{name} cannot be read: {reason}") from error
    if not head:
        raise AudioError(f"{name} is empty (0 bytes)", hint=DAMAGED_HINT)
    return head


def bits_of(subtype: str) -> str:
    """Return how finely a subtype stores samples.

    Args:
        subtype: libsndfile's name.

    Returns:
        "8", "16", "24", "32", "float", "double", or "lossy" for what has no such number.
    """
    if subtype in ("FLOAT", "DOUBLE"):
        return subtype.lower()
    name, _, width = subtype.rpartition("_")
    if name in ("PCM", "ALAC", "DWVW", "DPCM"):
        return _WORD_BITS.get(width.removeprefix("U").removeprefix("S"), "16")
    lossy = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
    return "lossy" if subtype in lossy else "16"


class SoundReader:
    """A file of sound, opened; close it, or use it in a `with` block.

    Args:
        path: the file.
        seen: what the decoder sees instead of the file: open, seekable; it is closed with this.
        kind: format, if somebody has looked closer than at the first bytes.

    Attributes:
        kind: format by its content: "wav", "rf64", "w64", "flac", "mp3", "ogg", "opus", "aiff",
            "caf", "au".
        subtype: libsndfile's name of how samples are stored.
        sample_rate: Hz.
        channels: number of them.
        n_frames: samples per channel by its header; an MP3 without one gives an estimate. None
            where the header does not say.
        shortage: how the file is shorter than its header promises, None if it is whole.
        broken: what went wrong after some of it was decoded.
        dtype: "float64" where float32 would lose bits, otherwise "float32".

    Raises:
        AudioError: naming the file: missing, not audio, damaged, absurd header.
    """

    def __init__(
        self, path: Path, *, seen: Seekable | None = None, kind: str | None = None
    ) -> None:
        import soundfile

        self.name = f"audio file {os.fspath(path)!r}"
        head = head_of(path) if seen is None else _beginning(seen)
        found = sniff(head) or kind
        if found is None:
            raise AudioError(
                f"{self.name} is not audio that can be read here: it begins with {head[:12]!r}",
                hint="convert it to WAV, FLAC or MP3 first",
            )
        self.kind = found
        self.shortage = cut_short(head, path.stat().st_size) if seen is None else None
        self.broken: str | None = None
        # soundfile takes a name that ends with .raw for headerless samples.
        raw = seen is None and path.suffix.lower() == ".raw"
        self._handle: Seekable | IO[bytes] | None = path.open("rb") if raw else seen
        try:
            with self._listening():
                # Names are bytes: not all of them are text.
                opened = open_onward if found in _LOSSY else soundfile.SoundFile
                self._file: Any = opened(self._handle or os.fsencode(path))
        except (soundfile.SoundFileError, TypeError, ValueError, OverflowError) as error:
            self._close_handle()
            raise self._undecodable(error) from error
        self.subtype: str = self._file.subtype
        self.kind = "opus" if self.subtype == "OPUS" else _KINDS.get(self._file.format, found)
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        frames: int = self._file.frames
        self.n_frames = None if frames > _MOST_FRAMES else frames
        self.dtype = "float64" if bits_of(self.subtype) in ("32", "double") else "float32"
        try:
            self._check_header()
        except AudioError:
            self.close()
            raise

    def _check_header(self) -> None:
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise AudioError(
                f"{self.name} has a sample rate of {self.sample_rate} Hz, "
                f"want {MIN_RATE} to {MAX_RATE} Hz",
                hint=DAMAGED_HINT,
            )
        if self.channels > MAX_STREAM_CHANNELS:
            raise AudioError(
                f"{self.name} has {self.channels} channels, at most {MAX_STREAM_CHANNELS} work"
            )

    def _undecodable(self, error: Exception) -> AudioError:
        detail = getattr(error, "error_string", None) or str(error)
        detail = str(detail).removeprefix("Error : ").rstrip(".")
        if "possibly a pipe" in detail:  # which is ruled out already
            detail = "no frame of sound was found"
        return AudioError(
            f"{self.name} cannot be decoded as {self.kind}: {detail}", hint=DAMAGED_HINT
        )

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Keep the decoder of MP3 from talking to everybody, and mark what it says is lost."""
        if self.kind not in _OF_MPEG:
            yield
            return
        with overheard() as lines:
            yield
        if any(word in line for line in lines for word in LOST):
            self.broken = "frames of sound are missing in the middle"

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Yield the sound from frame `start` to before frame `stop`, or to its end.

        Where it cannot be decoded any further it ends, and `broken` says why.

        Raises:
            AudioError: if nothing can be decoded, or it holds NaN or infinite samples.
        """
        import soundfile

        known = _MOST_FRAMES if self.n_frames is None else self.n_frames
        stop = known if stop is None else min(stop, known)
        position = 0
        # The decoders of lossy formats land a little off after a jump: decode up to there.
        if 0 < start < known and self.n_frames is not None and self.kind in _SEEKABLE:
            try:
                position = int(self._file.seek(start))
            except (soundfile.SoundFileError, RuntimeError) as error:
                raise self._undecodable(error) from error
        # A block with an error in it is lost: where that can be, blocks are short.
        step = BLOCK if self.kind not in _COMPRESSED else BLOCK // 4
        while position < stop:
            try:
                # A new array for each block: whoever takes it may keep or change it.
                with self._listening():
                    block = self._file.read(min(step, stop - position), self.dtype, always_2d=True)
            except (soundfile.SoundFileError, RuntimeError) as error:
                problem = self._undecodable(error)
                if not position:
                    raise problem from error
                self.broken = problem.message.rpartition(": ")[2]
                return
            if not len(block):
                return
            if not np.isfinite(block).all():
                raise AudioError(
                    f"{self.name} holds NaN or infinite samples "
                    f"after {position / self.sample_rate:.1f} s",
                    hint="export it again from the program that made it",
                )
            fresh = block[max(0, start - position) :]
            position += len(block)
            if len(fresh):
                yield fresh

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._close_handle()

    def _close_handle(self) -> None:
        if self._handle is not None:
            self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class SoundWriter:
    """A file of sound to be written block by block; close it, or use it in a `with` block.

    Args:
        path: where; what is there is written over.
        container: libsndfile's name of the format.
        subtype: its name of how samples are stored.
        sample_rate: Hz.
        channels: number of them.
        compression: 0.0 (large) to 1.0 (small), for formats that have such a choice.
        constant: the same bit rate throughout, for MP3.

    Raises:
        AudioError: if this format cannot hold that, or the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        *,
        container: str,
        subtype: str,
        sample_rate: int,
        channels: int,
        compression: float | None = None,
        constant: bool = False,
    ) -> None:
        import soundfile

        self._name = repr(path.name)
        self._lossy_float = subtype in ("MPEG_LAYER_III", "VORBIS", "OPUS")
        try:
            self._file: Any = soundfile.SoundFile(
                os.fsencode(path),
                "w",
                sample_rate,
                channels,
                subtype,
                format=container,
                compression_level=compression,
                bitrate_mode="CONSTANT" if constant else None,
            )
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise AudioError(
                f"{self._name} cannot be written as {container} of {channels} channels "
                f"at {sample_rate} Hz: {_reason(error)}"
            ) from error

    def write(self, block: npt.NDArray[np.generic]) -> None:
        """Append a block: int16 or int32 for PCM, float otherwise.

        Raises:
            AudioError: if it holds NaN or infinite samples, or cannot be written.
        """
        import soundfile

        if block.dtype.kind == "f" and not np.isfinite(block).all():
            raise AudioError("sound to be written holds NaN or infinite samples")
        if self._lossy_float:  # libsndfile writes noise when an MP3 is fed with int16
            block = block.astype(np.float32, copy=False)
        try:
            for at in range(0, len(block), BLOCK):
                self._file.write(np.ascontiguousarray(block[at : at + BLOCK]))
        except (soundfile.SoundFileError, RuntimeError, AssertionError) as error:
            raise AudioError(
                f"{self._name} cannot be written: {_reason(error)}",
                hint="check the free space of the disk",
            ) from error

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _reason(error: Exception) -> str:
    detail = getattr(error, "error_string", None) or str(error) or "fewer bytes than were given"
    return str(detail).removeprefix("Error : ").rstrip(".")
