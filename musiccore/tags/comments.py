"""Vorbis comments: the tags of FLAC, Vorbis, Opus and Speex."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterator
from typing import Final

from musiccore.tags import pictures
from musiccore.tags.extras import Chapter, clock, from_clock, from_lrc, lrc
from musiccore.tags.fields import LANGUAGE, MOST_FIELDS, PROVENANCE, FoundFields, Tags
from musiccore.tags.names import vorbis_name

_PICTURE: Final = "METADATA_BLOCK_PICTURE"
_COVER, _COVER_MIME = "COVERART", "COVERARTMIME"
_TIMED: Final = "SYNCEDLYRICS"
_CHAPTER: Final = re.compile(r"CHAPTER(\d{1,4})(NAME|URL)?")


def encode(tags: Tags, vendor: bytes = b"", *, with_pictures: bool = True) -> bytes:
    """Return a comment block: vendor and fields, without the framing bit of Vorbis.

    Args:
        tags: what they say.
        vendor: who encoded the sound.
        with_pictures: FLAC has blocks of its own for them.
    """
    fields = [f"{name}={text}".encode() for name, text in _rows(tags)]
    if tags.provenance is not None:
        fields.append(f"{PROVENANCE}={tags.provenance}".encode())
    if with_pictures:
        blocks = map(pictures.encode, tags.pictures)
        fields += [f"{_PICTURE}=".encode() + base64.b64encode(block) for block in blocks]
    parts = [struct.pack("<I", len(vendor)), vendor, struct.pack("<I", len(fields))]
    for one in fields:
        parts += (struct.pack("<I", len(one)), one)
    return b"".join(parts)


def _rows(tags: Tags) -> Iterator[tuple[str, str]]:
    for name, values in tags.fields.items():
        field = name.removesuffix(LANGUAGE)
        written = vorbis_name(field if name != field and field in tags.fields else name)
        if name != field and field in tags.fields:
            written += LANGUAGE.upper()
        for value in values:
            yield written, value
    for lyrics in tags.timed:
        yield _TIMED, lrc(lyrics)
    for number, chapter in enumerate(tags.chapters, start=1):
        yield f"CHAPTER{number:03}", clock(chapter.start)
        yield f"CHAPTER{number:03}NAME", chapter.title


def decode(block: bytes) -> tuple[Tags, bytes]:
    """Return the tags in a comment block, and its vendor.

    Raises:
        ValueError: if a length goes beyond the block.
    """
    vendor, position = _text(block, 0)
    if position + 4 > len(block):
        raise ValueError("the comments end in the middle")
    (count,) = struct.unpack_from("<I", block, position)
    position += 4
    if count > MOST_FIELDS:
        raise ValueError(f"{count} comments")
    rows: list[tuple[str, str]] = []
    for _ in range(count):
        raw, position = _text(block, position)
        name, equal, text = raw.decode(errors="replace").partition("=")
        rows.append((name, text) if equal else ("", name))
    found = FoundFields()
    _read(found, rows)
    return found.tags(), vendor


def _read(found: FoundFields, rows: list[tuple[str, str]]) -> None:
    starts: dict[int, int] = {}
    titles: dict[int, str] = {}
    mime = next((text for name, text in rows if name.upper() == _COVER_MIME), "")
    for name, text in rows:
        upper = name.strip().upper()
        chapter = _CHAPTER.fullmatch(upper)
        if upper in (_PICTURE, _COVER):
            _add_picture(found, upper, text, mime)
        elif upper == _TIMED and (lyrics := from_lrc(text)):
            found.timed.append(lyrics)
        elif chapter and chapter[2] == "NAME":
            titles[int(chapter[1])] = text
        elif chapter and chapter[2] is None and (start := from_clock(text)) is not None:
            starts[int(chapter[1])] = start
        elif upper != _COVER_MIME:
            found.add_free(name, text)
    found.chapters += [
        Chapter(start=start, title=titles.pop(number, ""))
        for number, start in sorted(starts.items())
    ]
    for number, title in titles.items():  # of no chapter
        found.add(f"CHAPTER{number:03}NAME", title)


def _add_picture(found: FoundFields, name: str, text: str, mime: str) -> None:
    try:
        data = base64.b64decode(text, validate=False)
        if name == _COVER:
            one = pictures.EmbeddedPicture(data=data, mime=pictures.media_type(data, mime))
        else:
            one = pictures.decode(data)
    except (ValueError, struct.error, binascii.Error):
        found.extra("a damaged picture")
    else:
        if one.data and one not in found.pictures:
            found.pictures.append(one)


def vendor_of(block: bytes) -> bytes:
    """Return who encoded, from a block that may be damaged after it."""
    try:
        return _text(block, 0)[0]
    except ValueError:
        return b""


def _text(block: bytes, position: int) -> tuple[bytes, int]:
    start = position + 4
    size = int.from_bytes(block[position:start], "little")
    if start + size > len(block):
        raise ValueError(f"a comment of {size} bytes does not fit into its block")
    return block[start : start + size], start + size
