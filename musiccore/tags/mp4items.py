"""Items of MP4's `ilst`, texts of QuickTime and 3GP, and Nero's list of chapters."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from musiccore.tags.encodings import OldTexts
from musiccore.tags.extras import Chapter, Raw, from_lrc, lrc
from musiccore.tags.fields import MOST_FIELDS, PROVENANCE, FoundFields, Tags, cut, numbered
from musiccore.tags.genres import genre_name
from musiccore.tags.names import MP4
from musiccore.tags.pictures import EmbeddedPicture, media_type
from musiccore.tags.pieces import Chunk

HOME: Final = "mp4"
MOST_CHAPTERS: Final = 255
LONGEST_TITLE: Final = 255  # bytes

_FREE: Final = b"----"  # an item with a name of its own
_PREFIX: Final = "----:"
_OWNER, _OURS = b"com.apple.iTunes", b"jukeflow"
_IMPLICIT, _UTF8, _UTF16, _PNG, _SIGNED, _UNSIGNED = 0, 1, 2, 14, 21, 22
_JPEG: Final = 13
_PICTURE_KINDS: Final = {"image/png": _PNG, "image/jpeg": _JPEG, "image/bmp": 27}
_READ: Final = {
    item.encode("latin-1"): name for name, item in MP4.items() if not item.startswith(_PREFIX)
}
_NUMBERS: Final = {"track": b"trkn", "disc": b"disk"}
_INTS: Final = {  # bytes of whole numbers
    b"cpil": 1, b"pgap": 1, b"pcst": 1, b"hdvd": 1, b"shwm": 1, b"stik": 1, b"rtng": 1, b"akID": 1,
    b"tmpo": 2, b"\xa9mvi": 2, b"\xa9mvc": 2, b"cnID": 4, b"sfID": 4, b"atID": 4, b"geID": 4,
    b"cmID": 4, b"tvsn": 4, b"tves": 4, b"plID": 8,
}  # fmt: skip
_TECHNICAL: Final = frozenset({"itunsmpb", "encoding params", "itunpgap", "cdec"})  # of the encoder
_TIMED: Final = "SYNCEDLYRICS"
_QUICKTIME: Final = {
    b"\xa9cpy": "copyright", b"\xa9swr": "software", b"\xa9inf": "comment", b"\xa9aut": "artist",
    b"\xa9des": "description", b"\xa9com": "composer", b"\xa9prd": "producer",
}  # fmt: skip
_3GP: Final = {
    b"titl": "title", b"auth": "artist", b"perf": "performer", b"dscp": "description",
    b"albm": "album", b"cprt": "copyright", b"gnre": "genre",
}  # fmt: skip
_TICKS: Final = 10_000  # of 100 ns in a millisecond


def within(data: bytes, position: int, end: int) -> list[Chunk]:
    """Return the atoms in bytes that were read; four zeros end the list.

    Raises:
        ValueError: if one goes beyond its place, or there are absurdly many.
    """
    found: list[Chunk] = []
    while position + 8 <= end:
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 0:
            break
        if len(found) == MOST_FIELDS:
            raise ValueError(f"more than {MOST_FIELDS} atoms beside each other")
        if size < 8 or position + size > end:
            raise ValueError(f"an atom of {size} bytes in moov")
        name = data[position + 4 : position + 8]
        found.append(Chunk(name, position, position + 8, position + size))
        position += size
    return found


def atom(name: bytes, body: bytes) -> bytes:
    """Return an atom."""
    return struct.pack(">I4s", 8 + len(body), name) + body


# Reading --------------------------------------------------------------------------------------


def take_items(found: FoundFields, meta: bytes) -> None:
    """Take in the items of a `meta` atom.

    Args:
        found: what is there already.
        meta: its body.
    """
    start = 0 if meta[4:8] == b"hdlr" else 4  # QuickTime has no version in front
    keys: list[str] = []
    for part in within(meta, start, len(meta)):
        if part.name == b"keys":
            keys = _keys(meta[part.start : part.end])
        elif part.name == b"ilst":
            for item in within(meta, part.start, part.end):
                _take_item(found, item.name, meta[item.start : item.end], keys)


def _keys(body: bytes) -> list[str]:
    names, position = [], 8
    for _ in range(min(int.from_bytes(body[4:8], "big"), MOST_FIELDS)):
        size = int.from_bytes(body[position : position + 4], "big")
        if size < 8 or position + size > len(body):
            break
        names.append(body[position + 8 : position + size].decode(errors="replace"))
        position += size
    return names


def _take_item(found: FoundFields, name: bytes, body: bytes, keys: list[str]) -> None:
    free, values = "", []
    for part in within(body, 0, len(body)):
        if part.name == b"name":
            free = body[part.start + 4 : part.end].decode(errors="replace")
        elif part.name == b"data" and part.size >= 8:
            kind = int.from_bytes(body[part.start + 1 : part.start + 4], "big")
            values.append((kind, body[part.start + 8 : part.end]))
    number = int.from_bytes(name, "big")
    if keys and 0 < number <= len(keys):
        free = keys[number - 1].removeprefix("com.apple.quicktime.")
    for kind, raw in values:
        text = _text(name, kind, raw)
        if name == b"covr":
            if raw:
                found.pictures.append(EmbeddedPicture(data=raw, mime=media_type(raw)))
        elif text is None:
            label = free or name.decode("latin-1")
            found.raws.append(Raw(home=HOME, name=label, body=atom(name, body)))
            return
        elif free:
            _take_free(found, free, text)
        else:
            found.add(_READ.get(name, name.decode("latin-1").lstrip("\xa9")), text)


def _take_free(found: FoundFields, name: str, text: str) -> None:
    if name.upper() == _TIMED and (lyrics := from_lrc(text)):
        found.timed.append(lyrics)
    elif name.upper() == "TRACK":  # what an older jukeflow wrote for a track that is no number
        found.add("track", text)
    elif name.casefold() not in _TECHNICAL:
        found.add_free(name, text)


def _text(name: bytes, kind: int, raw: bytes) -> str | None:
    """Return the value of an item as text; empty for none, None if it is no text."""
    if name in (b"trkn", b"disk") and len(raw) >= 6:
        number, total = struct.unpack_from(">HH", raw, 2)
        return (f"{number}/{total}" if total else str(number)) if number or total else ""
    if name == b"gnre" and len(raw) >= 2:
        return genre_name(str(int.from_bytes(raw[:2], "big") - 1))
    if kind == _UTF16:
        return raw.decode("utf-16-be", errors="replace")
    if kind == _UTF8:
        return raw.decode(errors="replace")
    if name in _INTS or kind in (_SIGNED, _UNSIGNED):
        return str(int.from_bytes(raw, "big", signed=kind == _SIGNED)) if len(raw) <= 8 else None
    try:
        text = raw.decode() if kind == _IMPLICIT else None
    except UnicodeDecodeError:
        return None
    return text if text is not None and text.isprintable() else None


def take_user_text(found: FoundFields, name: bytes, body: bytes, old: OldTexts) -> None:
    """Take in a text that lies in `udta` itself: of QuickTime, or of 3GP."""
    if name[:1] == b"\xa9" and len(body) >= 4:
        size = int.from_bytes(body[:2], "big")
        known = _QUICKTIME.get(name) or _READ.get(name) or name[1:].decode("latin-1")
        found.add(known, old(body[4 : 4 + size]))
    elif name == b"yrrc" and len(body) >= 6:
        found.add("date", str(int.from_bytes(body[4:6], "big")))
    elif name in _3GP and len(body) > 6:
        raw = body[6:].split(b"\0\0" if body[6:8] in (b"\xfe\xff", b"\xff\xfe") else b"\0")[0]
        wide = raw[:2] in (b"\xfe\xff", b"\xff\xfe")
        text = raw.decode("utf-16", "replace") if wide else raw.decode(errors="replace")
        found.add(_3GP[name], text)


def chapters(body: bytes) -> tuple[Chapter, ...]:
    """Return the chapters in a `chpl` atom.

    Raises:
        struct.error, IndexError: if it is cut.
    """
    position = 8 if body[0] else 4
    count, position = body[position], position + 1
    found = []
    for _ in range(count):
        start, size = struct.unpack_from(">QB", body, position)
        title = body[position + 9 : position + 9 + size].decode(errors="replace")
        found.append(Chapter(start=start // _TICKS, title=title))
        position += 9 + size
    return tuple(found)


# Writing --------------------------------------------------------------------------------------


def items(tags: Tags) -> bytes:
    """Return the items of everything but chapters."""
    parts = [_field(name, tags.fields) for name in tags.fields]
    parts += [_free(_TIMED, lrc(lyrics)) for lyrics in tags.timed]
    if tags.provenance is not None:
        parts.append(_free(PROVENANCE, tags.provenance, owner=_OURS))
    parts += [raw.body for raw in tags.raws if raw.home == HOME]
    covers = [_data(one.data, _PICTURE_KINDS.get(one.mime, _IMPLICIT)) for one in tags.pictures]
    return b"".join(parts) + (atom(b"covr", b"".join(covers)) if covers else b"")


def _field(name: str, fields: Mapping[str, tuple[str, ...]]) -> bytes:
    values = fields[name]
    if name.endswith("_total") and name.removesuffix("_total") in _NUMBERS:
        name_of = name.removesuffix("_total")
        with_number = name_of in fields and _number(numbered(fields, name_of))
        return b"" if with_number else _free(_label(name), *values)
    if name in _NUMBERS:
        pair = _number(numbered(fields, name))
        if pair is None:
            return _free("TRACK" if name == "track" else _label(name), *values)
        return atom(_NUMBERS[name], _data(pair, _IMPLICIT))
    known = MP4.get(name, _PREFIX + name)
    item = known.encode("latin-1", "replace") if not known.startswith(_PREFIX) else b""
    if not item and name.encode("latin-1", "replace") in _INTS:
        item = name.encode("latin-1")
    if item in _INTS:
        width = _INTS[item]
        if len(values) == 1 and values[0].isdecimal() and int(values[0]) < 1 << 8 * width - 1:
            return atom(item, _data(int(values[0]).to_bytes(width, "big"), _SIGNED))
        return _free(_label(name), *values)
    if name == "licence" and "copyright" not in fields:
        return _texts(b"cprt", values) + _free("LICENSE", *values)
    return _texts(item, values) if item else _free(known.removeprefix(_PREFIX), *values)


def _label(name: str) -> str:
    return {"disc": "DISCNUMBER", "bpm": "BPM"}.get(name, name.upper().replace("_", ""))


def _number(text: str) -> bytes | None:
    """Return number and total of a track or disc; None if they are none."""
    number, _, total = text.partition("/")
    if not all(one.isascii() and one.isdecimal() for one in (number or "-", total or "0")):
        return None
    if int(number) > 0xFFFF or int(total or 0) > 0xFFFF:
        return None
    return struct.pack(">HHHH", 0, int(number), int(total or 0), 0)


def _texts(item: bytes, values: tuple[str, ...]) -> bytes:
    return atom(item, b"".join(_data(value.encode(), _UTF8) for value in values))


def _free(name: str, *values: str, owner: bytes = _OWNER) -> bytes:
    head = atom(b"mean", b"\0" * 4 + owner) + atom(b"name", b"\0" * 4 + name.encode())
    return atom(_FREE, head + b"".join(_data(value.encode(), _UTF8) for value in values))


def _data(raw: bytes, kind: int) -> bytes:
    return atom(b"data", struct.pack(">II", kind, 0) + raw)


def chapter_list(rows: tuple[Chapter, ...]) -> bytes:
    """Return a `chpl` atom of at most `MOST_CHAPTERS`; nothing for none."""
    if not rows:
        return b""
    body = struct.pack(">IIB", 1 << 24, 0, min(len(rows), MOST_CHAPTERS))
    for one in rows[:MOST_CHAPTERS]:
        title = cut(one.title, LONGEST_TITLE)
        body += struct.pack(">QB", one.start * _TICKS, len(title)) + title
    return atom(b"chpl", body)
