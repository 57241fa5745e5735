"""MP3: ID3v2.4 in front of the frames."""

from __future__ import annotations

from musiccore.tags import id3
from musiccore.tags.fields import Found, Tags
from musiccore.tags.pieces import Piece, Source, Span


def read(source: Source) -> Tags:
    """Return the tags of an MP3 file; those at its end count where the front says nothing."""
    found = Found()
    found.fill(id3.read_front(source))
    found.fill(id3.read_v1(source))
    return found.tags()


def write(source: Source, tags: Tags) -> list[Piece]:
    """Return the file with other tags."""
    return [id3.encode(tags), Span(id3.front_end(source), id3.v1_start(source))]
