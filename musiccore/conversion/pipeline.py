"""What is done to a sound on its way, block by block: generators of float [T, C]."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import BLOCK
from musiccore.audio.streams import Frames


def cut(blocks: Iterable[Frames], start: int, stop: int | None) -> Iterator[Frames]:
    """Yield the frames from `start` to before `stop`."""
    position = 0
    for block in blocks:
        first, last = max(0, start - position), len(block)
        if stop is not None:
            last = min(last, stop - position)
        position += len(block)
        if first < last:
            yield block[first:last]
        if stop is not None and position >= stop:
            return


def mixed(blocks: Iterable[Frames], matrix: npt.NDArray[np.float64] | None) -> Iterator[Frames]:
    """Yield the blocks with other channels.

    Args:
        blocks: [T, before].
        matrix: [after, before], None leaves them alone.
    """
    if matrix is None:
        yield from blocks
        return
    for block in blocks:
        yield np.ascontiguousarray(block.astype(np.float64) @ matrix.T).astype(block.dtype)


def fitted(blocks: Iterable[Frames], n_frames: int, channels: int, dtype: str) -> Iterator[Frames]:
    """Yield exactly so many frames: what is more is cut, what is missing is silence."""
    done = 0
    for block in cut(blocks, 0, n_frames):
        done += len(block)
        yield block
    while done < n_frames:
        step = min(BLOCK, n_frames - done)
        done += step
        yield np.zeros((step, channels), dtype=dtype)


def faded(blocks: Iterable[Frames], fade_in: int, fade_out: int, n_frames: int) -> Iterator[Frames]:
    """Yield the blocks rising from silence and falling to it, by half a cosine in power.

    Args:
        blocks: together `n_frames` frames.
        fade_in: frames until the full level.
        fade_out: frames from the full level to the end.
        n_frames: all frames.
    """
    position = 0
    for block in blocks:
        at = np.arange(position, position + len(block))
        position += len(block)
        if fade_in and at[0] < fade_in:
            block = block * rising(at / fade_in, block.dtype)
        if fade_out and at[-1] >= n_frames - fade_out:
            block = block * rising((n_frames - 1 - at) / fade_out, block.dtype)
        yield block


def rising(share: npt.NDArray[np.float64], dtype: np.dtype[np.floating]) -> Frames:
    """Return the gains of a quarter of a sine: 0 at 0, 1 from 1 on.

    Args:
        share: [T].
        dtype: of the sound.

    Returns:
        [T, 1].
    """
    return np.sin(np.clip(share, 0.0, 1.0) * (np.pi / 2))[:, None].astype(dtype)


def scaled(blocks: Iterable[Frames], gain: float) -> Iterator[Frames]:
    """Yield the blocks times a factor."""
    for block in blocks:
        yield block if gain == 1.0 else block * block.dtype.type(gain)


class Tap:
    """A stream of blocks from which one takes as many frames as one wants.

    Args:
        blocks: [T, C] each.
        channels: C.
        dtype: "float32" or "float64".
    """

    def __init__(self, blocks: Iterable[Frames], channels: int, dtype: str) -> None:
        self._blocks = iter(blocks)
        self._ready: list[Frames] = []
        self._nothing: Frames = np.zeros((0, channels), dtype=dtype)

    def take(self, n_frames: int) -> Frames:
        """Return the next frames; fewer only at the end."""
        self._fill(n_frames)
        whole = np.concatenate([self._nothing, *self._ready])
        self._ready = [whole[n_frames:]]
        return whole[:n_frames]

    def give_back(self, frames: Frames) -> None:
        """Put frames in front of everything to come."""
        self._ready.insert(0, frames)

    def all_but(self, n_frames: int) -> Generator[Frames, None, Frames]:
        """Yield everything but the last frames, and return those."""
        while self._fill(n_frames + 1):
            whole = np.concatenate([self._nothing, *self._ready])
            kept = len(whole) - n_frames
            self._ready = [whole[kept:]]
            yield whole[:kept]
        return np.concatenate([self._nothing, *self._ready])

    def _fill(self, n_frames: int) -> bool:
        """Whether so many frames are ready, after all that could be done for it."""
        missing = n_frames - sum(map(len, self._ready))
        while missing > 0:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._ready.append(block)
            missing -= len(block)
        return True
