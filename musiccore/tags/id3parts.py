"""What ID3 holds besides texts: pictures, chapters, timed lyrics, and who did what."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from musiccore.tags.encodings import OldTexts
from musiccore.tags.extras import MOST_LINES, Chapter, TimedLyrics
from musiccore.tags.fields import MOST_FIELDS
from musiccore.tags.id3frames import UTF8, first_text, frame, text_frame, texts, within
from musiccore.tags.pictures import KINDS, EmbeddedPicture, media_type

_TIMES: Final = struct.Struct(">4I")
_NOWHERE: Final = 0xFFFFFFFF  # no offset in bytes; an end that nobody knows
_MOST_CHILDREN: Final = 255  # of one table of contents
_MILLISECONDS: Final = 2
_ROLES: Final = {
    "arranger": "arranger", "engineer": "engineer", "producer": "producer", "dj-mix": "dj_mixer",
    "mix": "mixer",
}  # fmt: skip
_WRITTEN_ROLES: Final = {"dj_mixer": "DJ-mix", "mixer": "mix"}
ROLES: Final = tuple(_ROLES.values())
"""Fields that one frame holds together."""


def picture(body: bytes, old: OldTexts, version: int) -> EmbeddedPicture:
    """Return the picture in an APIC frame (PIC in version 2.2).

    Raises:
        ValueError, IndexError: if there is none.
    """
    encoding = body[0]
    if version == 2:
        said, rest = body[1:4].decode("latin-1"), body[4:]
    else:
        said, rest = first_text(0, body[1:], OldTexts())
    kind, (words, data) = rest[0], first_text(encoding, rest[1:], old)
    if not data:
        raise ValueError("a picture of no bytes")
    mime = media_type(data, said)
    return EmbeddedPicture(
        data=data, mime=mime, kind=kind if kind < len(KINDS) else 0, description=words
    )


def picture_frame(one: EmbeddedPicture) -> bytes:
    """Return an APIC frame."""
    head = one.mime.encode("ascii", "replace") + b"\0" + bytes([one.kind])
    return frame("APIC", UTF8 + head + one.description.encode() + b"\0" + one.data)


def timed(body: bytes, old: OldTexts) -> TimedLyrics | None:
    """Return the lyrics in a SYLT frame; None where times are no milliseconds.

    Raises:
        IndexError: if it is cut.
    """
    encoding, language, unit, content = body[0], body[1:4], body[4], body[5]
    words, rest = first_text(encoding, body[6:], old)
    if unit != _MILLISECONDS:
        return None
    lines: list[tuple[int, str]] = []
    while len(rest) > 4 and len(lines) < MOST_LINES:
        text, rest = first_text(encoding, rest, old)
        lines.append((int.from_bytes(rest[:4], "big"), text.lstrip("\n")))
        rest = rest[4:]
    tongue = language.decode("latin-1").casefold()
    return TimedLyrics(
        lines=tuple(lines),
        language=tongue if tongue.isalpha() and tongue != "xxx" else "und",
        description=words,
        content=content,
    )


def timed_frame(lyrics: TimedLyrics) -> bytes:
    """Return a SYLT frame."""
    head = UTF8 + tongue(lyrics.language) + bytes([_MILLISECONDS, lyrics.content])
    body = [head, lyrics.description.encode(), b"\0"]
    for time, text in lyrics.lines:
        body.append(text.encode() + b"\0" + min(max(time, 0), _NOWHERE).to_bytes(4, "big"))
    return frame("SYLT", b"".join(body))


def tongue(language: str) -> bytes:
    """Return the three letters of a language."""
    raw = language.encode("ascii", "replace")
    return raw if len(raw) == 3 else b"und"


def chapter(body: bytes, old: OldTexts, version: int) -> Chapter:
    """Return the chapter in a CHAP frame.

    Raises:
        struct.error: if it is cut.
    """
    _, rest = first_text(0, body, OldTexts())
    start, end, _, _ = _TIMES.unpack_from(rest)
    title, frames = "", []
    for name, content in within(rest[_TIMES.size :], version):
        if name == "TIT2" and content:
            title = texts(content[0], content[1:], old)[0]
        elif content is not None and len(name) == 4 and name.isalnum():
            frames.append((name, content))
    return Chapter(
        start=start, end=None if end == _NOWHERE else end, title=title, frames=tuple(frames)
    )


def chapter_frames(chapters: Iterable[Chapter]) -> bytes:
    """Return CHAP frames and their table of contents."""
    rows = list(chapters)
    names = [f"chp{number}".encode() + b"\0" for number in range(len(rows))]
    body = b""
    for name, one in zip(names, rows, strict=True):
        end = _NOWHERE if one.end is None else one.end
        times = _TIMES.pack(one.start, end, _NOWHERE, _NOWHERE)
        title = text_frame("TIT2", one.title) if one.title else b""
        body += frame("CHAP", name + times + title + b"".join(frame(*part) for part in one.frames))
    groups = [names[at : at + _MOST_CHILDREN] for at in range(0, len(names), _MOST_CHILDREN)]
    if len(groups) == 1:
        return _contents(b"toc\0", groups[0], top=True) + body
    parts = [f"toc{number}".encode() + b"\0" for number in range(len(groups))]
    tables = b"".join(
        _contents(part, group, top=False) for part, group in zip(parts, groups, strict=True)
    )
    return _contents(b"toc\0", parts, top=True) + tables + body


def _contents(name: bytes, children: list[bytes], *, top: bool) -> bytes:
    flags = 0x03 if top else 0x01  # in order
    return frame("CTOC", name + bytes([flags, len(children)]) + b"".join(children))


def people(pairs: list[str]) -> Iterator[tuple[str, str]]:
    """Yield field and person of a list of parts and persons in turn."""
    for role, person in zip(pairs[::2], pairs[1::2], strict=False):
        if known := _ROLES.get(role.casefold()):
            yield known, person
        elif person:
            plain = role.casefold() in ("", "performer")
            yield "performer", person if plain else f"{person} ({role})"


def people_frames(fields: Mapping[str, tuple[str, ...]]) -> bytes:
    """Return TIPL and TMCL frames of the fields that say who did what."""
    involved: list[str] = []
    for name in ROLES:
        for person in fields.get(name, ()):
            involved += (_WRITTEN_ROLES.get(name, name), person)
    players: list[str] = []
    for text in fields.get("performer", ()):
        found = re.fullmatch(r"(.*\S) \(([^()]+)\)", text)
        players += (found[2], found[1]) if found else ("performer", text)
    pairs = (("TIPL", involved), ("TMCL", players))
    return b"".join(text_frame(name, *words[:MOST_FIELDS]) for name, words in pairs if words)
