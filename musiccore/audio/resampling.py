"""Other sample rates, block by block. With `audio` the door to soxr."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import BLOCK
from musiccore.audio.streams import Frames


def resampled(
    blocks: Iterable[Frames], before: int, after: int, channels: int, dtype: str
) -> Iterator[Frames]:
    """Change the sample rate of a stream; the same samples whatever the size of the blocks.

    Args:
        blocks: [T, C] each, of `dtype`.
        before: Hz of the blocks.
        after: Hz wanted.
        channels: C.
        dtype: "float32" or "float64".

    Yields:
        Blocks [T, C] of at most about `BLOCK` frames, together `n * after / before` frames,
        rounded.
    """
    if before == after:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(before, after, channels, dtype=dtype, quality="VHQ")
    step = max(256, min(BLOCK, BLOCK * before // after))
    for block in blocks:
        for at in range(0, len(block), step):
            piece = stream.resample_chunk(np.ascontiguousarray(block[at : at + step]))
            if len(piece):
                yield piece
    last = stream.resample_chunk(np.zeros((0, channels), dtype=dtype), last=True)
    if len(last):
        yield last


class Oversampler:
    """What lies between the samples: the sound at four times its rate.

    Args:
        sample_rate: Hz.
        channels: number of them.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        import soxr

        self._channels = channels
        self._stream = soxr.ResampleStream(
            sample_rate, 4 * sample_rate, channels, dtype="float32", quality="HQ"
        )
        self._odd = np.zeros((0, channels), dtype=np.float32)
        self._direct = np.zeros(0, dtype=np.float32)  # of samples whose peaks are still to come

    def peaks(self, block: Frames | None) -> npt.NDArray[np.float32]:
        """Return the largest magnitude from each sample to before the next, of all channels.

        Args:
            block: [T, C]; None at the end.

        Returns:
            [T'], in order; some of a block come with the next, all after the end.
        """
        pieces = [self._odd]
        if block is not None:
            self._direct = np.concatenate([self._direct, _largest(np.abs(block))])
        for at in range(0, 0 if block is None else len(block), BLOCK // 4):
            assert block is not None
            pieces.append(self._feed(block[at : at + BLOCK // 4]))
        if block is None:
            empty = np.zeros((0, self._channels), dtype=np.float32)
            pieces.append(self._feed(empty, last=True))
        fine = np.abs(np.concatenate(pieces))
        whole = len(fine) // 4 * 4
        self._odd = fine[whole:]
        peaks = _largest(fine[:whole].reshape(-1, 4 * self._channels))
        direct, self._direct = self._direct[: len(peaks)], self._direct[len(peaks) :]
        np.maximum(peaks[: len(direct)], direct, out=peaks[: len(direct)])
        return peaks

    def _feed(self, block: Frames, *, last: bool = False) -> npt.NDArray[np.float32]:
        frames: npt.NDArray[np.float32] = self._stream.resample_chunk(
            np.ascontiguousarray(block, dtype=np.float32), last=last
        )
        return frames


def _largest(rows: Frames) -> npt.NDArray[np.float32]:
    """The largest of each row [T, few]; several times faster than numpy's own way along rows."""
    largest = rows[:, 0].astype(np.float32)
    for column in range(1, rows.shape[1]):
        np.maximum(largest, rows[:, column], out=largest, casting="same_kind")
    return largest
