"""The program ffmpeg, fed and read through pipes, for formats that soundfile does not know."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from musiccore.audio import BLOCK, MAX_RATE, MIN_RATE
from musiccore.editing.pipeline import cut
from musiccore.errors import AudioError, ConfigError, MissingProgram
from musiccore.streams import Frames

_QUIET = ("-hide_banner", "-nostdin", "-v", "error")
_AU_HEAD = struct.Struct(">4s5I")  # magic, offset of the samples, size, encoding, rate, channels
_AU_FLOAT = 6
_LACKS = ("Unknown encoder", "Unknown output format", "not a suitable output format")
_SPEAKER = re.compile(r"^(\[[^\]]*\]\s*)+")


def find_ffmpeg(asked: str | None, purpose: str) -> str:
    """Find the program.

    Args:
        asked: its path or name; None looks on PATH, then in the package of the extra.
        purpose: what it is needed for, for the message.

    Returns:
        Path of an executable file.

    Raises:
        ConfigError: if the one asked for is not there.
        MissingProgram: if there is none.
    """
    if asked is not None:
        if found := shutil.which(os.path.expanduser(asked)):
            return found
        raise ConfigError(f"ffmpeg: {asked!r} is no program", hint="give its path, or leave it out")
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg

        bundled: str = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise MissingProgram(
            f"{purpose} needs the program ffmpeg, and none was found",
            hint="pip install 'jukeflow[ffmpeg]', or install ffmpeg and put it on PATH",
            extra="ffmpeg",
        ) from None
    return bundled


def has_ffmpeg(asked: str | None) -> bool:
    """Tell whether `find_ffmpeg` finds one."""
    try:
        find_ffmpeg(asked, "")
    except MissingProgram:
        return False
    return True


def _start(
    command: list[str], errors: IO[bytes], *, stdin: int | None = None, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command, stdin=stdin or subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL,
            stderr=errors,
        )  # fmt: skip
    except OSError as error:
        raise MissingProgram(
            f"ffmpeg at {command[0]!r} does not start: {error.strerror}", extra="ffmpeg"
        ) from error


def _said(errors: IO[bytes]) -> str:
    """The first line of what ffmpeg had to say."""
    errors.seek(0)
    lines = errors.read(4096).decode(errors="replace").strip().splitlines()
    # Without the name and the address of the part of ffmpeg that speaks.
    return _SPEAKER.sub("", lines[0].strip()) if lines else "no reason given"


class FfmpegReader:
    """A file that ffmpeg decodes; the sound of its first track.

    Args:
        path: the file.
        kind: format by its content.
        program: path of ffmpeg.

    Raises:
        AudioError: if ffmpeg finds no sound in it.
    """

    def __init__(self, path: Path, kind: str, program: str) -> None:
        self.path, self.name, self.kind, self._program = path, path.name, kind, program
        self.n_frames: int | None = None
        self.bits, self.dtype, self.exact = "lossy", "float32", False
        self.warnings: tuple[str, ...] = ()
        self.damage: str | None = None
        with tempfile.TemporaryFile() as errors:
            process, (self.sample_rate, self.channels) = self._open(errors)
            process.kill()
            _finish(process)

    def _open(self, errors: IO[bytes]) -> tuple[subprocess.Popen[bytes], tuple[int, int]]:
        # AU carries rate and channels in 24 bytes and may be of unknown length: made for pipes.
        command = [self._program, *_QUIET, "-i", f"file:{os.fspath(self.path)}", "-map", "0:a:0",
                   "-f", "au", "-c:a", "pcm_f32be", "pipe:1"]  # fmt: skip
        process = _start(command, errors, stdout=subprocess.PIPE)
        assert process.stdout is not None
        head = process.stdout.read(_AU_HEAD.size)
        if len(head) < _AU_HEAD.size:
            _finish(process)
            raise AudioError(
                f"audio file {os.fspath(self.path)!r} cannot be decoded: {_said(errors)}",
                hint="the file is damaged, or holds no sound",
            )
        _, offset, _, encoding, rate, channels = _AU_HEAD.unpack(head)
        process.stdout.read(offset - _AU_HEAD.size)
        if encoding != _AU_FLOAT or not MIN_RATE <= rate <= MAX_RATE or not 1 <= channels <= 16:
            process.kill()
            _finish(process)
            raise AudioError(
                f"audio file {os.fspath(self.path)!r} has {channels} channels at {rate} Hz"
            )
        return process, (rate, channels)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Yield the sound; sets `damage` if ffmpeg complains."""
        yield from cut(self._decoded(), start, stop)

    def _decoded(self) -> Iterator[Frames]:
        done, width = 0, 4 * self.channels
        with tempfile.TemporaryFile() as errors:
            process, _ = self._open(errors)
            assert process.stdout is not None
            try:
                while data := process.stdout.read(BLOCK * width):
                    data = data[: len(data) // width * width]
                    block = np.frombuffer(data, ">f4").reshape(-1, self.channels)
                    done += len(block)
                    if not np.isfinite(block).all():
                        raise AudioError(
                            f"audio file {os.fspath(self.path)!r} holds NaN or infinite samples"
                        )
                    yield block.astype(np.float32)
            except BaseException:  # also whoever stops listening
                process.kill()
                _finish(process)
                raise
            failed = _finish(process)
            if failed or errors.tell():
                self.damage = f"{self.path.name!r} is damaged, says ffmpeg: {_said(errors)}"
            self.n_frames = done


def _finish(process: subprocess.Popen[bytes]) -> int:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    return process.wait()


class _MetadataFile:
    """Tags in ffmpeg's form in a file of their own: no command line is as long as lyrics."""

    def __init__(self, text: str) -> None:
        self._path: str | None = None
        self.words: tuple[str, ...] = ("-map_metadata", "-1")
        if text:
            with tempfile.NamedTemporaryFile("wb", suffix=".ffmetadata", delete=False) as file:
                file.write(text.encode())
                self._path = file.name
            self.words = ("-f", "ffmetadata", "-i", self._path, "-map", "0:a", "-map_metadata", "1",
                          "-map_chapters", "1")  # fmt: skip

    def close(self) -> None:
        """Remove the file."""
        if self._path is not None:
            Path(self._path).unlink(missing_ok=True)
            self._path = None


class FfmpegWriter:
    """A file that ffmpeg encodes.

    Args:
        path: where; what is there is written over.
        container: name of its muxer.
        codec: name of its encoder.
        sample_rate: Hz.
        channels: number of them, in the order of WAV.
        bitrate: kbit/s.
        program: path of ffmpeg.
        tags: for formats whose tags only ffmpeg writes, in its own form; empty for none.
    """

    def __init__(
        self,
        path: Path,
        *,
        container: str,
        codec: str,
        sample_rate: int,
        channels: int,
        bitrate: int,
        program: str,
        tags: str,
    ) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._name = repr(path.name)
        self._tags = _MetadataFile(tags)
        # No dates, no random numbers, no version: equal sound gives equal bytes.
        command = [program, *_QUIET, "-y", "-f", "f32le", "-ar", str(sample_rate),
                   "-ac", str(channels), "-i", "pipe:0", *self._tags.words,
                   "-fflags", "+bitexact", "-flags:a", "+bitexact", "-c:a", codec,
                   "-b:a", f"{bitrate}k", "-f", container, f"file:{os.fspath(path)}"]  # fmt: skip
        try:
            self._process = _start(command, self._errors, stdin=subprocess.PIPE)
        except MissingProgram:
            self._errors.close()
            self._tags.close()
            raise

    def write(self, block: Frames) -> None:
        """Append a block [T, C].

        Raises:
            AudioError: if it holds NaN or infinite samples, or ffmpeg has given up.
        """
        if not np.isfinite(block).all():
            raise AudioError("sound to be written holds NaN or infinite samples")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(block, "<f4").tobytes())
        except OSError as error:  # it has given up, and says why
            _finish(self._process)
            self._tags.close()
            raise self._failed() from error

    def close(self) -> None:
        """Finish the file.

        Raises:
            AudioError: if ffmpeg failed.
            MissingProgram: if it lacks the codec.
        """
        failed = _finish(self._process)
        self._tags.close()
        if failed:
            raise self._failed()
        self._errors.close()

    def _failed(self) -> AudioError | MissingProgram:
        said = _said(self._errors)
        self._errors.close()
        if any(words in said for words in _LACKS):  # a small build of ffmpeg
            return MissingProgram(
                f"{self._name} cannot be written: this ffmpeg lacks the codec ({said})",
                hint="pip install 'jukeflow[ffmpeg]' and name that one, or install a full ffmpeg",
                extra="ffmpeg",
            )
        return AudioError(
            f"{self._name} cannot be written by ffmpeg: {said}",
            hint="check the free space of the disk",
        )

    def abort(self) -> None:
        """Stop, whatever is written by then."""
        self._process.kill()
        _finish(self._process)
        self._tags.close()
        self._errors.close()
