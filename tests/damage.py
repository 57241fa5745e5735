"""Bytes that were hurt: mutated, cut, and with words that readers trip over."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from musiccore.errors import MusicCoreError

LIMIT = 10.0  # seconds of one file on a busy machine

Changes = list[tuple[str, float, int, int]]

edits = st.lists(
    st.tuples(
        st.sampled_from(("flip", "zero", "noise", "drop", "double", "insert")),
        st.floats(0, 1), st.integers(1, 400), st.integers(0, 2**32 - 1),
    ),
    min_size=1, max_size=4,
)  # fmt: skip

NASTY = (
    b"[" * 30_000, b'{"a":' * 20_000, b"9" * 5_000, b"-1", b"1e999", b"NaN", b"-Infinity",
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"null", b"1e-400", b"18446744073709551616", b'"', b"'",
    b"\n", b"\r", b";", b"=", b"\\u0000", b"\\ud800", b"../../x", b"/dev/zero", b"true",
    b"2026-01-01", b"0x7fffffffffffffff", b"<", b"&#0;", b"]]>", b"*", b"\x1b[31m",
)  # fmt: skip
"""Words that a text may hold."""

words = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(range(len(NASTY)))), max_size=3
)

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 255, 2**31, 2**63, -(2**63), 10**30, 1e308, 0.5, -0.5, "", "x",
    "\0", "\ud800", "../../x", "a" * 3000, [], {}, [[]], [None], {"": None}, [0] * 2000,
)  # fmt: skip
"""Values that JSON may hold in any place."""


def mutated(data: bytes, changes: Changes) -> bytes:
    """Return bytes with changes: what, where, how long, and how to draw."""
    changed = bytearray(data)
    for what, share, length, seed in changes:
        at = int(share * len(changed))
        end = min(at + length, len(changed))
        if what == "flip" and at < len(changed):
            changed[at] ^= 1 << seed % 8
        elif what == "zero":
            changed[at:end] = bytes(end - at)
        elif what == "noise":
            changed[at:end] = np.random.default_rng(seed).bytes(end - at)
        elif what == "drop":
            del changed[at:end]
        elif what == "double":
            changed[at:at] = changed[at:end]
        else:
            changed[at:at] = np.random.default_rng(seed).bytes(length)
    return bytes(changed)


def worded(data: bytes, places: list[tuple[float, int, int]]) -> bytes:
    """Return bytes with nasty words: where, over how many bytes, and which."""
    changed = bytearray(data)
    for share, length, number in places:
        at = int(share * len(changed))
        changed[at : at + length] = NASTY[number]
    return bytes(changed)


def revalued(value: Any, changes: list[tuple[int, int]]) -> Any:
    """Return JSON values with others in some places, or without them.

    Args:
        value: any.
        changes: number of a place, and of a value; one above the last drops the place.
    """
    changed = copy.deepcopy(value)
    for place, number in changes:
        places = list(_places(changed))
        if not places:
            continue
        holder, key = places[place % len(places)]
        if number < len(VALUES):
            holder[key] = copy.deepcopy(VALUES[number])
        else:
            del holder[key]
    return changed


values = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, len(VALUES))), min_size=1, max_size=3
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = [(value, key) for key in value]
    elif isinstance(value, list):
        inside = [(value, n) for n in range(min(len(value), 40))]
    return inside + [each for holder, key in inside for each in _places(holder[key])]


def dumped(value: Any) -> bytes:
    """Return JSON as strangers write it: with lone surrogates, NaN and infinity."""
    return json.dumps(value, indent=1).encode()


def answered(read: Callable[[], object], *, limit: float = LIMIT) -> str:
    """Read something; return what the error said, empty where there was none.

    Every other exception, and more than `limit` seconds, fail.
    """
    began = time.monotonic()
    try:
        read()
        said = ""
    except MusicCoreError as error:
        said = error.message
        assert said
        assert "Traceback" not in said
        assert len(said) < 3000, said[:300]
    assert time.monotonic() - began < limit
    return said
