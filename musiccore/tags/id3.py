"""ID3: written as version 2.4 in UTF-8, read in versions 2.2, 2.3, 2.4 and 1."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags import id3parts
from musiccore.tags.encodings import OldTexts
from musiccore.tags.extras import Raw
from musiccore.tags.fields import LANGUAGE, LIMIT, PROVENANCE, FoundFields, Tags, numbered
from musiccore.tags.genres import genre_name
from musiccore.tags.id3frames import (
    UTF8,
    first_text,
    frame,
    from_syncsafe,
    split,
    syncsafe,
    text_frame,
    texts,
)
from musiccore.tags.names import ID3
from musiccore.tags.pieces import Source

HOME: Final = "id3"
_TEXT: Final = "TXXX:"
_READ: Final = {
    **{frame: name for name, frame in ID3.items() if not frame.startswith(_TEXT)},
    "GRP1": "grouping",
}
_WORDS: Final = {"COMM": "comment", "USLT": "lyrics"}  # with language and description
_WEAK: Final = {"TORY": "original_date"}  # of version 2.3
_DERIVED: Final = frozenset({"TSIZ", "CTOC", "SEEK", "ASPI", "MLLT"})  # follow from the file
_MUSICBRAINZ: Final = b"http://musicbrainz.org"
_DAMAGE: Final = (ValueError, IndexError, struct.error)
_V1_BYTES: Final = 128
_MOST_TAGS: Final = 8  # one behind the other


# Writing --------------------------------------------------------------------------------------


def encode(tags: Tags) -> bytes:
    """Return an ID3v2.4 tag.

    Raises:
        AudioError: if it would be too long.
    """
    frames = [part for name in tags.fields for part in _field(name, tags.fields)]
    frames.append(id3parts.people_frames(tags.fields))
    if tags.provenance is not None:
        frames.append(text_frame("TXXX", PROVENANCE, tags.provenance))
    frames += [id3parts.timed_frame(one) for one in tags.timed]
    frames += [frame(raw.name, raw.body) for raw in tags.raws if raw.home == HOME]
    if tags.chapters:
        frames.append(id3parts.chapter_frames(tags.chapters))
    frames += [id3parts.picture_frame(one) for one in tags.pictures]
    body = b"".join(frames)
    if len(body) >= LIMIT:
        raise AudioError(f"tags of {len(body)} bytes are too long for an audio file (16 MiB)")
    return b"ID3\x04\x00\x00" + syncsafe(len(body)) + body


def _field(name: str, fields: Mapping[str, tuple[str, ...]]) -> Iterator[bytes]:
    values, known = fields[name], ID3.get(name, "")
    kind, _, description = name.partition(":")
    if name.endswith(LANGUAGE) and name.removesuffix(LANGUAGE) in fields:
        return
    if name in ("track_total", "disc_total") and name.removesuffix("_total") in fields:
        return
    if name in ("track", "disc"):
        yield text_frame(known, numbered(fields, name), *values[1:])
    elif kind in ("comment", "lyrics"):
        yield from _words(kind, description, values, fields.get(name + LANGUAGE, ()))
    elif kind == "url":
        for value in values:
            yield frame("WXXX", UTF8 + description.encode() + b"\0" + _address(value))
    elif known.startswith("W"):
        yield from (frame(known, _address(value)) for value in values)
    elif name in id3parts.ROLES or name == "performer":
        return
    elif name == "musicbrainz_trackid":
        yield frame("UFID", _MUSICBRAINZ + b"\0" + values[0].encode("ascii", "replace")[:64])
        yield text_frame("TXXX", known.removeprefix(_TEXT), *values)
    elif known and not known.startswith(_TEXT):
        yield text_frame(known, *values)
    elif re.fullmatch(r"T[A-Z0-9]{3}", name) and name != "TXXX":
        yield text_frame(name, *values)
    else:
        yield text_frame("TXXX", known.removeprefix(_TEXT) or name, *values)


def _words(
    kind: str, description: str, values: tuple[str, ...], languages: tuple[str, ...]
) -> Iterator[bytes]:
    """Yield comments or lyrics: one frame for each language, as the format wants it."""
    by_language: dict[bytes, list[str]] = {}
    for number, value in enumerate(values):
        language = languages[number] if number < len(languages) else "und"
        by_language.setdefault(id3parts.tongue(language), []).append(value)
    name = "COMM" if kind == "comment" else "USLT"
    for letters, group in by_language.items():
        if name == "COMM":
            groups = [(description, "\0".join(group))]
        else:  # which hold one text; more of them differ in their description
            groups = [(f"{description}{number or ''}", one) for number, one in enumerate(group)]
        for words, text in groups:
            body = words.encode() + b"\0" + text.encode()
            yield frame(name, UTF8 + letters + body)


def _address(text: str) -> bytes:
    return text.encode("latin-1") if text.isascii() else text.encode()


# Where they lie -------------------------------------------------------------------------------


def front_end(source: Source) -> int:
    """Return where the ID3v2 tags in front of a file end; 0 without one."""
    end = 0
    for _ in range(_MOST_TAGS):
        size = _whole_size(source.read(end, 10))
        if not size:
            break
        end += size
    return min(end, source.size)


def v1_start(source: Source) -> int:
    """Return where the ID3v1 tag at the end of a file begins; the file's size without one."""
    start = source.size - _V1_BYTES
    return start if start >= 0 and source.read(start, 3) == b"TAG" else source.size


