"""What is written in the chunks of WAV that recorders, editors and samplers leave."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from musiccore.tags.encodings import OldTexts
from musiccore.tags.extras import Raw
from musiccore.tags.not_carried import label

_BEXT: Final = struct.Struct("<256s32s32s10s8sQH64s5h")
_BEXT_TEXT: Final = 602  # byte at which the coding history begins
_CUE: Final = struct.Struct("<II4sIII")
_SMPL: Final = struct.Struct("<9I")
_LOOP: Final = struct.Struct("<6I")
_UNSAID: Final = 0x7FFF
_MOST: Final = 5000


def described(raws: Sequence[Raw], old: OldTexts) -> dict[str, object]:
    """Return name → what is in it, as JSON, of chunks and the like.

    Args:
        raws: of one file.
        old: reads texts that say no encoding.
    """
    found: dict[str, object] = {}
    for raw in raws:
        name = label(raw)
        known = _KNOWN.get(raw.name) if raw.home == "riff" else None
        value: object = f"{len(raw.body)} bytes"
        if known is not None:
            try:
                value = known(raw.body, old)
            except (struct.error, ValueError, IndexError):
                value = f"{len(raw.body)} bytes, damaged"
        found[name] = [*_list(found[name]), value] if name in found else value
    return found


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _bext(body: bytes, old: OldTexts) -> dict[str, object]:
    fields = _BEXT.unpack_from(body.ljust(_BEXT.size, b"\0"))
    texts = [old(raw.split(b"\0")[0]).strip() for raw in fields[:5]]
    names = ("description", "originator", "originator_reference", "date", "time")
    whole: dict[str, object] = {name: text for name, text in zip(names, texts, strict=True) if text}
    whole["time_reference"], whole["version"] = fields[5], fields[6]
    if any(fields[7]):
        whole["umid"] = fields[7].hex()
    loud = ("loudness", "loudness_range", "true_peak", "momentary", "short_term")
    if fields[6] >= 2:
        rows = zip(loud, fields[8:], strict=True)
        whole |= {name: number / 100 for name, number in rows if number != _UNSAID}
    if history := old(body[_BEXT_TEXT:].split(b"\0")[0]).strip():
        whole["coding_history"] = history
    return whole


def _text(body: bytes, old: OldTexts) -> str:
    return old(body.rstrip(b"\0"))


def _cue(body: bytes, old: OldTexts) -> list[dict[str, int]]:
    count = min(int.from_bytes(body[:4], "little"), (len(body) - 4) // _CUE.size, _MOST)
    rows = [_CUE.unpack_from(body, 4 + _CUE.size * number) for number in range(count)]
    return [{"id": row[0], "sample": row[5]} for row in rows]


def _smpl(body: bytes, old: OldTexts) -> dict[str, object]:
    head = _SMPL.unpack_from(body)
    count = min(head[7], (len(body) - _SMPL.size) // _LOOP.size, _MOST)
    rows = [_LOOP.unpack_from(body, _SMPL.size + _LOOP.size * number) for number in range(count)]
    loops = [{"id": row[0], "type": row[1], "start": row[2], "end": row[3]} for row in rows]
    return {"note": head[3], "loops": loops}


def _labels(body: bytes, old: OldTexts) -> object:
    if body[:4] != b"adtl":
        return f"{len(body)} bytes"
    rows: list[dict[str, object]] = []
    position = 4
    while position + 12 <= len(body) and len(rows) < _MOST:
        name, size, cue = struct.unpack_from("<4sII", body, position)
        text = body[position + 12 : position + 8 + size]
        text = text[16:] if name == b"ltxt" else text
        rows.append({"cue": cue, "kind": name.decode("ascii", "replace"),
                     "text": old(text.split(b"\0")[0])})  # fmt: skip
        position += 8 + size + size % 2
    return rows


def _cart(body: bytes, old: OldTexts) -> dict[str, str]:
    names = ("title", "artist", "cut_id", "client_id", "category", "classification", "out_cue")
    texts = [old(body[4 + 64 * n : 68 + 64 * n].split(b"\0")[0]) for n in range(len(names))]
    return {name: text for name, text in zip(names, texts, strict=True) if text}


_KNOWN: Final[Mapping[str, Callable[[bytes, OldTexts], object]]] = {
    "bext": _bext,
    "iXML": _text,
    "axml": _text,
    "_PMX": _text,
    "cue ": _cue,
    "smpl": _smpl,
    "LIST": _labels,
    "cart": _cart,
}
