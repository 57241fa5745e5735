"""Which attention each layer of a published stack uses.

Paper: "Factorized attention"; patterns 7 to 12 are those of the released code.
"""

from __future__ import annotations

from typing import Literal

from musiccore.errors import ConfigError

AttentionKind = Literal["dense", "row", "column", "previous_row", "summary", "cross", "lyrics"]

_ROW3: tuple[AttentionKind, ...] = ("row", "column", "previous_row")
_SPECIAL_PERIOD = 16


def attention_kind(order: int, layer: int) -> AttentionKind:
    """Return the attention kind of one layer under a published layer pattern.

    Args:
        order: number of the pattern, as published configurations give it (0 to 12).
        layer: index of the layer, from 0.

    Raises:
        ConfigError: if the pattern is unknown or uses a kind that no sampling path exists for.

    Paper: "Factorized attention"; patterns 7 to 12 are those of the released code.
    `docs/model.md`, "Layer patterns".
    """
    three = _ROW3[layer % 3]
    if order == 0:
        return "dense"
    if order == 1:
        return _ROW3[layer % 2]
    if order == 2:
        return three
    if order == 3:
        return ("row", "summary")[layer % 2]
    if order == 6:
        return (*_ROW3, "cross")[layer % 4]
    if order in (7, 8):
        period = 16 if order == 7 else 10
        place = layer % period
        return "cross" if place == period - 1 else _ROW3[place % 3]
    if order == 9:
        return (*_ROW3, "dense")[layer % 4]
    if order == 10:
        place = layer % 79
        if place < 9:
            return _ROW3[place % 3]
        place = (place - 9) % 10
        return "cross" if place == 9 else _ROW3[place % 3]
    if order in (11, 12):
        if layer % _SPECIAL_PERIOD != _SPECIAL_PERIOD - 1:
            return three
        special: AttentionKind = "cross" if order == 11 else "lyrics"
        return (special, special, "dense")[layer % 3]
    raise ConfigError(
        f"attention_order is {order}; patterns 0, 1, 2, 3 and 6 to 12 are implemented",
        hint="patterns 4 and 5 have no sampling path in any release",
    )
