"""Where sound comes from: files, opened again for every pass."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from musiccore.containers import HEAD_BYTES, sniff, sniff_foreign
from musiccore.editing.channels import VORBIS_ORDER
from musiccore.editing.digest import FlacDigest
from musiccore.editing.ffmpeg import FfmpegReader, find_ffmpeg
from musiccore.editing.formats import SUFFIXES
from musiccore.editing.pages import ogg_damage
from musiccore.errors import AudioError
from musiccore.streams import Frames, SoundReader, bits_of, head_of


class Sound(Protocol):
    """Something that can be heard from the beginning as often as wanted.

    Attributes:
        name: how to call it in a message.
        sample_rate: Hz.
        channels: number of them, in the order of WAV.
        n_frames: samples per channel expected; None if only hearing it tells.
        bits: how finely it is stored, see `streams.bits_of`.
        exact: every sample is one that these bits can hold.
        dtype: "float32" or "float64".
        kind: format by its content, or what made it.
        warnings: what was found to be odd, complete after a pass.
        damage: what is missing or broken, complete after a pass.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def channels(self) -> int: ...  # noqa: D102
    @property
    def n_frames(self) -> int | None: ...  # noqa: D102
    @property
    def bits(self) -> str: ...  # noqa: D102
    @property
    def exact(self) -> bool: ...  # noqa: D102
    @property
    def dtype(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def warnings(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def damage(self) -> str | None: ...  # noqa: D102

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Yield [T, C] from frame `start` to before frame `stop`, or to the end."""
        ...


class FileSound:
    """A file that soundfile reads.

    Args:
        path: the file.

    Raises:
        AudioError: if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        with SoundReader(path) as reader:
            self.sample_rate, self.channels = reader.sample_rate, reader.channels
            self.n_frames: int | None = reader.n_frames
            self.bits, self.dtype, self.kind = bits_of(reader.subtype), reader.dtype, reader.kind
            shortage = reader.shortage
        if self.kind in ("ogg", "opus"):
            shortage = ogg_damage(path)
        self.damage = shortage and f"{path.name!r} {shortage}"
        self.exact = self.bits.isdigit()
        order = VORBIS_ORDER.get(self.channels) if self.kind in ("ogg", "opus") else None
        self._places = order and [order.index(place) for place in range(self.channels)]
        self.warnings = misnamed(path, self.kind)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Yield the sound; sets `damage` if the file holds less than it promises."""
        done = 0
        whole = self.kind == "flac" and not start and stop is None
        digest = FlacDigest(self.path) if whole else None
        with SoundReader(self.path) as reader:
            for block in reader.blocks(start, stop):
                done += len(block)
                if digest is not None:
                    digest.add(block)
                yield block if self._places is None else block[:, self._places]
            promised = min(reader.n_frames if stop is None else stop, reader.n_frames) - start
            # The length of an MP3 without a length header is an estimate.
            tolerated = promised // 100 + 3 * 1152 if self.kind == "mp3" else 0
            if done < promised - tolerated:
                reason = f": {reader.broken}" if reader.broken else ""
                self.damage = (
                    f"{self.name!r} promises {promised} samples per channel, "
                    f"and only {done} could be decoded{reason}"
                )
            elif reader.broken:
                self.damage = f"{self.name!r} is damaged: {reader.broken}"
            elif digest is not None and digest.differs():
                self.damage = f"{self.name!r} is damaged: its samples are not those of its MD5"


def open_sound(path: Path, *, engine: str = "auto", ffmpeg: str | None = None) -> Sound:
    """Open any file of sound.

    Args:
        path: the file; its content decides how it is read, not its name.
        engine: "soundfile" never asks ffmpeg; every other asks it for what soundfile cannot read.
        ffmpeg: path of the program; None looks for it.

    Returns:
        The sound, whose `blocks` read the file anew each time.

    Raises:
        AudioError: naming the file: missing, a folder, empty, not audio, damaged.
        MissingProgram: if only ffmpeg could read it and there is none.
    """
    head = head_of(path)
    foreign = None if sniff(head) else sniff_foreign(head[:HEAD_BYTES])
    if foreign is None:
        return FileSound(path)
    if engine == "soundfile":
        raise AudioError(
            f"audio file {os.fspath(path)!r} is {foreign}, which soundfile cannot read",
            hint="use engine auto or ffmpeg",
        )
    return FfmpegReader(path, foreign, find_ffmpeg(ffmpeg, f"reading {path.name!r}"))


def misnamed(path: Path, kind: str) -> tuple[str, ...]:
    """Say if a file is called what it is not."""
    called = SUFFIXES.get(path.suffix.lower().removeprefix("."))
    alike = ({"wav", "rf64"}, {"ogg", "opus"})
    if called is None or called == kind or any({called, kind} <= group for group in alike):
        return ()
    return (f"{path.name!r} is {kind.upper()} by its content, not {called.upper()}",)
