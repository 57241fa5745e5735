"""MP3: ID3v2.4 in front of the frames; and what else lies around sound that has no chunks."""

from __future__ import annotations

from musiccore.tags import ape, id3
from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import FoundFields, Tags
from musiccore.tags.pieces import ByteSpan, Piece, Source

HOME = id3.HOME


def read(source: Source, old: OldTexts) -> Tags:
    """Return the tags around a file: what is in front, then APE, then ID3v1 at its end."""
    found = FoundFields()
    found.fill(id3.read_front(source, old))
    found.fill(ape.read(source, old))
    found.fill(id3.read_v1(source, old))
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags."""
    end = ape.start_of(source, id3.v1_start(source))
    return [id3.encode(tags), ByteSpan(min(id3.front_end(source), end), end)]
