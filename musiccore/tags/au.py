"""AU: the annotation between header and sound, lines of `key=value`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from musiccore.errors import AudioError
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import (
    LIMIT,
    MOST_FIELDS,
    PROVENANCE,
    FoundFields,
    Tags,
    from_json,
    to_json,
)
from musiccore.tags.objects import from_object, to_object
from musiccore.tags.pieces import ByteSpan, Piece, Source

HOME: Final = "au"
_HEADER: Final = 24  # bytes, without the annotation
_ALL: Final = "JUKEFLOW_TAGS"  # every shown field as JSON: lyrics have lines of their own
_SHOWN: Final = ("title", "artist", "album", "genre", "track")  # one line each


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags of an AU file; an annotation of another form is a comment."""
    offset = int.from_bytes(source.read(4, 4), _order(source))
    raw = source.read(_HEADER, offset - _HEADER).rstrip(b"\0")
    text = old(raw)
    rows = dict(line.partition("=")[::2] for line in text.split("\n", MOST_FIELDS) if "=" in line)
    found = FoundFields()
    if _ALL in rows:
        found.fill(from_object(from_json(rows[_ALL])))
    elif not any(name in rows for name in _SHOWN):
        found.add("comment", text)
    for name in _SHOWN:
        found.add(name if name not in found.fields else None, rows.get(name, ""))
    found.add(PROVENANCE, rows.get(PROVENANCE, ""))
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags."""
    order, rows = _order(source), dict(tags.rows())
    offset = int.from_bytes(source.read(4, 4), order)
    if not _HEADER <= offset <= source.size:
        raise ValueError(f"the sound begins at byte {offset} of {source.size}")
    lines = [f"{name}={' '.join(rows[name].split())}" for name in _SHOWN if name in rows]
    lines.append(f"{_ALL}={to_json(to_object(replace(tags, provenance=None)))}")
    if tags.provenance is not None:
        lines.append(f"{PROVENANCE}={tags.provenance}")
    text = "\n".join(lines).encode() + b"\0"
    text += b"\0" * (-len(text) % 8)
    if len(text) >= LIMIT:
        raise AudioError(f"tags of {len(text)} bytes are too long for an AU file (16 MiB)")
    start = (_HEADER + len(text)).to_bytes(4, order)
    return [ByteSpan(0, 4), start, ByteSpan(8, _HEADER), text, ByteSpan(offset, source.size)]


def _order(source: Source) -> Literal["little", "big"]:
    return "little" if source.read(0, 4) == b"dns." else "big"
