"""ID3: written as version 2.4 in UTF-8, read in versions 2.2, 2.3, 2.4 and 1."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

from musiccore.errors import AudioError
from musiccore.tags.fields import LIMIT, MOST_FIELDS, PROVENANCE, Found, Tags, repaired
from musiccore.tags.genres import genre_name
from musiccore.tags.pieces import Source

_WRITTEN: Final = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "date": "TDRC",
    "genre": "TCON",
    "track": "TRCK",
    "comment": "COMM",
    "licence": "TXXX:LICENSE",
    "software": "TSSE",
    "lyrics": "USLT",
}
_READ: Final = {
    **{frame: name for name, frame in _WRITTEN.items()},
    "TYER": "date",
    "TCOP": "licence",
    "TXXX:COPYRIGHT": "licence",
    f"TXXX:{PROVENANCE}": PROVENANCE,
}
_OLD: Final = {  # names of version 2.2
    "TT2": "TIT2",
    "TP1": "TPE1",
    "TAL": "TALB",
    "TYE": "TYER",
    "TCO": "TCON",
    "TRK": "TRCK",
    "TCR": "TCOP",
    "TSS": "TSSE",
    "TXX": "TXXX",
    "COM": "COMM",
    "ULT": "USLT",
    "PIC": "APIC",
}
_DESCRIBED: Final = frozenset({"COMM", "USLT"})  # language and description before the text
_CODECS: Final = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}
_V1_BYTES: Final = 128
_MOST_TAGS: Final = 8  # one behind the other


# Writing --------------------------------------------------------------------------------------


def encode(tags: Tags) -> bytes:
    """Return an ID3v2.4 tag.

    Raises:
        AudioError: if it would be too long.
    """
    frames = [_frame(_WRITTEN[name], text) for name, text in tags.rows()]
    if tags.provenance is not None:
        frames.append(_frame(f"TXXX:{PROVENANCE}", tags.provenance))
    body = b"".join(frames)
    if len(body) >= LIMIT:
        raise AudioError(f"tags of {len(body)} bytes are too long for an audio file (16 MiB)")
    return b"ID3\x04\x00\x00" + _syncsafe(len(body)) + body


def _frame(label: str, text: str) -> bytes:
    name, _, description = label.partition(":")
    head = {"TXXX": f"{description}\0", "USLT": "und\0", "COMM": "und\0"}.get(name, "")
    body = b"\x03" + head.encode() + text.encode()
    return name.encode() + _syncsafe(len(body)) + b"\0\0" + body


def _syncsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _from_syncsafe(raw: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(raw, (21, 14, 7, 0), strict=True))


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
    return 10 + _from_syncsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)


# Reading --------------------------------------------------------------------------------------


def read_front(source: Source) -> Tags:
    """Return what the ID3v2 tags in front of a file say; the first one counts most."""
    found, position = Found(), 0
    for _ in range(_MOST_TAGS):
        size = _whole_size(source.read(position, 10))
        if not size:
            break
        if size <= LIMIT:
            found.fill(decode(source.read(position, size)))
        else:
            found.extra(f"an ID3 tag of {size} bytes")
        position += size
    return found.tags()


def read_v1(source: Source) -> Tags:
    """Return what the ID3v1 tag at the end of a file says."""
    raw, found = source.read(v1_start(source), _V1_BYTES), Found()
    if len(raw) < _V1_BYTES:
        return found.tags()
    places = {"title": (3, 33), "artist": (33, 63), "album": (63, 93), "date": (93, 97)}
    numbered = raw[125] == 0 and raw[126] != 0
    places["comment"] = (97, 125 if numbered else 127)
    for name, (start, end) in places.items():
        found.add(name, repaired(raw[start:end].split(b"\0")[0].rstrip(b" ")))
    if numbered:
        found.add("track", str(raw[126]))
    found.add("genre", genre_name(str(raw[127])) if raw[127] != 0xFF else "")
    return found.tags()


def decode(raw: bytes) -> Tags:
    """Return the tags of an ID3v2 tag; a damaged frame ends it."""
    found = Found()
    described: dict[str, str] = {}  # comments with a description: only where there is no other
    for frame, body in _frames(raw):
        if frame == "APIC":
            found.extra("a picture")
        if not body or (frame[0] != "T" and frame not in _DESCRIBED):
            continue
        texts = _texts(body[0], body[4:] if frame in _DESCRIBED else body[1:])
        if frame == "TXXX":
            found.add(_READ.get(f"TXXX:{texts[0].upper()}"), "\0".join(texts[1:]))
        elif frame in _DESCRIBED:
            text = "\0".join(texts[1:])
            if texts[0]:
                described.setdefault(_READ[frame], text)
            else:
                found.add(_READ[frame], text)
        else:
            for text in texts if frame != "TCON" else _genres(texts):
                found.add(_READ.get(frame), text)
    for name, text in described.items():
        if name not in found.shown and name == "lyrics":
            found.add(name, text)
    return found.tags()


def _genres(texts: list[str]) -> Iterator[str]:
    """Yield names of genres: `(17)`, `17` and `(4)Eurodisco` are numbers of ID3v1."""
    for text in texts:
        for number, name in re.findall(r"\((\d{1,3}|RX|CR)\)|([^(]+|\()", text):
            yield genre_name(number or name.strip())


def _texts(encoding: int, raw: bytes) -> list[str]:
    if encoding == 0:
        parts = [repaired(part) for part in raw.split(b"\0", MOST_FIELDS)]
    else:
        text = raw.decode(_CODECS.get(encoding, "latin-1"), errors="replace")
        parts = [part.removeprefix("\ufeff") for part in text.split("\0", MOST_FIELDS)]
    parts = parts[:MOST_FIELDS]
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _frames(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield frames by their names of version 2.3 and 2.4."""
    version, flags = (raw[3], raw[5]) if len(raw) >= 10 else (0, 0)
    body = raw[10:]
    if version not in (2, 3, 4) or (version == 2 and flags & 0x40):
        return  # unknown, or wholly compressed, which nobody ever wrote
    if flags & 0x80 and version < 4:
        body = _resynchronised(body)
    position = 0
    if flags & 0x40:
        size = _from_syncsafe(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4], "big")
        position = max(size, 4)
    width = 3 if version == 2 else 4
    head = 6 if version == 2 else 10
    for _ in range(MOST_FIELDS):
        if position + head > len(body) or not body[position]:
            break
        name = body[position : position + width].decode("ascii", errors="replace")
        size = _frame_size(body, position, version)
        start = position + head
        content, position = body[start : start + size], start + size
        if version == 2:
            yield _OLD.get(name, name), content
        elif (plain := _plain(content, body[start - 1], version, bool(flags & 0x80))) is not None:
            yield name, plain


