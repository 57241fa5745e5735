"""What tags hold besides fields of text: chapters, lyrics with times, and parts of one format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

MOST_LINES: Final = 20_000
"""Lines of timed lyrics that are read."""

_STAMP: Final = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One chapter.

    Attributes:
        start: milliseconds.
        end: milliseconds; None where only the next one tells.
        title: may be empty.
        frames: ID3 frames of this chapter besides its title: name and content.
    """

    start: int
    end: int | None = None
    title: str = ""
    frames: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedLyrics:
    """Lyrics that know when they are sung.

    Attributes:
        lines: milliseconds and text.
        language: three letters, "und" if unknown.
        description: what it is called.
        content: number of ID3: 1 is lyrics, 2 a transcription, 5 chords, ...
    """

    lines: tuple[tuple[int, str], ...]
    language: str = "und"
    description: str = ""
    content: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Something that only formats of one family can hold; it travels as it is.

    Attributes:
        home: "id3", "riff", "flac", "mp4", "aiff" or "caf".
        name: of the frame, chunk, block or item.
        body: its content.
    """

    home: str
    name: str
    body: bytes


def ended(chapters: Iterable[Chapter], length: int | None = None) -> tuple[Chapter, ...]:
    """Return chapters in order, each with an end: the start of the next.

    Args:
        chapters: any.
        length: milliseconds of the sound, the end of the last; None leaves that open.
    """
    ordered = sorted(chapters, key=lambda chapter: chapter.start)
    follow = [chapter.start for chapter in ordered[1:]] + [length] * bool(ordered)
    return tuple(
        replace(chapter, end=after if chapter.end is None else max(chapter.end, chapter.start))
        for chapter, after in zip(ordered, follow, strict=True)
    )


def clock(milliseconds: int) -> str:
    """Return a time as CHAPTER fields of Vorbis comments have it: 01:02:03.004."""
    seconds, rest = divmod(max(milliseconds, 0), 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def from_clock(text: str) -> int | None:
    """Return milliseconds of a time like 01:02:03.004; None if it is none."""
    found = re.fullmatch(r"\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?\s*", text)
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "0").ljust(3, "0")[:3])


def lrc(lyrics: TimedLyrics) -> str:
    """Return timed lyrics as lines like `[01:02.03]la`, which players read from a text field."""
    head = [] if lyrics.language == "und" else [f"[la:{lyrics.language}]"]
    rows = []
    for time, text in lyrics.lines:
        minutes, rest = divmod(time, 60_000)
        stamp = f"[{minutes:02}:{rest // 1000:02}.{rest % 1000:03}]"
        rows.append(stamp + text.replace("\r", " ").replace("\n", " "))
    return "\n".join([*head, *rows])


def from_lrc(text: str) -> TimedLyrics | None:
    """Return the timed lyrics in a text; None where no line has a time."""
    lines: list[tuple[int, str]] = []
    language = "und"
    for row in text.splitlines()[:MOST_LINES]:
        if found := re.fullmatch(r"\[la:([a-z]{3})\]", row.strip()):
            language = found[1]
        times, rest = [], row.strip()
        while found := _STAMP.match(rest):
            minutes, seconds, fraction = found.groups()
            part = int((fraction or "0").ljust(3, "0"))
            times.append((int(minutes) * 60 + int(seconds)) * 1000 + part)
            rest = rest[found.end() :]
        lines += [(time, rest) for time in times]
    if not lines:
        return None
    return TimedLyrics(lines=tuple(sorted(lines, key=lambda line: line[0])), language=language)


def within(chapters: Sequence[Chapter], start: float, end: float | None) -> tuple[Chapter, ...]:
    """Return the chapters of a stretch of the sound, with times from its start.

    Args:
        chapters: of the whole sound.
        start: second at which the stretch begins.
        end: second at which it ends; None for the end of the sound.
    """
    first = round(start * 1000)
    length = None if end is None else round(end * 1000) - first
    kept = []
    for chapter in ended(chapters):
        begin = chapter.start - first
        stop = None if chapter.end is None else chapter.end - first
        before = begin < 0 and stop is not None and stop <= 0
        if before or (length is not None and begin >= length):
            continue
        if length is not None:
            stop = length if stop is None else min(stop, length)
        kept.append(replace(chapter, start=max(begin, 0), end=stop))
    return tuple(kept)


def lyrics_within(lyrics: TimedLyrics, start: float, end: float | None) -> TimedLyrics:
    """Return the timed lyrics of a stretch of the sound, with times from its start."""
    first, last = round(start * 1000), None if end is None else round(end * 1000)
    lines = tuple(
        (time - first, text)
        for time, text in lyrics.lines
        if time >= first and (last is None or time < last)
    )
    return replace(lyrics, lines=lines)
