"""Audio in memory, and the only door to soundfile and soxr.

`write` takes what we made and gives the same bytes every time (of what we deliver; OGG, for
conversions, is the exception). Files that users hand in are read by `musiccore.conversion.memory`.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from musiccore.audio.mpg123 import overheard
from musiccore.audio.signatures import DAMAGED_HINT
from musiccore.audio.signatures import sniff as sniff
from musiccore.errors import AudioError

FORMATS = ("wav", "flac", "mp3")
EXPORTS = (*FORMATS, "ogg", "aiff")  # what anybody's audio can be converted to
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

MAX_VALUES = 1 << 29  # samples times channels: 2 GiB as float32
MAX_CHANNELS = 8
MIN_RATE, MAX_RATE = 4000, 384_000

BLOCK = 65_536  # frames; libsndfile's encoders are safe at this size and not above
FULL_SCALE_24 = 1 << 23
MP3_DELIVERY, MP3_PREVIEW = 0.25, 0.6  # soundfile's compression level: about 256 and 160 kbit/s


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Sound in memory.

    Args:
        samples: float32 [C, T], in -1 to 1 (more is kept here and clipped when written).
        sample_rate: Hz.

    Raises:
        AudioError: if the samples are empty, not finite or of another shape or type.
    """

    samples: npt.NDArray[np.float32]
    sample_rate: int

    def __post_init__(self) -> None:
        samples = self.samples
        if samples.ndim != 2 or samples.dtype != np.float32:
            raise AudioError(
                f"samples are {samples.dtype} of shape {samples.shape}, want float32 [C, T]"
            )
        if samples.size == 0:
            raise AudioError("audio holds no samples")
        if samples.shape[0] > MAX_CHANNELS:
            raise AudioError(f"audio has {samples.shape[0]} channels, at most {MAX_CHANNELS} work")
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise AudioError(
                f"sample rate is {self.sample_rate} Hz, want {MIN_RATE} to {MAX_RATE} Hz"
            )
        if not np.isfinite(samples).all():
            raise AudioError("audio holds NaN or infinite samples")

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def n_samples(self) -> int:
        """Samples per channel."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.n_samples / self.sample_rate

    @property
    def peak(self) -> float:
        """Largest magnitude; 1.0 is full scale."""
        return float(np.abs(self.samples).max())


# Reading --------------------------------------------------------------------------------------


def open_onward(source: object) -> Any:
    """Open a file that is read from its beginning to its end, without a jump between blocks.

    soundfile jumps behind each block to where it is already. libmpg123 then begins anew, without
    the bits that the frames before hold for the next ones, and decodes noise.

    Args:
        source: whatever `soundfile.SoundFile` takes.
    """
    import soundfile

    onward = type("Onward", (soundfile.SoundFile,), {"seekable": lambda _: False})
    return onward(source)


def decode(data: bytes, name: str, kind: str, max_seconds: float) -> Audio:
    """Decode what libsndfile reads: all that it promises, or an error.

    Args:
        data: the bytes of a file.
        name: what messages call it.
        kind: its format, for messages.
        max_seconds: longer audio is refused.

    Raises:
        AudioError: if it cannot be decoded, or not to the end that its header promises.
    """
    import soundfile

    try:
        with overheard(), open_onward(io.BytesIO(data)) as file:
            rate, channels, frames = file.samplerate, file.channels, file.frames
            check_header(name, rate, channels, frames, max_seconds)
            samples = np.empty((frames, channels), dtype=np.float32)
            done = 0
            while done < frames:
                block = file.read(
                    min(BLOCK, frames - done), dtype="float32", always_2d=True
                )  # [n, C]
                if not len(block):
                    break
                samples[done : done + len(block)] = block
                done += len(block)
    except (soundfile.SoundFileError, TypeError, ValueError, OverflowError) as error:
        detail = getattr(error, "error_string", None) or str(error)
        raise AudioError(
            f"{name} cannot be decoded as {kind}: {str(detail).removeprefix('Error : ')}",
            hint=DAMAGED_HINT,
        ) from error
    if done < max(1, frames):
        raise AudioError(
            f"{name} promises {frames} samples per channel and only {done} could be decoded",
            hint=DAMAGED_HINT,
        )
    try:
        return Audio(samples=np.ascontiguousarray(samples[:done].T), sample_rate=rate)
    except AudioError as error:
        raise AudioError(f"{name}: {error.message}") from error


def check_header(name: str, rate: int, channels: int, frames: int, max_seconds: float) -> None:
    """Refuse sound that does not fit into memory or that no header means in earnest.

    Args:
        name: what messages call it.
        rate: Hz.
        channels: of it.
        frames: samples per channel.
        max_seconds: longer audio is refused.

    Raises:
        AudioError: naming what is wrong.
    """
    if frames <= 0:
        raise AudioError(f"{name} holds no samples", hint=DAMAGED_HINT)
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(f"{name} has a sample rate of {rate} Hz, want {MIN_RATE} to {MAX_RATE} Hz")
    if channels > MAX_CHANNELS:
        raise AudioError(
            f"{name} has {channels} channels, at most {MAX_CHANNELS} work",
            hint="mix it down to stereo or mono",
        )
    if frames > max_seconds * rate:
        raise AudioError(
            f"{name} lasts {frames / rate:.0f} s by its header, "
            f"more than the limit of {max_seconds:.0f} s",
            hint="cut out the part you need; if it is short, its header is damaged",
        )
    if frames * channels > MAX_VALUES:
        raise AudioError(f"{name} has {frames} samples in {channels} channels, too many for memory")


# Writing --------------------------------------------------------------------------------------


def write(audio: Audio, kind: str) -> bytes:
    """Encode as a file; the same audio gives the same bytes every time.

    Args:
        audio: samples beyond -1 to 1 are clipped; see `limit_peak`.
        kind: "wav" (24 bit), "flac" (24 bit), "aiff" (24 bit), "mp3" (256 kbit/s at 44.1 kHz
            stereo) or "ogg" (Vorbis; its writer puts a random number into the file).

    Returns:
        The bytes of the file. WAV, FLAC and AIFF hold exactly the samples that `pcm_sha256` names.

    Raises:
        AudioError: if the format is unknown, or MP3 cannot hold this rate or these channels.
    """
    if kind in ("wav", "flac", "aiff"):
        # The upper 24 of 32 bits: libsndfile then rounds nothing.
        return _encode(_pcm24(audio).T << 8, audio.sample_rate, kind.upper(), "PCM_24", None)
    if kind == "mp3":
        return _encode_mp3(audio, MP3_DELIVERY)
    if kind == "ogg":
        return _encode(np.clip(audio.samples.T, -1.0, 1.0), audio.sample_rate, "OGG", "VORBIS", 0.4)
    raise AudioError(f"audio format {kind!r} is unknown", hint=f"use one of {', '.join(EXPORTS)}")


def write_preview(audio: Audio) -> bytes:
    """Encode as a small MP3 for players inside a page.

    Args:
        audio: at most two channels; any rate (brought to the nearest that MP3 knows).

    Returns:
        The bytes of an MP3 file, about 64 kbit/s at 16 kHz mono.

    Raises:
        AudioError: if there are more than two channels.
    """
    fitting = [rate for rate in MP3_RATES if rate >= audio.sample_rate]
    return _encode_mp3(resample(audio, fitting[0] if fitting else MP3_RATES[-1]), MP3_PREVIEW)


def _encode_mp3(audio: Audio, compression: float) -> bytes:
    if audio.sample_rate not in MP3_RATES:
        raise AudioError(
            f"MP3 cannot hold a sample rate of {audio.sample_rate} Hz",
            hint=f"resample to one of {', '.join(map(str, MP3_RATES))} Hz",
        )
    if audio.n_channels > 2:
        raise AudioError(f"MP3 cannot hold {audio.n_channels} channels", hint="mix down to stereo")
    # Float32 always: libsndfile writes noise from int16 stereo, and aborts the process on NaN.
    samples = np.clip(audio.samples.T, -1.0, 1.0)
    return _encode(samples, audio.sample_rate, "MP3", "MPEG_LAYER_III", compression)


def _encode(
    frames: npt.NDArray[np.int32] | npt.NDArray[np.float32],
    rate: int,
    container: str,
    subtype: str,
    compression: float | None,
) -> bytes:
    """Encode frames [T, C] block by block."""
    import soundfile

    mode = "CONSTANT" if container == "MP3" else None
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(
            buffer,
            "w",
            rate,
            frames.shape[1],
            subtype,
            format=container,
            compression_level=compression,
            bitrate_mode=mode,
        ) as file:
            for start in range(0, frames.shape[0], BLOCK):
                file.write(np.ascontiguousarray(frames[start : start + BLOCK]))
    except soundfile.SoundFileError as error:
        raise AudioError(
            f"{container} cannot hold {frames.shape[1]} channels at {rate} Hz: {error}"
        ) from error
    return buffer.getvalue()


def _pcm24(audio: Audio) -> npt.NDArray[np.int32]:
    """Samples rounded to 24-bit integers, [C, T]."""
    scaled = np.rint(audio.samples.astype(np.float64) * FULL_SCALE_24)
    return np.clip(scaled, -FULL_SCALE_24, FULL_SCALE_24 - 1).astype(np.int32)


def pcm_sha256(audio: Audio) -> str:
    """Identity of the sound, independent of container and tags.

    Args:
        audio: any audio.

    Returns:
        sha256 in hex of the 24-bit little-endian interleaved PCM, what our WAV and FLAC hold.
    """
    pcm = np.ascontiguousarray(_pcm24(audio).T.astype("<i4"))  # [T, C]
    return hashlib.sha256(pcm.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()).hexdigest()


# Changing -------------------------------------------------------------------------------------


def to_mono(audio: Audio) -> Audio:
    """Average the channels.

    Args:
        audio: any number of channels.

    Returns:
        One channel, the same length and rate.
    """
    if audio.n_channels == 1:
        return audio
    mixed = audio.samples.mean(axis=0, dtype=np.float64, keepdims=True)
    return replace(audio, samples=mixed.astype(np.float32))


def resample(audio: Audio, sample_rate: int) -> Audio:
    """Change the sample rate.

    Args:
        audio: any audio.
        sample_rate: Hz wanted.

    Returns:
        The same sound, `n_samples * sample_rate / audio.sample_rate` samples, rounded.

    Raises:
        AudioError: if the rate is outside 4 to 384 kHz, or nothing is left of the clip.
    """
    if sample_rate == audio.sample_rate:
        return audio
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise AudioError(f"sample rate is {sample_rate} Hz, want {MIN_RATE} to {MAX_RATE} Hz")
    import soxr

    frames = soxr.resample(
        np.ascontiguousarray(audio.samples.T), audio.sample_rate, sample_rate, quality="HQ"
    )
    samples = np.ascontiguousarray(frames.T, dtype=np.float32)
    return Audio(samples=samples, sample_rate=sample_rate)


def limit_peak(audio: Audio, ceiling: float = 0.98) -> Audio:
    """Turn the whole clip down so that nothing is clipped; quieter clips stay as they are.

    Args:
        audio: any audio.
        ceiling: largest magnitude allowed; 1.0 is full scale.

    Returns:
        Audio whose peak is at most `ceiling`.
    """
    if audio.peak <= ceiling:
        return audio
    gain = np.float32(ceiling / audio.peak)
    return replace(
        audio, samples=np.clip(audio.samples * gain, -ceiling, ceiling).astype(np.float32)
    )