def _frame_size(body: bytes, position: int, version: int) -> int:
    if version == 2:
        return int.from_bytes(body[position + 3 : position + 6], "big")
    raw = body[position + 4 : position + 8]
    ordinary = int.from_bytes(raw, "big")
    if version == 3 or ordinary < 0x80:
        return ordinary
    # Some programs wrote ordinary numbers into version 2.4: believe what leads to a frame.
    size = _from_syncsafe(raw)
    if max(raw) > 0x7F or not _is_frame(body, position + 10 + size):
        return ordinary if _is_frame(body, position + 10 + ordinary) else size
    return size


def _is_frame(body: bytes, position: int) -> bool:
    name = body[position : position + 4]
    return position == len(body) or name == b"\0\0\0\0" or (len(name) == 4 and name.isalnum())


def _plain(content: bytes, flags: int, version: int, all_unsynchronised: bool) -> bytes | None:
    """Return a frame without compression and the like; None if it is encrypted or damaged."""
    if version == 3:
        grouped, encrypted, compressed = flags & 0x20, flags & 0x40, flags & 0x80
        skipped = 4 * bool(compressed) + bool(grouped)
    else:
        grouped, encrypted, compressed = flags & 0x40, flags & 0x04, flags & 0x08
        skipped = bool(grouped) + 4 * bool(flags & 0x01)
        if flags & 0x02 or all_unsynchronised:
            content = _resynchronised(content)
    if encrypted:
        return None
    content = content[skipped:]
    if not compressed:
        return content
    try:
        return zlib.decompressobj().decompress(content, LIMIT)
    except zlib.error:
        return None


def _resynchronised(raw: bytes) -> bytes:
    return raw.replace(b"\xff\x00", b"\xff")
