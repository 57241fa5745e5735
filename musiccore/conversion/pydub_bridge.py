"""Our sound as pydub's AudioSegment and back, for people who know pydub. The only door to it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musiccore.audio.sound import Audio
from musiccore.audio.streams import Frames
from musiccore.errors import AudioError

if TYPE_CHECKING:
    from pydub import AudioSegment

    from musiccore.conversion.fitting import TargetPlan

_FULL_SCALE = {1: 1 << 7, 2: 1 << 15, 4: 1 << 31}
_PYDUB_FORMATS = {"m4a": ("ipod", "aac"), "aac": ("adts", "aac"), "wma": ("asf", "wmav2"),
                  "webm": ("webm", "libopus"), "opus": ("opus", "libopus"),
                  "ogg": ("ogg", "libvorbis"), "mp3": ("mp3", "libmp3lame")}  # fmt: skip


def _segment_class() -> Any:
    with warnings.catch_warnings():  # it warns where no ffmpeg is on PATH, and has odd escapes
        warnings.simplefilter("ignore")
        from pydub import AudioSegment
    return AudioSegment


def to_segment(audio: Audio, *, bits: int = 16) -> AudioSegment:
    """Return a sound as pydub has it.

    Args:
        audio: samples beyond -1 to 1 are clipped.
        bits: 16 or 32.

    Returns:
        A segment of the same length, rate and channels.

    Raises:
        AudioError: if pydub has no such sample width.
    """
    if bits not in (16, 32):
        raise AudioError(f"pydub works with 16 or 32 bit here, not {bits}")
    full = float(1 << (bits - 1))
    wide = np.rint(audio.samples.T.astype(np.float64) * full)
    whole = np.clip(wide, -full, full - 1.0).astype("<i2" if bits == 16 else "<i4")
    return _segment_class()(
        data=np.ascontiguousarray(whole).tobytes(), sample_width=bits // 8,
        frame_rate=audio.sample_rate, channels=audio.n_channels,
    )  # fmt: skip


def from_segment(segment: AudioSegment) -> Audio:
    """Return one of pydub's segments as a sound.

    Args:
        segment: of 8, 16 or 32 bit; 24 bit become 32 inside pydub.

    Returns:
        The same samples.

    Raises:
        AudioError: if it is empty or of another width.
    """
    full = _FULL_SCALE.get(segment.sample_width)
    if full is None:
        raise AudioError(f"a segment of {8 * segment.sample_width} bit cannot be taken over")
    whole = np.array(segment.get_array_of_samples()).reshape(-1, segment.channels)
    samples = np.ascontiguousarray((whole.T / full).astype(np.float32))
    return Audio(samples=samples, sample_rate=segment.frame_rate)


class PydubWriter:
    """A file that pydub exports, with the program ffmpeg behind it; held in memory until then.

    Args:
        path: where.
        plan: what is written.
        program: path of ffmpeg.
    """

    def __init__(self, path: Path, plan: TargetPlan, program: str) -> None:
        self._path, self._plan, self._program = path, plan, program
        self._blocks: list[Frames] = []

    def write(self, block: Frames) -> None:
        """Append a block [T, C]."""
        self._blocks.append(block.astype(np.float32))

    def close(self) -> None:
        """Export everything.

        Raises:
            AudioError: if pydub or its program fails.
        """
        plan = self._plan
        samples = np.ascontiguousarray(np.concatenate(self._blocks).T)
        segment: Any = to_segment(Audio(samples=samples, sample_rate=plan.sample_rate))
        container, codec = _PYDUB_FORMATS[plan.kind]
        segment.converter = self._program  # of this segment alone, not of the class
        options = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1"]
        from pydub.exceptions import CouldntEncodeError

        try:
            segment.export(
                str(self._path), format=container, codec=codec, bitrate=f"{plan.bitrate}k",
                parameters=options,
            ).close()  # fmt: skip
        except (CouldntEncodeError, OSError) as error:
            raise AudioError(
                f"{self._path.name!r} cannot be written by pydub: {str(error)[:200]}"
            ) from error

    def abort(self) -> None:
        """Forget what was given."""
        self._blocks.clear()
