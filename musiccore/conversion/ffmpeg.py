"""The program ffmpeg, fed and read through pipes, for formats that soundfile does not know."""

from __future__ import annotations

import contextlib
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

from musiccore.audio.sound import BLOCK, MAX_RATE, MIN_RATE
from musiccore.audio.streams import Frames
from musiccore.conversion.mp4_length import sound_frames
from musiccore.conversion.pipeline import cut
from musiccore.errors import AudioError, ConfigError, MissingProgram

_QUIET = ("-hide_banner", "-nostdin", "-v", "error")
_INPUT = ("-protocol_whitelist", "file,pipe,subfile")
_PROBE_SECONDS = 20.0
_PROBED = re.compile(r"Format (\S+) probed with size=\d+ and score=(\d+)")
_GUESS = 25  # the score of what ffmpeg is not sure of
_PLAYLISTS = ("hls", "concat", "sdp", "dash", "image2", "tty", "rtsp", "imf")
_FLOAT_GUID = bytes.fromhex("0300000000001000800000aa00389b71")
_MOST_SAID = 1 << 20
_STREAM = re.compile(
    r"Stream #0:\d+\S*: Audio: (\w+)[^\n]*? Hz, [^\n]*?, "
    r"([a-z]+\d*p?)(?: \((\d+) bit\))?(?:,|\s|$)"
)
_BEYOND = ("dsf", "dff")  # DSD, whose rates are beyond all others
_LOSSLESS = ("flac", "alac", "wavpack", "tta", "ape", "tak", "shorten", "mlp", "truehd", "mp4als",
             "ralf", "wmalossless")  # fmt: skip
_MOST_FILLING = 2 * 2048  # frames of the longest kinds of AAC
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


