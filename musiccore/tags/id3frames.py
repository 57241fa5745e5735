"""Frames of an ID3v2 tag as bytes: sizes, flags and texts of every version."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from musiccore.tags.encodings import OldTexts
from musiccore.tags.fields import LIMIT, MOST_FIELDS

UTF8: Final = b"\x03"
_CODECS: Final = {1: "utf-16", 2: "utf-16-be", 3: "utf-8"}

OLD: Final = {  # names of version 2.2
    "TT1": "TIT1", "TT2": "TIT2", "TT3": "TIT3", "TP1": "TPE1", "TP2": "TPE2", "TP3": "TPE3",
    "TP4": "TPE4", "TAL": "TALB", "TRK": "TRCK", "TPA": "TPOS", "TRC": "TSRC", "TYE": "TYER",
    "TDA": "TDAT", "TIM": "TIME", "TRD": "TRDA", "TOR": "TORY", "TMT": "TMED", "TFT": "TFLT",
    "TBP": "TBPM", "TCR": "TCOP", "TPB": "TPUB", "TEN": "TENC", "TSS": "TSSE", "TOF": "TOFN",
    "TLE": "TLEN", "TSI": "TSIZ", "TDY": "TDLY", "TKE": "TKEY", "TOT": "TOAL", "TOA": "TOPE",
    "TOL": "TOLY", "TXT": "TEXT", "TCM": "TCOM", "TCO": "TCON", "TLA": "TLAN", "TXX": "TXXX",
    "TCP": "TCMP", "TST": "TSOT", "TSP": "TSOP", "TSA": "TSOA", "TS2": "TSO2", "TSC": "TSOC",
    "WXX": "WXXX", "WAR": "WOAR", "WAF": "WOAF", "WAS": "WOAS", "WCM": "WCOM", "WCP": "WCOP",
    "WPB": "WPUB", "COM": "COMM", "ULT": "USLT", "SLT": "SYLT", "PIC": "APIC", "IPL": "IPLS",
    "UFI": "UFID", "POP": "POPM", "CNT": "PCNT", "GEO": "GEOB", "MCI": "MCDI", "ETC": "ETCO",
    "MLL": "MLLT", "STC": "SYTC", "RVA": "RVAD", "EQU": "EQUA", "REV": "RVRB", "GP1": "GRP1",
    "MVN": "MVNM", "MVI": "MVIN", "PCS": "PCST",
}  # fmt: skip


def syncsafe(number: int) -> bytes:
    """Return four bytes of seven bits."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def from_syncsafe(raw: bytes) -> int:
    """Return the number in four bytes of seven bits.

    Raises:
        ValueError: if they are not four.
    """
    return sum((byte & 0x7F) << shift for byte, shift in zip(raw, (21, 14, 7, 0), strict=True))


def frame(name: str, body: bytes) -> bytes:
    """Return a frame of version 2.4."""
    return name.encode("ascii") + syncsafe(len(body)) + b"\0\0" + body


def text_frame(name: str, *texts: str) -> bytes:
    """Return a frame of version 2.4 of texts, one behind the other."""
    return frame(name, UTF8 + "\0".join(texts).encode())


def texts(encoding: int, raw: bytes, old: OldTexts) -> list[str]:
    """Return the texts in bytes, at least one."""
    if encoding == 0 or encoding not in _CODECS:
        parts = [old(part) for part in raw.split(b"\0", MOST_FIELDS)]
    else:
        text = raw.decode(_CODECS[encoding], errors="replace")
        parts = [part.removeprefix("\ufeff") for part in text.split("\0", MOST_FIELDS)]
    parts = parts[:MOST_FIELDS]
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def first_text(encoding: int, raw: bytes, old: OldTexts) -> tuple[str, bytes]:
    """Return the text up to its end mark, and the bytes behind that."""
    width = 2 if encoding in (1, 2) else 1
    end = raw.find(b"\0" * width)
    while width == 2 and end % 2 and end >= 0:
        end = raw.find(b"\0\0", end + 1)
    if end < 0:
        return texts(encoding, raw, old)[0], b""
    return texts(encoding, raw[:end], old)[0], raw[end + width :]


def split(raw: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Yield the frames of a tag by their names of version 2.3 and 2.4.

    The content is None where it is encrypted or damaged.
    """
    version, flags = (raw[3], raw[5]) if len(raw) >= 10 else (0, 0)
    body = raw[10:]
    if version not in (2, 3, 4) or (version == 2 and flags & 0x40):
        return  # unknown, or wholly compressed, which nobody ever wrote
    if flags & 0x80 and version < 4:
        body = _resynchronised(body)
    position = 0
    if flags & 0x40:
        size = from_syncsafe(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4], "big")
        position = max(size, 4)
    yield from within(body, version, position, all_unsynchronised=bool(flags & 0x80))


def within(
    body: bytes, version: int, position: int = 0, *, all_unsynchronised: bool = False
) -> Iterator[tuple[str, bytes | None]]:
    """Yield the frames one behind the other in bytes: in a tag, or in a chapter.

    Args:
        body: of them.
        version: 2, 3 or 4.
        position: where the first one begins.
        all_unsynchronised: what the flags of a tag of version 2.4 say.
    """
    width, head = (3, 6) if version == 2 else (4, 10)
    for _ in range(MOST_FIELDS):
        if position + head > len(body) or not body[position]:
            break
        name = body[position : position + width].decode("ascii", errors="replace")
        size = _frame_size(body, position, version)
        start = position + head
        content, position = body[start : start + size], start + size
        if version == 2:
            yield OLD.get(name, name), content
        else:
            yield name, _plain(content, body[start - 1], version, all_unsynchronised)


def _frame_size(body: bytes, position: int, version: int) -> int:
    if version == 2:
        return int.from_bytes(body[position + 3 : position + 6], "big")
    raw = body[position + 4 : position + 8]
    ordinary = int.from_bytes(raw, "big")
    if version == 3 or ordinary < 0x80:
        return ordinary
    # Some programs wrote ordinary numbers into version 2.4: believe what leads to a frame.
    size = from_syncsafe(raw)
    if max(raw) > 0x7F or not _is_frame(body, position + 10 + size):
        return ordinary if _is_frame(body, position + 10 + ordinary) else size
    return size


def _is_frame(body: bytes, position: int) -> bool:
    name = body[position : position + 4]
    named = len(name) == 4 and name.isalnum() and name.isupper()
    return position == len(body) or name == b"\0\0\0\0" or named


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
