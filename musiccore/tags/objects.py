"""Tags as one JSON object: for formats without a place for most of them, and for `explain`."""

from __future__ import annotations

import base64
import binascii

from musiccore.tags.extras import Chapter, TimedLyrics
from musiccore.tags.fields import PROVENANCE, SHOWN, FoundFields, Tags
from musiccore.tags.pictures import KINDS, EmbeddedPicture

_FIELDS, _PICTURES, _CHAPTERS, _TIMED = "tags", "pictures", "chapters", "synchronised_lyrics"


def to_object(tags: Tags) -> dict[str, object]:
    """Return everything but raw parts: fields of one text, and the rest below names of its own."""
    whole: dict[str, object] = dict(_single(tags))
    if more := {name: list(values) for name, values in tags.fields.items() if name not in whole}:
        whole[_FIELDS] = more
    if tags.pictures:
        whole[_PICTURES] = [
            {"mime": one.mime, "shows": one.shows, "description": one.description,
             "data": base64.b64encode(one.data).decode("ascii")}
            for one in tags.pictures
        ]  # fmt: skip
    if tags.chapters:
        whole[_CHAPTERS] = [chapter_row(one) for one in tags.chapters]
    if tags.timed:
        whole[_TIMED] = [timed_row(one) for one in tags.timed]
    if tags.provenance is not None:
        whole[PROVENANCE] = tags.provenance
    return whole


def _single(tags: Tags) -> list[tuple[str, str]]:
    """Fields that are one text: they stand at the top, as they always did."""
    return [(name, tags.fields[name][0]) for name in SHOWN if len(tags.fields.get(name, ())) == 1]


def chapter_row(one: Chapter) -> dict[str, object]:
    """Return a chapter with times in seconds."""
    end = None if one.end is None else one.end / 1000
    return {"start": one.start / 1000, "end": end, "title": one.title}


def timed_row(one: TimedLyrics) -> dict[str, object]:
    """Return timed lyrics with times in seconds."""
    lines = [[time / 1000, text] for time, text in one.lines]
    return {
        "language": one.language, "description": one.description, "content": one.content,
        "lines": lines,
    }  # fmt: skip


def from_object(whole: dict[str, object]) -> Tags:
    """Return the tags in an object that `to_object` made; anything else in it is left out."""
    found = FoundFields()
    for name, value in whole.items():
        if isinstance(value, str):
            found.add(name, value)
    fields = whole.get(_FIELDS)
    for name, values in fields.items() if isinstance(fields, dict) else ():
        for text in values if isinstance(values, list) else ():
            found.add(str(name), str(text))
    for one in _rows(whole, _PICTURES):
        _add_picture(found, one)
    for one in _rows(whole, _CHAPTERS):
        start, end = _milliseconds(one.get("start")), _milliseconds(one.get("end"))
        if start is not None:
            title = str(one.get("title", ""))
            found.chapters.append(Chapter(start=start, end=end, title=title))
    for one in _rows(whole, _TIMED):
        found.timed.append(_timed(one))
    return found.tags()


def _rows(whole: dict[str, object], name: str) -> list[dict[str, object]]:
    value = whole.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _add_picture(found: FoundFields, one: dict[str, object]) -> None:
    try:
        data = base64.b64decode(str(one.get("data", "")))
    except (ValueError, binascii.Error):
        found.extra("a damaged picture")
        return
    shows = str(one.get("shows"))
    found.pictures.append(
        EmbeddedPicture(
            data=data,
            mime=str(one.get("mime", "")),
            kind=KINDS.index(shows) if shows in KINDS else 0,
            description=str(one.get("description", "")),
        )
    )


def _timed(one: dict[str, object]) -> TimedLyrics:
    rows = one.get("lines")
    pairs = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
    times = [(_milliseconds(row[0]), str(row[1])) for row in pairs if len(row) == 2]
    lines = [(time, text) for time, text in times if time is not None]
    content = one.get("content")
    return TimedLyrics(
        lines=tuple(lines),
        language=str(one.get("language", "und")),
        description=str(one.get("description", "")),
        content=content if isinstance(content, int) and 0 <= content < 256 else 1,
    )


def _milliseconds(seconds: object) -> int | None:
    if isinstance(seconds, int | float) and 0 <= seconds < 1e7:
        return round(seconds * 1000)
    return None
