"""Where sound comes from: files, opened again for every pass."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from musiccore.audio.resampling import resampled
from musiccore.audio.streams import Frames, SoundReader, bits_of, head_of
from musiccore.conversion.channels import VORBIS_ORDER, mixing_matrix
from musiccore.conversion.contents import Content, examine
from musiccore.conversion.digest import FlacDigest
from musiccore.conversion.formats import SUFFIXES
from musiccore.conversion.pipeline import cut, mixed
from musiccore.conversion.speakers import USUAL
from musiccore.conversion.splices import Splice, SplicedFile
from musiccore.errors import AudioError, MissingProgram


class SoundSource(Protocol):
    """Something that can be heard from the beginning as often as wanted.

    Attributes:
        name: how to call it in a message.
        sample_rate: Hz.
        channels: number of them, in the order of WAV.
        n_frames: samples per channel expected; None if only hearing it tells.
        bits: how finely it is stored, see `streams.bits_of`.
        mask: which speakers its channels are for, see `speakers`; 0 unsaid.
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
    def mask(self) -> int: ...  # noqa: D102
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


Rescue = Callable[[], SoundSource]
"""Opens the same file with the other decoder; `MissingProgram` where there is none."""


_LAID_OUT = ("flac", "ogg", "opus")  # whose channels always have their speakers


class FileSound:
    """A file that soundfile reads; where it stops early, the other decoder goes on.

    Args:
        path: the file.
        content: what it was found to be.
        splice: what the decoder is to see instead of it.
        rescue: the other decoder.

    Raises:
        AudioError: if it cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        content: Content,
        splice: Splice | None = None,
        rescue: Rescue | None = None,
    ) -> None:
        self.path, self.name = path, path.name
        self._content, self._splice, self._rescue = content, splice, rescue
        with self._opened() as reader:
            self.sample_rate, self.channels = reader.sample_rate, reader.channels
            self.n_frames = reader.n_frames
            self.bits, self.dtype, self.kind = bits_of(reader.subtype), reader.dtype, reader.kind
            shortage = reader.shortage if reader.kind == "rf64" else None
        if content.kind in ("ogg", "opus"):
            self.kind = content.kind
        shortage = content.damage or shortage
        self.damage = shortage and f"{path.name!r} {shortage}"
        self.exact = self.bits.isdigit()
        self.mask = content.mask if content.mask.bit_count() == self.channels else 0
        if self.kind in _LAID_OUT:
            self.mask = self.mask or USUAL.get(self.channels, 0)
        vorbis = self.kind in ("ogg", "opus") and self.bits == "lossy"
        order = VORBIS_ORDER.get(self.channels) if vorbis else None
        self._places = order and [order.index(place) for place in range(self.channels)]
        self.warnings = (
            *misnamed(path, self.kind),
            *(f"{path.name!r} {words}" for words in content.warnings),
        )

    def _opened(self) -> SoundReader:
        seen = None if self._splice is None else SplicedFile(self.path, self._splice)
        return SoundReader(self.path, seen=seen, kind=self._content.kind)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Yield the sound; sets `damage` if the file holds less than it promises."""
        done = 0
        alone = len(self._content.streams) <= 1  # the digest is that of the first of several
        whole = self.kind == "flac" and alone and not start and stop is None
        digest = FlacDigest(self.path) if whole else None
        with self._opened() as reader:
            for block in reader.blocks(start, stop):
                done += len(block)
                if digest is not None:
                    digest.add(block)
                yield block if self._places is None else block[:, self._places]
            frames, broken = reader.n_frames, reader.broken
        ends = [each for each in (frames, stop) if each is not None]
        promised = max(0, min(ends) - start) if ends else done
        if done >= promised and not broken:
            if digest is not None and digest.differs():
                self.damage = f"{self.name!r} is damaged: its samples are not those of its MD5"
            return
        before = done
        for block in self._rest(start + done, stop):
            done += len(block)
            yield block
        reason = f": {broken}" if broken else ""
        went_on = f"; ffmpeg read on after {_in_seconds(start + before, self.sample_rate)}"
        if done < promised:
            self.damage = (
                f"{self.name!r} promises {promised} samples per channel, "
                f"and only {done} could be decoded{reason}"
            )
        elif broken:
            self.damage = f"{self.name!r} is damaged{reason}"
            self.damage += went_on if done > before else ""

    def _rest(self, start: int, stop: int | None) -> Iterator[Frames]:
        """What the other decoder finds from a frame on."""
        if self._rescue is None:
            return
        try:
            other = self._rescue()
            if (other.sample_rate, other.channels) == (self.sample_rate, self.channels):
                yield from other.blocks(start, stop)
        except (AudioError, MissingProgram):
            return


def _in_seconds(frames: int, rate: int) -> str:
    return f"{frames / rate:.1f} s"


