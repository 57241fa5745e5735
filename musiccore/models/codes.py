"""Codes: one integer array per level, and their bytes. Never pickle."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from musiccore.errors import CodesError

MAX_CODEBOOK_SIZE = 32768  # codes are stored as int16
IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """Codes of all levels of one or more takes.

    Attributes:
        levels: per level int16 [B, L], index 0 = bottom; a level not sampled yet has L = 0.
        codec: name of the VQ-VAE that decodes them.
    """

    levels: tuple[npt.NDArray[np.int16], ...]
    codec: str

    def __post_init__(self) -> None:
        if not self.levels:
            raise CodesError("codes have no level; at least one is needed")
        for level, codes in enumerate(self.levels):
            if codes.ndim != 2 or codes.dtype != np.int16:
                raise CodesError(
                    f"codes of level {level} are {codes.dtype} {list(codes.shape)}; "
                    "they must be int16 [batch, length]"
                )
            if codes.shape[0] != self.levels[0].shape[0]:
                raise CodesError(
                    f"codes of level {level} hold {codes.shape[0]} takes; "
                    f"level 0 holds {self.levels[0].shape[0]}"
                )

    @classmethod
    def of(cls, levels: Sequence[IntArray], codec: str) -> Codes:
        """Return codes from integer arrays [B, L] of any width.

        Raises:
            CodesError: if a code is negative or does not fit int16.
        """
        return cls(levels=tuple(narrow(codes) for codes in levels), codec=codec)

    @classmethod
    def empty(cls, n_takes: int, n_levels: int, codec: str) -> Codes:
        """Return codes without a single code: where ancestral sampling starts."""
        none = np.zeros((n_takes, 0), dtype=np.int16)
        return cls(levels=(none,) * n_levels, codec=codec)

    @property
    def n_takes(self) -> int:
        """Takes in the batch."""
        return int(self.levels[0].shape[0])

    def n_codes(self, level: int) -> int:
        """Codes that are there at a level."""
        return int(self.levels[level].shape[1])

    def replace(self, level: int, codes: IntArray) -> Codes:
        """Return these codes with another array [B, L] at one level."""
        levels = list(self.levels)
        levels[level] = narrow(codes)
        return Codes(levels=tuple(levels), codec=self.codec)

    def take(self, index: int) -> Codes:
        """Return one take, as a batch of one.

        Raises:
            CodesError: if there is no such take.
        """
        if not 0 <= index < self.n_takes:
            raise CodesError(f"take is {index}; there are takes 0 to {self.n_takes - 1}")
        return Codes(levels=tuple(c[index : index + 1] for c in self.levels), codec=self.codec)

    def repeat(self, n: int) -> Codes:
        """Return every take `n` times, each next to its copies."""
        return Codes(levels=tuple(c.repeat(n, axis=0) for c in self.levels), codec=self.codec)

    def cut(self, n_samples: int, hop_lengths: Sequence[int]) -> Codes:
        """Return the codes of the first `n_samples` samples; shorter levels stay as they are."""
        kept = (c[:, : n_samples // hop] for c, hop in zip(self.levels, hop_lengths, strict=True))
        return Codes(levels=tuple(kept), codec=self.codec)

    def join(self, other: Codes) -> Codes:
        """Return these codes followed in time by other ones of the same codec and batch.

        Raises:
            CodesError: if the codecs, the numbers of levels or the batches differ.
        """
        mine = (self.codec, len(self.levels), self.n_takes)
        theirs = (other.codec, len(other.levels), other.n_takes)
        if mine != theirs:
            raise CodesError(f"codes of {mine} and {theirs} (codec, levels, takes) do not join")
        joined = (
            np.concatenate(pair, axis=1) for pair in zip(self.levels, other.levels, strict=True)
        )
        return Codes(levels=tuple(joined), codec=self.codec)

    def stack(self, other: Codes) -> Codes:
        """Return the takes of these codes followed by those of others of the same length."""
        stacked = (np.concatenate(pair) for pair in zip(self.levels, other.levels, strict=True))
        return Codes(levels=tuple(stacked), codec=self.codec)

    def to_npz(self) -> bytes:
        """Return the bytes of an .npz; equal codes give equal bytes."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {f"level_{n}": codes for n, codes in enumerate(self.levels)}
        np.savez(buffer, allow_pickle=False, codec=np.array(self.codec), **arrays)
        return buffer.getvalue()

    @classmethod
    def from_npz(cls, data: bytes) -> Codes:
        """Return the codes of an .npz that `to_npz` wrote.

        Raises:
            CodesError: if the bytes are not such a file.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                n_levels = len(archive.files) - 1
                levels = tuple(archive[f"level_{level}"] for level in range(n_levels))
                return cls(levels=levels, codec=str(archive["codec"]))
        except CodesError:
            raise
        except Exception as error:  # a damaged archive fails in many foreign ways
            raise CodesError(f"the codes file is damaged: {error}") from error


def narrow(codes: IntArray) -> npt.NDArray[np.int16]:
    """Return integer codes as int16.

    Raises:
        CodesError: if they are no integers, negative, or do not fit.
    """
    if codes.dtype.kind not in "iu":
        raise CodesError(f"codes are {codes.dtype}; they must be integers")
    if codes.size and not (int(codes.min()) >= 0 and int(codes.max()) < MAX_CODEBOOK_SIZE):
        raise CodesError(
            f"codes span {int(codes.min())} to {int(codes.max())}; "
            f"they must be 0 to {MAX_CODEBOOK_SIZE - 1}"
        )
    return codes.astype(np.int16)


def check_range(codes: IntArray, codebook_size: int, level: int) -> None:
    """Check that codes address a codebook.

    Raises:
        CodesError: if a code is outside 0 to `codebook_size` - 1.
    """
    if codes.size and not (int(codes.min()) >= 0 and int(codes.max()) < codebook_size):
        raise CodesError(
            f"codes of level {level} span {int(codes.min())} to {int(codes.max())}; "
            f"the codebook has 0 to {codebook_size - 1}"
        )


def to_npy(codes: IntArray) -> bytes:
    """Return codes of one level [B, L] as the bytes of an int16 .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(narrow(codes)), allow_pickle=False)
    return buffer.getvalue()


def from_npy(data: bytes) -> npt.NDArray[np.int16]:
    """Return the codes [B, L] of an int16 .npy file; its header is checked before memory is taken.

    Raises:
        CodesError: if the bytes are anything else.
    """
    buffer = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(buffer)
        if version != (1, 0):
            raise ValueError(f"format version {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(buffer)
        if dtype != np.int16 or len(shape) != 2:
            raise ValueError(f"{dtype} {list(shape)} instead of int16 [batch, length]")
        if prod(shape) * 2 != len(data) - buffer.tell():
            raise ValueError(f"shape {list(shape)} does not fit {len(data)} bytes")
        buffer.seek(0)
        return np.asarray(np.lib.format.read_array(buffer, allow_pickle=False), dtype=np.int16)
    except Exception as error:  # numpy reads the header as Python, which fails in many ways
        raise CodesError(f"the codes file is damaged: {error}") from error