def ffmpeg_knows(path: Path, program: str) -> str | None:
    """Ask ffmpeg what a file is, and believe it where it is sure.

    Args:
        path: of a file.
        program: path of ffmpeg.

    Returns:
        Its name of the format; None where it guesses, or names what plays other files.
    """
    command = [program, "-hide_banner", "-nostdin", "-v", "debug", *_INPUT,
               "-i", f"file:{os.fspath(path)}", "-t", "0", "-f", "null", "-"]  # fmt: skip
    try:
        said = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS,
            check=False,
        ).stderr.decode(errors="replace")  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _PROBED.search(said)
    if found is None or int(found[2]) <= _GUESS or found[1] in _PLAYLISTS:
        return None
    return found[1].partition(",")[0] if "Audio:" in said else None


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
        span: the part of the file that is read.

    Attributes:
        left_out: what of the file's sound is not read, in words.

    Raises:
        AudioError: if ffmpeg finds no sound in it.
    """

    def __init__(
        self, path: Path, kind: str, program: str, span: tuple[int, int] | None = None
    ) -> None:
        self._input = f"file:{os.fspath(path)}"
        if span is not None:
            self._input = f"subfile,,start,{span[0]},end,{span[1]},,:{self._input}"
        self.path, self.name, self.kind, self._program = path, path.name, kind, program
        self.n_frames: int | None = None
        self.damage: str | None = None
        self.bits, self.dtype = "lossy", "float32"
        self._rate, self._slower = 0, ""
        with tempfile.TemporaryFile() as errors:
            process, (self.sample_rate, self.channels, self.mask) = self._open(errors, "info")
            process.kill()
            _finish(process)
            errors.seek(0)
            said = errors.read(_MOST_SAID).decode(errors="replace")
        found = _STREAM.findall(re.split(r"\n(?:Stream mapping|Output #)", said)[0])
        self.left_out: tuple[str, ...] = (self._slower,) if self._slower else ()
        if len(found) > 1:
            words = f"{path.name!r} holds {len(found)} tracks of sound: the first is read"
            self.left_out = (*self.left_out, words)
        self.warnings: tuple[str, ...] = self.left_out
        if found:
            self.bits = _bits(*found[0])
        self.exact = self.bits.isdigit()
        self.dtype = "float64" if self.bits in ("32", "double") else "float32"
        self._length = sound_frames(path, self.sample_rate) if kind == "m4a" else None

    def _open(
        self, errors: IO[bytes], level: str = "error"
    ) -> tuple[subprocess.Popen[bytes], tuple[int, int, int]]:
        codec = "pcm_f64le" if self.dtype == "float64" else "pcm_f32le"
        command = [self._program, "-hide_banner", "-nostdin", "-v", level, *_INPUT,
                   "-i", self._input, "-map", "0:a:0", "-f", "wav",
                   "-c:a", codec, *(("-ar", str(self._rate)) if self._rate else ()),
                   "pipe:1"]  # fmt: skip
        process = _start(command, errors, stdout=subprocess.PIPE)
        assert process.stdout is not None
        found = _wave_format(process.stdout)
        if found is None:
            _finish(process)
            if level != "error":  # without what it says about sound files, too
                errors.seek(0)
                errors.truncate()
                return self._open(errors)
            raise AudioError(
                f"audio file {os.fspath(self.path)!r} cannot be decoded: {_said(errors)}",
                hint="the file is damaged, or holds no sound",
            )
        rate, channels, _ = found
        if rate > MAX_RATE and self.kind in _BEYOND and not self._rate:  # half of it, and so on
            process.kill()
            _finish(process)
            self._rate = rate
            while self._rate > MAX_RATE:
                self._rate //= 2
            self._slower = f"{self.path.name!r} has {rate} Hz, which are read at {self._rate}"
            return self._open(errors, level)
        if not MIN_RATE <= rate <= MAX_RATE or not 1 <= channels <= 16:
            process.kill()
            _finish(process)
            raise AudioError(
                f"audio file {os.fspath(self.path)!r} has {channels} channels at {rate} Hz"
            )
        return process, found

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Yield the sound; sets `damage` if ffmpeg complains."""
        decoded = self._decoded()
        if self._length is not None:
            decoded = _without_filling(decoded, self._length)
        yield from cut(decoded, start, stop)

    def _decoded(self) -> Iterator[Frames]:
        code = "<f8" if self.dtype == "float64" else "<f4"
        done, width = 0, int(code[2]) * self.channels
        with tempfile.TemporaryFile() as errors:
            process, _ = self._open(errors)
            assert process.stdout is not None
            try:
                while data := process.stdout.read(BLOCK * width):
                    data = data[: len(data) // width * width]
                    block = np.frombuffer(data, code).reshape(-1, self.channels)
                    done += len(block)
                    if not np.isfinite(block).all():
                        raise AudioError(
                            f"audio file {os.fspath(self.path)!r} holds NaN or infinite samples"
                        )
                    yield block.astype(self.dtype)
            except BaseException as error:
                process.kill()
                _finish(process)
                if isinstance(error, GeneratorExit):  # whoever listened has heard enough
                    self._note_damage(errors)
                raise
            failed = _finish(process)
            self._note_damage(errors, failed=failed != 0)
            if self._length is not None and done < self._length:
                self.damage = self.damage or (
                    f"{self.path.name!r} promises {self._length} samples per channel, "
                    f"and only {done} could be decoded"
                )
            self.n_frames = done if self._length is None else min(done, self._length)

    def _note_damage(self, errors: IO[bytes], *, failed: bool = False) -> None:
        """Keep what ffmpeg had to say about what it decoded."""
        if failed or errors.seek(0, os.SEEK_END):
            self.damage = f"{self.path.name!r} is damaged, says ffmpeg: {_said(errors)}"


def _wave_format(stream: IO[bytes]) -> tuple[int, int, int] | None:
    """Read the head of a WAV that ffmpeg writes into a pipe: rate, channels, mask of speakers."""
    if stream.read(12)[8:] != b"WAVE":
        return None
    found = None
    while len(head := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            return found
        body = stream.read(size + size % 2)
        if name == b"fmt " and len(body) >= 16:
            channels, rate = struct.unpack_from("<HI", body, 2)
            mask = struct.unpack_from("<I", body, 20)[0] if len(body) >= 40 else 0
            found = rate, channels, mask
    return None


def _bits(codec: str, sample: str, width: str) -> str:
    """How finely sound is stored, by what ffmpeg says about its track."""
    if not codec.startswith("pcm_") and codec not in _LOSSLESS:
        return "lossy"
    if codec in ("pcm_mulaw", "pcm_alaw"):
        return "16"
    if sample.startswith(("flt", "dbl")):
        return "float" if sample.startswith("flt") else "double"
    bits = int(width or {"u8": "8", "s16": "16"}.get(sample.removesuffix("p"), "32"))
    return next(name for name in ("8", "16", "24", "32") if bits <= int(name) or name == "32")


def _without_filling(blocks: Iterator[Frames], length: int) -> Iterator[Frames]:
    """Leave out what fills the last frames behind `length`; nothing if that is too much for it."""
    done, behind = 0, 0
    filling: list[Frames] = []
    for block in blocks:
        inside = block[: max(0, length - done)]
        done += len(block)
        if len(inside):
            yield inside
        filling.append(block[len(inside) :])
        behind += len(filling[-1])
        if behind > _MOST_FILLING:  # the length is wrong, and this is sound
            yield from (piece for piece in filling if len(piece))
            filling.clear()


def _finish(process: subprocess.Popen[bytes]) -> int:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    return process.wait()


def _wave_head(rate: int, channels: int, mask: int) -> bytes:
    """The head of a WAV of float samples and of unknown length."""
    width = 4 * channels
    fmt = struct.pack("<HHIIHH", 0xFFFE, channels, rate, rate * width, width, 32)
    fmt += struct.pack("<HHI", 22, 32, mask) + _FLOAT_GUID
    head = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data\xff\xff\xff\xff"
    return b"RIFF\xff\xff\xff\xff" + head


def _speaker_words(codec: str, channels: int) -> tuple[str, ...]:
    # Without these words libopus inside ffmpeg mixes up the speakers of 5.0 and 6.1.
    return ("-mapping_family", "1") if codec == "libopus" and channels > 2 else ()


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
        mask: which speakers they are for; 0 for as ffmpeg thinks.
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
        mask: int,
        bitrate: int,
        program: str,
        tags: str,
    ) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._name = repr(path.name)
        self._tags = _MetadataFile(tags)
        # No dates, no random numbers, no version: equal sound gives equal bytes.
        command = [program, *_QUIET, "-y", "-f", "wav", "-i", "pipe:0", *self._tags.words,
                   "-fflags", "+bitexact", "-flags:a", "+bitexact", "-c:a", codec,
                   "-b:a", f"{bitrate}k", *_speaker_words(codec, channels),
                   "-f", container, f"file:{os.fspath(path)}"]  # fmt: skip
        try:
            self._process = _start(command, self._errors, stdin=subprocess.PIPE)
        except MissingProgram:
            self._errors.close()
            self._tags.close()
            raise
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has given up: the first block says why
            self._process.stdin.write(_wave_head(sample_rate, channels, mask))

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