class LinkedSound:
    """Recordings one behind the other in one file, each with a beginning and an end of its own.

    Args:
        path: the file.
        links: them, in order; the highest rate and the most channels count for all.
        warnings: words about the file.
        damage: what is missing or broken in the file.
    """

    def __init__(
        self,
        path: Path,
        links: Sequence[SoundSource],
        warnings: tuple[str, ...],
        damage: str | None,
    ) -> None:
        self.name, self.links = path.name, links
        first = links[0]
        self.sample_rate = max(link.sample_rate for link in links)
        self.channels = max(link.channels for link in links)
        self.bits, self.kind = first.bits, first.kind
        self.mask = next((link.mask for link in links if link.channels == self.channels), 0)
        self.dtype = "float64" if any(link.dtype == "float64" for link in links) else "float32"
        alike = all(
            (link.sample_rate, link.channels, link.bits)
            == (self.sample_rate, self.channels, self.bits)
            for link in links
        )
        self.exact = first.exact and alike
        differ = () if alike else (f"{path.name!r}: its recordings differ in rate or channels",)
        self.warnings = (*warnings, *differ)
        self._damage = damage
        lengths = [_length(link, self.sample_rate) for link in links]
        known = [length for length in lengths if length is not None]
        self.n_frames = sum(known) if len(known) == len(lengths) else None

    @property
    def damage(self) -> str | None:
        """What is missing or broken, complete after a pass."""
        return self._damage or next((link.damage for link in self.links if link.damage), None)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Yield the sound of all of them."""
        yield from cut(self._all(), start, stop)

    def _all(self) -> Iterator[Frames]:
        for link in self.links:
            blocks = (block.astype(self.dtype, copy=False) for block in link.blocks())
            width = link.channels
            level = resampled(blocks, link.sample_rate, self.sample_rate, width, self.dtype)
            yield from mixed(level, mixing_matrix(width, self.channels, link.mask, self.mask))


def _length(link: SoundSource, rate: int) -> int | None:
    return None if link.n_frames is None else round(link.n_frames * rate / link.sample_rate)


def open_sound(path: Path, *, engine: str = "auto", ffmpeg: str | None = None) -> SoundSource:
    """Open any file of sound.

    Args:
        path: the file; its content decides how it is read, not its name.
        engine: "soundfile" never asks ffmpeg; every other asks it for what soundfile cannot read,
            refuses, or does not read to the end.
        ffmpeg: path of the program; None looks for it.

    Returns:
        The sound, whose `blocks` read the file anew each time.

    Raises:
        AudioError: naming the file: missing, a folder, empty, not audio, damaged.
        MissingProgram: if only ffmpeg could read it and there is none.
    """
    content = examine(path)
    name = f"audio file {os.fspath(path)!r}"
    if content is None:
        return _unknown(path, engine, ffmpeg)

    def other() -> SoundSource:
        from musiccore.conversion.ffmpeg import find_ffmpeg

        inside = f", {content.kind.upper()} with {content.codec} inside," if content.codec else ""
        program = find_ffmpeg(ffmpeg, f"reading {path.name!r}{inside}")
        return _by_ffmpeg(path, content, program)

    if content.foreign:
        if engine == "soundfile":
            raise AudioError(
                f"{name} is {content.codec or content.kind}, which soundfile cannot read",
                hint="use engine auto or ffmpeg",
            )
        return other()
    rescue = None if engine == "soundfile" else other
    if content.doubtful and rescue is not None:
        with contextlib.suppress(AudioError, MissingProgram):
            return rescue()
    try:
        return _by_soundfile(path, content, rescue)
    except AudioError as error:
        if rescue is not None:
            try:
                return rescue()
            except MissingProgram:
                if _UNSUPPORTED.search(error.message):
                    raise
            except AudioError:
                pass  # neither of them: what the first one says is about this format
        raise error


_UNSUPPORTED = re.compile("unsupported encoding|[Uu]nimplemented|unknown format|[Nn]o codec")


def _by_soundfile(path: Path, content: Content, rescue: Rescue | None) -> SoundSource:
    if not content.streams:
        return FileSound(path, content, None, rescue)
    if len(content.streams) == 1:
        return FileSound(path, content, content.streams[0], rescue)
    bare = replace(content, warnings=(), damage=None)
    return _linked(path, content, [FileSound(path, bare, splice) for splice in content.streams])


def _linked(path: Path, content: Content, links: Sequence[SoundSource]) -> SoundSource:
    named = misnamed(path, links[0].kind)
    warnings = (*named, *(f"{path.name!r} {words}" for words in content.warnings))
    return LinkedSound(path, links, warnings, content.damage and f"{path.name!r} {content.damage}")


def _by_ffmpeg(path: Path, content: Content, program: str) -> SoundSource:
    from musiccore.conversion.ffmpeg import FfmpegReader

    if content.spans:
        links = [FfmpegReader(path, content.kind, program, span) for span in content.spans]
        return _linked(path, content, links)
    sound = FfmpegReader(path, content.kind, program)
    sound.warnings = (
        *sound.warnings,
        *misnamed(path, content.kind),
        *(f"{path.name!r} {words}" for words in content.warnings),
    )
    if content.damage:
        sound.damage = f"{path.name!r} {content.damage}"
    return sound


def _unknown(path: Path, engine: str, ffmpeg: str | None) -> SoundSource:
    """What nothing here knows: ffmpeg may, if it is sure."""
    from musiccore.conversion.ffmpeg import FfmpegReader, ffmpeg_knows, find_ffmpeg

    head = head_of(path)
    with contextlib.suppress(MissingProgram, AudioError):
        if engine != "soundfile":
            program = find_ffmpeg(ffmpeg, "")
            if (kind := ffmpeg_knows(path, program)) is not None:
                return FfmpegReader(path, kind, program)
    raise AudioError(
        f"audio file {os.fspath(path)!r} is not audio that can be read here: "
        f"it begins with {head[:12]!r}",
        hint="convert it to WAV, FLAC or MP3 first",
    )


def misnamed(path: Path, kind: str) -> tuple[str, ...]:
    """Say if a file is called what it is not."""
    called = SUFFIXES.get(path.suffix.lower().removeprefix("."))
    alike = ({"wav", "rf64"}, {"ogg", "opus"}, {"realaudio", "realmedia"})
    if called is None or called == kind or any({called, kind} <= group for group in alike):
        return ()
    return (f"{path.name!r} is {kind.upper()} by its content, not {called.upper()}",)
