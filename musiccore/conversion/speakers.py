"""Which speaker each channel is for: the masks of WAVE_FORMAT_EXTENSIBLE.

A mask has a bit for each speaker; the channels of a file lie in the order of its bits. Without a
mask the usual one of so many channels is meant.
"""

from __future__ import annotations

FL, FR, FC, LFE, BL, BR, FLC, FRC, BC, SL, SR = (1 << bit for bit in range(11))
_TOP = tuple(1 << bit for bit in range(11, 18))  # centre, front left, centre, right, back ...

USUAL = {
    1: FC,
    2: FL | FR,
    3: FL | FR | FC,
    4: FL | FR | BL | BR,
    5: FL | FR | FC | BL | BR,
    6: FL | FR | FC | LFE | BL | BR,
    7: FL | FR | FC | LFE | BC | SL | SR,
    8: FL | FR | FC | LFE | BL | BR | SL | SR,
}
"""Channels -> the mask that is meant where none is given; what FLAC, Vorbis and Opus hold."""

_NAMES = {
    FL | FR | LFE: "2.1", FL | FR | FC: "3.0", FL | FR | BC: "3.0 (back)",
    FL | FR | FC | LFE: "3.1", FL | FR | FC | BC: "4.0", FL | FR | BL | BR: "quad",
    FL | FR | SL | SR: "quad (side)", FL | FR | FC | LFE | BC: "4.1",
    FL | FR | FC | BL | BR: "5.0", FL | FR | FC | SL | SR: "5.0 (side)",
    FL | FR | FC | LFE | BL | BR: "5.1", FL | FR | FC | LFE | SL | SR: "5.1 (side)",
    FL | FR | FC | BC | SL | SR: "6.0", FL | FR | FC | LFE | BC | SL | SR: "6.1",
    FL | FR | FC | LFE | BL | BR | BC: "6.1 (back)",
    FL | FR | FC | LFE | BL | BR | SL | SR: "7.1",
    FL | FR | FC | LFE | BL | BR | FLC | FRC: "7.1 (wide)",
}  # fmt: skip

_HALF = 0.7071067811865476  # 3 dB down
_STEREO = {
    FL: (1.0, 0.0), FR: (0.0, 1.0), FC: (_HALF, _HALF), LFE: (0.0, 0.0),
    BL: (_HALF, 0.0), BR: (0.0, _HALF), FLC: (1.0, 0.0), FRC: (0.0, 1.0), BC: (0.5, 0.5),
    SL: (_HALF, 0.0), SR: (0.0, _HALF), _TOP[0]: (0.5, 0.5), _TOP[1]: (_HALF, 0.0),
    _TOP[2]: (0.5, 0.5), _TOP[3]: (0.0, _HALF), _TOP[4]: (_HALF, 0.0), _TOP[5]: (0.5, 0.5),
    _TOP[6]: (0.0, _HALF),
}  # fmt: skip
"""Speaker -> (left, right) share in a stereo sound, as ITU-R BS.775 has it; no low effects."""

_INSTEAD: dict[int, tuple[tuple[tuple[int, float], ...], ...]] = {
    FC: (((FL, _HALF), (FR, _HALF)),),
    BL: (((SL, 1.0),), ((BC, _HALF),), ((FL, _HALF),)),
    BR: (((SR, 1.0),), ((BC, _HALF),), ((FR, _HALF),)),
    SL: (((BL, 1.0),), ((BC, _HALF),), ((FL, _HALF),)),
    SR: (((BR, 1.0),), ((BC, _HALF),), ((FR, _HALF),)),
    BC: (((BL, _HALF), (BR, _HALF)), ((SL, _HALF), (SR, _HALF)), ((FL, 0.5), (FR, 0.5))),
    FLC: (((FL, 1.0),),),
    FRC: (((FR, 1.0),),),
}
"""Speaker -> those that play its channel where it is missing, best first."""


def speakers_of(mask: int, channels: int) -> tuple[int, ...]:
    """Return the speaker of each channel; empty where nothing is agreed on.

    Args:
        mask: 0 for the usual one.
        channels: of the sound; a mask of fewer or more is not believed.
    """
    if mask.bit_count() != channels or mask >> 18:
        mask = USUAL.get(channels, 0)
    return tuple(1 << bit for bit in range(18) if mask >> bit & 1)


def layout_name(mask: int) -> str:
    """Return what people call a layout."""
    return _NAMES.get(mask, f"{mask.bit_count()} channels of mask {mask:#x}")


def stereo_share(speaker: int) -> tuple[float, float]:
    """Return how much of a speaker's channel goes to left and right."""
    return _STEREO[speaker]


def instead_of(speaker: int, there: tuple[int, ...]) -> tuple[tuple[int, float], ...]:
    """Return the speakers that play a channel, and how loud.

    Args:
        speaker: whose channel it is.
        there: speakers of the target.
    """
    if speaker in there:
        return ((speaker, 1.0),)
    for choice in _INSTEAD.get(speaker, ()):
        if all(each in there for each, _ in choice):
            return choice
    if speaker == LFE:
        return ()
    left, right = _STEREO[speaker]
    return tuple((each, share) for each, share in ((FL, left), (FR, right)) if each in there)


def is_usual(mask: int, channels: int) -> bool:
    """Tell whether a mask says what is meant without one; side and back are the same pair."""
    return not mask or mask.bit_count() != channels or at_the_back(mask) == USUAL.get(channels)


def fitting_layout(mask: int, most: int) -> int | None:
    """Return the smallest usual layout that has every speaker of a mask.

    Args:
        mask: of a sound.
        most: channels that the format holds.
    """
    behind = at_the_back(mask)
    for channels, usual in USUAL.items():
        if channels <= most and not (behind & ~usual and mask & ~usual):
            return usual
    return None


def at_the_back(mask: int) -> int:
    """Return a mask with its only pair of rear speakers at the back."""
    side, back = SL | SR, BL | BR
    return mask ^ side ^ back if mask & (side | back) == side and not mask & BC else mask