def _whole_size(head: bytes) -> int:
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 0x7F:
        return 0
    return 10 + from_syncsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)


# Reading --------------------------------------------------------------------------------------


def read_front(source: Source, old: OldTexts) -> Tags:
    """Return what the ID3v2 tags in front of a file say; the first one counts most."""
    found, position = FoundFields(), 0
    for _ in range(_MOST_TAGS):
        size = _whole_size(source.read(position, 10))
        if not size:
            break
        if size <= LIMIT:
            found.fill(decode(source.read(position, size), old))
        else:
            found.extra(f"an ID3 tag of {size} bytes")
        position += size
    return found.tags()


def read_at(source: Source, position: int, old: OldTexts) -> Tags:
    """Return what the ID3v2 tag at a place of a file says; nothing if there is none."""
    size = _whole_size(source.read(position, 10))
    return decode(source.read(position, min(size, LIMIT)), old) if size else Tags()


def read_v1(source: Source, old: OldTexts) -> Tags:
    """Return what the ID3v1 tag at the end of a file says."""
    raw, found = source.read(v1_start(source), _V1_BYTES), FoundFields()
    if len(raw) < _V1_BYTES:
        return found.tags()
    places = {"title": (3, 33), "artist": (33, 63), "album": (63, 93), "date": (93, 97)}
    is_numbered = raw[125] == 0 and raw[126] != 0
    places["comment"] = (97, 125 if is_numbered else 127)
    for name, (start, end) in places.items():
        found.add(name, old(raw[start:end].split(b"\0")[0].rstrip(b" ")))
    if is_numbered:
        found.add("track", str(raw[126]))
    found.add("genre", genre_name(str(raw[127])) if raw[127] != 0xFF else "")
    return found.tags()


def decode(raw: bytes, old: OldTexts) -> Tags:
    """Return the tags of an ID3v2 tag; a damaged frame is left out, and said."""
    found = FoundFields()
    version = raw[3] if len(raw) > 3 else 0
    dates: dict[str, str] = {}
    for name, body in split(raw):
        if body is None:
            found.extra(f"an encrypted or damaged ID3 frame {name}")
        elif body and name in ("TYER", "TDAT", "TIME"):
            dates.setdefault(name, texts(body[0], body[1:], old)[0].strip())
        elif body and name not in _DERIVED and len(name) == 4 and name.isalnum():
            try:
                _take(found, name, body, old, version)
            except _DAMAGE:
                found.extra(f"a damaged ID3 frame {name}")
        elif body and name not in _DERIVED:
            found.extra(f"an unknown ID3 frame {name!r}")
    _add_date(found, dates)
    return found.tags()


