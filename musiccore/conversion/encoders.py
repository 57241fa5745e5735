"""Floating samples into the samples of a file: rounding, dither, and who writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from musiccore.audio.streams import Frames, SoundWriter
from musiccore.conversion.channels import VORBIS_ORDER
from musiccore.conversion.fitting import TargetPlan, mp3_bitrates
from musiccore.conversion.formats import TARGETS
from musiccore.conversion.options import ConversionOptions
from musiccore.conversion.speakers import USUAL, at_the_back

_DITHER_SEED = 1770
_STEREO_KBIT = ((64, 0.0), (80, 0.1), (96, 0.2), (112, 0.3), (128, 0.4), (160, 0.5), (192, 0.6),
                (224, 0.7), (256, 0.8), (320, 0.9), (500, 1.0))  # fmt: skip


class TargetEncoder(Protocol):
    """Whoever writes the target."""

    def write(self, block: Frames) -> None:
        """Append a block [T, C] within -1 to 1."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...

    def abort(self) -> None:
        """Stop; the file is of no use."""
        ...


def open_encoder(
    plan: TargetPlan,
    path: Path,
    options: ConversionOptions,
    engine: str,
    *,
    exact: bool,
    tags: str,
) -> TargetEncoder:
    """Open the target.

    Args:
        plan: what is written.
        path: where.
        options: dither and program.
        engine: "soundfile", "ffmpeg" or "pydub".
        exact: the samples are on the grid of the target already: no dither.
        tags: what ffmpeg writes into formats whose tags only it knows, in its own form.
    """
    if engine == "pydub":
        from musiccore.conversion.ffmpeg import find_ffmpeg
        from musiccore.conversion.pydub_bridge import PydubWriter

        return PydubWriter(path, plan, find_ffmpeg(options.ffmpeg, "pydub"))
    if engine == "ffmpeg":
        from musiccore.conversion.ffmpeg import FfmpegWriter, find_ffmpeg

        container, codec = _FFMPEG.get(plan.kind, (plan.container, plan.subtype))
        return FfmpegWriter(
            path, container=container, codec=codec, sample_rate=plan.sample_rate,
            channels=plan.channels, mask=at_the_back(plan.mask) or USUAL.get(plan.channels, 0),
            bitrate=plan.bitrate or 96 * plan.channels,
            program=find_ffmpeg(options.ffmpeg, f"writing {plan.kind}"), tags=tags,
        )  # fmt: skip
    return _SoundEncoder(plan, path, dither=options.dither and not exact)


_FFMPEG = {"mp3": ("mp3", "libmp3lame"), "opus": ("opus", "libopus"), "ogg": ("ogg", "libvorbis")}
FFMPEG_WRITES = (*_FFMPEG, *(kind for kind, target in TARGETS.items() if target.foreign))
"""Formats that the engines ffmpeg and pydub write."""


class _SoundEncoder:
    def __init__(self, plan: TargetPlan, path: Path, *, dither: bool) -> None:
        compression = _compression(plan)
        self._writer = SoundWriter(
            path, container=plan.container, subtype=plan.subtype, sample_rate=plan.sample_rate,
            channels=plan.channels, compression=compression, constant=plan.kind == "mp3",
        )  # fmt: skip
        self._quantiser = Quantiser(plan.bits, dither=dither) if plan.bits.isdigit() else None
        self._dtype = np.float64 if plan.bits == "double" else np.float32
        order = VORBIS_ORDER.get(plan.channels) if plan.kind in ("ogg", "opus") else None
        self._order = order and list(order)

    def write(self, block: Frames) -> None:
        if self._order is not None:
            block = block[:, self._order]
        if self._quantiser is not None:
            self._writer.write(self._quantiser(block))
        else:
            self._writer.write(block.astype(self._dtype, copy=False))

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.close()


class Quantiser:
    """Rounds samples to integers; the same noise in every run, whatever the size of the blocks.

    Args:
        bits: "8", "16", "24" or "32".
        dither: add triangular noise of two steps, so that the error of rounding is not heard as
            distortion. It begins with the first sample that has to be rounded: what lies on the
            grid of the target stays as it is.
    """

    def __init__(self, bits: str, *, dither: bool) -> None:
        width = int(bits)
        self._steps = float(1 << (width - 1))
        # 8 and 24 bit go in the upper bits of 16 and 32, where libsndfile looks for them.
        self._type: type[np.signedinteger] = np.int16 if width <= 16 else np.int32
        self._shift = (16 if width <= 16 else 32) - width
        self._noise = np.random.default_rng(_DITHER_SEED) if dither else None
        self._off_grid = False
        self._wide = np.empty((0, 0))

    def __call__(self, block: Frames) -> npt.NDArray[np.signedinteger]:
        """Return integers [T, C] for float [T, C]."""
        wide = self._room(block.shape)
        np.multiply(block, self._steps, out=wide, dtype=np.float64)
        if self._noise is not None:
            first = 0 if self._off_grid else _first_off_grid(wide)
            self._off_grid = first < len(wide)
            pairs = self._noise.random((len(wide) - first, wide.shape[1], 2), dtype=np.float32)
            wide[first:] += pairs[..., 0]
            wide[first:] -= pairs[..., 1]
        np.rint(wide, out=wide)
        np.clip(wide, -self._steps, self._steps - 1.0, out=wide)
        return np.left_shift(wide.astype(self._type), self._shift)

    def _room(self, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """The same memory for every block: asking for it takes longer than the arithmetic."""
        if self._wide.shape[1:] != shape[1:] or len(self._wide) < shape[0]:
            self._wide = np.empty(shape)
        return self._wide[: shape[0]]


def _first_off_grid(wide: npt.NDArray[np.float64]) -> int:
    """The first frame that has to be rounded; as many as there are if none has."""
    off = np.flatnonzero((wide != np.rint(wide)).any(axis=1))
    return int(off[0]) if len(off) else len(wide)


def _compression(plan: TargetPlan) -> float | None:
    """Libsndfile's 0.0 (large) to 1.0 (small) for a bit rate."""
    rate, channels = plan.bitrate, plan.channels
    if rate is None:
        return None
    if plan.kind == "mp3":
        least, most = mp3_bitrates(plan.sample_rate)
        share = (most - rate) / (most - least)
    elif plan.kind == "opus":
        share = 1.0 - (rate / channels - 6.0) / 250.0
    else:
        pairs, qualities = zip(*_STEREO_KBIT, strict=True)
        share = 1.0 - float(np.interp(rate * 2 / channels, pairs, qualities))
    return min(max(share, 0.0), 0.999)  # at 1.0 libsndfile refuses
