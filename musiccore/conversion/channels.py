"""From any number of channels to any other, and the orders in which formats keep them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from musiccore.conversion.speakers import FL, FR, instead_of, speakers_of, stereo_share

VORBIS_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 4, 5, 3),
    7: (0, 2, 1, 5, 6, 4, 3),
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}
"""Channels -> which channel of the WAV order stands where in Vorbis and Opus.

libsndfile passes channels through as they come, so a centre would be played on the right.
"""


def mixing_matrix(
    before: int, after: int, mask: int = 0, wanted: int = 0
) -> npt.NDArray[np.float64] | None:
    """Return the shares of each old channel in each new one.

    Args:
        before: channels of the source.
        after: channels wanted.
        mask: which speakers the old channels are for; 0 for the usual ones.
        wanted: which the new ones are for; 0 for the same, or for the usual ones of so many.

    Returns:
        [after, before], its rows adding up to at most 1, so that nothing can clip; None if there
        is nothing to do. Fewer channels than two are the average of the stereo sound; speakers
        that are not there are played by their neighbours, new ones are silent, and one channel
        goes to the left and the right.
    """
    if before == after and wanted in (0, mask):
        return None
    old, new = speakers_of(mask, before), speakers_of(wanted, after)
    if after == 1:
        if before <= 2:
            return np.full((1, before), 1.0 / before)
        return np.asarray(_to_stereo(before, old).mean(axis=0, keepdims=True))
    if after == 2 and (before > 2 or (mask and old and old != (FL, FR) and before == 2)):
        return _to_stereo(before, old)
    matrix = np.zeros((after, before))
    if before == 1:
        matrix[:2, 0] = 1.0
    elif old and new:
        for channel, speaker in enumerate(old):
            for other, share in instead_of(speaker, new):
                matrix[new.index(other), channel] = share
        matrix /= max(1.0, matrix.sum(axis=1).max())
    else:
        kept = min(before, after)
        matrix[range(kept), range(kept)] = 1.0
    return matrix


def _to_stereo(before: int, speakers: tuple[int, ...]) -> npt.NDArray[np.float64]:
    # Beyond 7.1 no order is agreed on: left and right in turn.
    sides = ((1.0, 0.0), (0.0, 1.0))
    places = [stereo_share(each) for each in speakers] or [sides[i % 2] for i in range(before)]
    matrix = np.array(places).T  # [2, before]
    return np.asarray(matrix / max(matrix.sum(axis=1).max(), 1e-9))
