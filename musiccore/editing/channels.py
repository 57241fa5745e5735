"""From any number of channels to any other, and the orders in which formats keep them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_HALF = 0.7071067811865476  # 3 dB down

# Where each channel of the WAV order stands: (left, right) share of it in a stereo sound. The
# channel of low effects is left out, as ITU-R BS.775 has it.
_LEFT, _RIGHT, _CENTRE, _LOW = (1.0, 0.0), (0.0, 1.0), (_HALF, _HALF), (0.0, 0.0)
_BEHIND_LEFT, _BEHIND_RIGHT, _BEHIND = (_HALF, 0.0), (0.0, _HALF), (0.5, 0.5)
_PLACES = {
    1: (_CENTRE,),
    2: (_LEFT, _RIGHT),
    3: (_LEFT, _RIGHT, _CENTRE),
    4: (_LEFT, _RIGHT, _BEHIND_LEFT, _BEHIND_RIGHT),
    5: (_LEFT, _RIGHT, _CENTRE, _BEHIND_LEFT, _BEHIND_RIGHT),
    6: (_LEFT, _RIGHT, _CENTRE, _LOW, _BEHIND_LEFT, _BEHIND_RIGHT),
    7: (_LEFT, _RIGHT, _CENTRE, _LOW, _BEHIND, _BEHIND_LEFT, _BEHIND_RIGHT),
    8: (_LEFT, _RIGHT, _CENTRE, _LOW, _BEHIND_LEFT, _BEHIND_RIGHT, _BEHIND_LEFT, _BEHIND_RIGHT),
}

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


def mixing_matrix(before: int, after: int) -> npt.NDArray[np.float64] | None:
    """Return the shares of each old channel in each new one.

    Args:
        before: channels of the source, in the order of WAV.
        after: channels wanted.

    Returns:
        [after, before], its rows adding up to at most 1, so that nothing can clip; None if there
        is nothing to do. Fewer channels than two are the average of the stereo sound; more than
        there are leave the new ones silent, and one channel goes to the left and the right.
    """
    if before == after:
        return None
    if after == 1:
        if before <= 2:
            return np.full((1, before), 1.0 / before)
        return np.asarray(_to_stereo(before).mean(axis=0, keepdims=True))
    if after == 2 and before > 2:
        return _to_stereo(before)
    matrix = np.zeros((after, before))
    kept = min(before, after)
    matrix[range(kept), range(kept)] = 1.0
    if before == 1:
        matrix[1, 0] = 1.0
    return matrix


def _to_stereo(before: int) -> npt.NDArray[np.float64]:
    # Beyond 7.1 no order is agreed on: left and right in turn.
    places = _PLACES.get(before) or tuple((_LEFT, _RIGHT)[i % 2] for i in range(before))
    matrix = np.array(places).T  # [2, before]
    return np.asarray(matrix / matrix.sum(axis=1).max())
