"""APEv2: read at the end of Monkey's Audio, WavPack, Musepack and MP3 files."""

from __future__ import annotations

import struct
from typing import Final

from musiccore.tags.encodings import OldTexts
from musiccore.tags.extras import from_lrc
from musiccore.tags.fields import LIMIT, MOST_FIELDS, FoundFields, Tags
from musiccore.tags.id3 import v1_start
from musiccore.tags.pictures import FRONT_COVER, KINDS, EmbeddedPicture, media_type
from musiccore.tags.pieces import Source

_FOOTER: Final = struct.Struct("<8sIIII8x")  # magic, version, size, items, flags
_MAGIC: Final = b"APETAGEX"
_HAS_HEADER: Final = 1 << 31
_TEXT, _BINARY, _ADDRESS = 0, 1, 2
_OLD_VERSION: Final = 1000  # whose texts say no encoding
_COVER: Final = "cover art ("
_NUMBERED: Final = ("track", "disc")


def start_of(source: Source, end: int) -> int:
    """Return where the APE tag that ends at `end` begins; `end` without one."""
    head = source.read(end - _FOOTER.size, _FOOTER.size) if end >= _FOOTER.size else b""
    if len(head) < _FOOTER.size or head[:8] != _MAGIC:
        return end
    _, _, size, _, flags = _FOOTER.unpack(head)
    start = end - size - (_FOOTER.size if flags & _HAS_HEADER else 0)
    return start if 0 <= start <= end - _FOOTER.size else end


def read(source: Source, old: OldTexts) -> Tags:
    """Return what the APE tag at the end of a file, or at its beginning, says."""
    found = FoundFields()
    end = v1_start(source)
    foot = source.read(end - _FOOTER.size, _FOOTER.size) if end >= _FOOTER.size else b""
    if foot[:8] == _MAGIC:
        _, version, size, count, _ = _FOOTER.unpack(foot)
        start = end - size
    elif (foot := source.read(0, _FOOTER.size))[:8] == _MAGIC and len(foot) == _FOOTER.size:
        _, version, size, count, _ = _FOOTER.unpack(foot)
        start = _FOOTER.size
    else:
        return found.tags()
    if not _FOOTER.size <= size <= LIMIT or start < 0:
        found.extra(f"an APE tag of {size} bytes")
        return found.tags()
    texts = old if version <= _OLD_VERSION else OldTexts()
    _items(found, source.read(start, size), min(count, MOST_FIELDS), texts)
    return found.tags()


def _items(found: FoundFields, body: bytes, count: int, old: OldTexts) -> None:
    position = 0
    for _ in range(count):
        if position + 8 > len(body) or body[position : position + 8] == _MAGIC:
            return
        size, flags = struct.unpack_from("<II", body, position)
        stop = body.find(b"\0", position + 8, position + 8 + 256)
        if stop < 0 or stop + 1 + size > len(body):
            found.extra("the damaged rest of an APE tag")
            return
        name = body[position + 8 : stop].decode("ascii", "replace")
        value, position = body[stop + 1 : stop + 1 + size], stop + 1 + size
        _item(found, name, flags >> 1 & 3, value, old)


def _item(found: FoundFields, name: str, kind: int, value: bytes, old: OldTexts) -> None:
    if name.casefold().startswith(_COVER):
        words, _, data = value.partition(b"\0")
        if data:
            shown = name[len(_COVER) :].rstrip(")").casefold().replace("front", "front cover")
            shown = shown.replace("back", "back cover")
            number = KINDS.index(shown) if shown in KINDS else FRONT_COVER
            description = words.decode(errors="replace")
            description = "" if description.casefold().startswith(_COVER) else description
            found.pictures.append(
                EmbeddedPicture(
                    data=data, mime=media_type(data), kind=number, description=description
                )
            )
    elif kind == _BINARY:
        found.extra(f"an APE item {name!r}")
    else:
        for text in value.split(b"\0", MOST_FIELDS):
            _add(found, name, old(text))


def _add(found: FoundFields, name: str, text: str) -> None:
    if name.casefold() in ("synclyrics", "syncedlyrics") and (lyrics := from_lrc(text)):
        found.timed.append(lyrics)
    elif name.casefold() in _NUMBERED:
        found.add(name.casefold(), text)
    else:
        found.add_free(name, text)
