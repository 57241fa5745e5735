"""What the tags of one file cannot take along into another format, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from musiccore.tags.extras import Chapter, Raw, ended
from musiccore.tags.fields import Tags
from musiccore.tags.pictures import FRONT_COVER

_CALLED: Final = {
    "riff": "the chunks", "aiff": "the AIFF chunks", "caf": "the CAF chunks",
    "id3": "the ID3 frames", "flac": "the FLAC blocks", "mp4": "the MP4 items",
}  # fmt: skip
_GAP: Final = 2  # milliseconds that rounding may cost


def label(raw: Raw) -> str:
    """Return what a raw part is called: its name, of a list with its kind."""
    if raw.home == "riff" and raw.name == "LIST":
        return f"LIST {raw.body[:4].decode('ascii', 'replace').strip()}"
    return raw.name.strip()


def named(raws: Sequence[Raw]) -> tuple[str, ...]:
    """Return raw parts in words, one for each family."""
    names: dict[str, dict[str, None]] = {}
    for raw in raws:
        names.setdefault(raw.home, {})[label(raw)] = None
    return tuple(f"{_CALLED[home]} {', '.join(group)}" for home, group in names.items())


def losses(tags: Tags, kind: str, home: str) -> tuple[str, ...]:
    """Return what a format cannot hold.

    Args:
        tags: to be written.
        kind: the format.
        home: its family.
    """
    foreign = [raw for raw in tags.raws if raw.home != home]
    return (*named(foreign), *_of_chapters(tags.chapters, kind, home), *_of_others(tags, kind))


def _of_chapters(chapters: tuple[Chapter, ...], kind: str, home: str) -> Iterator[str]:
    if home != "id3" and kind not in ("wav", "rf64", "aiff", "w64"):
        if any(one.frames for one in chapters):
            yield "pictures and links of chapters"
        rows = ended(chapters)
        gaps = any(
            one.end is not None and abs(one.end - after.start) > _GAP
            for one, after in pairwise(rows)
        )
        if gaps and kind not in ("caf", "au"):
            yield "ends of chapters that differ from the next one's start"
    if kind != "m4a":
        return
    from musiccore.tags.mp4items import LONGEST_TITLE, MOST_CHAPTERS

    if len(chapters) > MOST_CHAPTERS:
        yield f"{len(chapters) - MOST_CHAPTERS} chapters after the first {MOST_CHAPTERS}"
    if any(len(one.title.encode()) > LONGEST_TITLE for one in chapters):
        yield f"titles of chapters beyond {LONGEST_TITLE} bytes"


def _of_others(tags: Tags, kind: str) -> Iterator[str]:
    if kind == "m4a" and any(one.description or one.kind != FRONT_COVER for one in tags.pictures):
        shown = dict.fromkeys(one.description or one.shows for one in tags.pictures)
        yield f"what pictures show and are called ({', '.join(shown)})"
    text_only = kind in ("flac", "ogg", "opus", "m4a")
    if text_only and any(one.description or one.content != 1 for one in tags.timed):
        yield "what synchronised lyrics are called"