_OF_ITUNES: Final = ("GRP1", "MVNM", "MVIN")  # texts that are not called so


def _take(found: FoundFields, name: str, body: bytes, old: OldTexts, version: int) -> None:
    if name in _TAKERS:
        _TAKERS[name](found, body, old, version)
    elif name[0] == "T" or name in _OF_ITUNES:
        for text in (
            _genres(texts(body[0], body[1:], old))
            if name == "TCON"
            else texts(body[0], body[1:], old)
        ):
            if name in _WEAK:
                found.fill(Tags(fields={_WEAK[name]: (text,)} if text.strip() else {}))
            else:
                found.add(_READ.get(name, name), text)
    elif name in _READ:  # an address
        found.add(_READ[name], first_text(0, body, old)[0])
    else:
        found.raws.append(Raw(home=HOME, name=name, body=body))


def _take_free(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    name, *values = texts(body[0], body[1:], old)
    for value in values:
        found.add_free(name or "untitled", value)


def _take_address(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    name, rest = first_text(body[0], body[1:], old)
    found.add(f"url:{name}" if name else "url", first_text(0, rest, old)[0])


def _take_words(found: FoundFields, kind: str, body: bytes, old: OldTexts) -> None:
    name, *values = texts(body[0], body[4:], old)
    language = body[1:4].decode("latin-1")
    if not values:  # without a description, against the rules
        name, values = "", [name]
    for value in values:
        found.add_words(kind, "und" if language.upper() == "XXX" else language, name, value)


def _take_comment(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    _take_words(found, "comment", body, old)


def _take_lyrics(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    _take_words(found, "lyrics", body, old)


def _take_picture(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    found.pictures.append(id3parts.picture(body, old, version))


def _take_timed(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    lyrics = id3parts.timed(body, old)
    if lyrics is None:
        found.raws.append(Raw(home=HOME, name="SYLT", body=body))
    elif lyrics.lines:
        found.timed.append(lyrics)


def _take_chapter(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    found.chapters.append(id3parts.chapter(body, old, version))


def _take_people(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    for name, person in id3parts.people(texts(body[0], body[1:], old)):
        found.add(name, person)


def _take_id(found: FoundFields, body: bytes, old: OldTexts, version: int) -> None:
    owner, _, value = body.partition(b"\0")
    if owner == _MUSICBRAINZ:
        found.add("musicbrainz_trackid", value.decode("ascii", "replace"))
    else:
        found.raws.append(Raw(home=HOME, name="UFID", body=body))


_TAKERS: Final[Mapping[str, Callable[[FoundFields, bytes, OldTexts, int], None]]] = {
    "TXXX": _take_free,
    "WXXX": _take_address,
    "COMM": _take_comment,
    "USLT": _take_lyrics,
    "APIC": _take_picture,
    "SYLT": _take_timed,
    "CHAP": _take_chapter,
    "TIPL": _take_people,
    "TMCL": _take_people,
    "IPLS": _take_people,
    "UFID": _take_id,
}


def _add_date(found: FoundFields, dates: Mapping[str, str]) -> None:
    """Put the year, the day and the minute of version 2.3 together."""
    year, day, minute = (dates.get(name, "") for name in ("TYER", "TDAT", "TIME"))
    whole = year
    if len(year) == 4 and re.fullmatch(r"\d{4}", day):
        whole = f"{year}-{day[2:]}-{day[:2]}"
        if re.fullmatch(r"\d{4}", minute):
            whole += f"T{minute[:2]}:{minute[2:]}"
    if "date" not in found.fields:
        found.add("date", whole)


def _genres(values: list[str]) -> Iterator[str]:
    """Yield names of genres: `(17)`, `17` and `(4)Eurodisco` are numbers of ID3v1."""
    for text in values:
        for number, name in re.findall(r"\((\d{1,3}|RX|CR)\)|([^(]+|\()", text):
            yield genre_name(number or name.strip())
