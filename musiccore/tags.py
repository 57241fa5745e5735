"""What made a sound, written into the file and read back.

One JSON object, the provenance, goes into every format whole, beside the tags that other players
show (title, artist, licence, lyrics). The samples are not touched: tags are chunks, blocks or a
prefix around them. Written here by hand because the one good tag library is under the GPL.

    WAV   LIST/INFO (what players show) and an `id3 ` chunk (everything)
    FLAC  VORBIS_COMMENT
    MP3   ID3v2.4 in front
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from musiccore.audio import sniff
from musiccore.errors import AudioError

# provenance key -> (INFO chunk, Vorbis field, ID3 frame); ID3 frames with a description follow ":"
_SHOWN = {
    "title": (b"INAM", "TITLE", "TIT2"),
    "artist": (b"IART", "ARTIST", "TPE1"),
    "genre": (b"IGNR", "GENRE", "TCON"),
    "licence": (b"ICOP", "LICENSE", "TXXX:LICENSE"),
    "software": (b"ISFT", "ENCODER", "TSSE"),
    "lyrics": (None, "LYRICS", "USLT"),
}
_PROVENANCE = "JUKEFLOW_PROVENANCE"
_INFO_LIMIT = 1000  # bytes; some readers lose longer INFO texts
_BLOCK_LIMIT = 1 << 24  # a FLAC block and, nearly, the sane size of an ID3 tag
MAX_FILE_BYTES = 1 << 32


def write_tags(data: bytes, provenance: Mapping[str, object]) -> bytes:
    """Put the provenance into an audio file; tags written before are replaced.

    Args:
        data: a WAV, FLAC or MP3 file.
        provenance: JSON values by name. `title`, `artist`, `genre`, `licence`, `software` and
            `lyrics`, where given as text, are also written where players look for them.

    Returns:
        The file with the same samples; equal arguments give equal bytes.

    Raises:
        AudioError: if the file is of another format, or the provenance is no JSON or too long.
    """
    try:
        whole = _json(provenance)
    except (TypeError, ValueError) as error:
        raise AudioError(f"provenance cannot be written as JSON: {error}") from error
    if len(whole) > _BLOCK_LIMIT // 4:
        raise AudioError(f"provenance of {len(whole)} characters is too long for an audio file")
    shown = {key: _plain(value) for key in _SHOWN if isinstance(value := provenance.get(key), str)}
    shown = {key: text for key, text in shown.items() if text}
    kind = sniff(data)
    if kind == "wav" and data[:4] == b"RIFF":
        return _write_wav(data, shown, whole)
    if kind == "flac":
        return _write_flac(data, shown, whole)
    if kind == "mp3":
        return _id3(shown, whole) + data[_id3_length(data) :]
    raise AudioError(f"tags cannot be written into {kind or 'unknown data'}, only wav, flac, mp3")


def read_tags(source: str | os.PathLike[str] | bytes) -> dict[str, object]:
    """Read the tags of a WAV, FLAC or MP3 file, ours or anybody's.

    Args:
        source: a path, or the bytes of the file.

    Returns:
        `format`; those of `title`, `artist`, `genre`, `licence`, `software`, `lyrics` that are
        there; and `provenance`, exactly the mapping that was written, in files made here.

    Raises:
        AudioError: if the file cannot be read, is of another format, or its tags are damaged.
    """
    name = "audio data" if isinstance(source, bytes) else f"audio file {os.fspath(source)!r}"
    data = source if isinstance(source, bytes) else _file_bytes(Path(source), name)
    kind = sniff(data)
    try:
        if kind == "wav":
            found = _read_wav(data)
        elif kind == "flac":
            found = _read_flac(data)
        elif kind == "mp3":
            found = _read_id3(data)
        else:
            raise AudioError(f"{name} is no WAV, FLAC or MP3 file, so it has no tags to read")
        tags: dict[str, object] = {"format": kind}
        tags.update((key, found[key]) for key in _SHOWN if found.get(key))
        if "provenance" in found:
            provenance = json.loads(found["provenance"])
            if not isinstance(provenance, dict):
                raise ValueError("provenance is no object")
            tags["provenance"] = provenance
    except (ValueError, struct.error, IndexError, RecursionError) as error:
        raise AudioError(f"{name} has damaged tags: {error}") from error
    return tags


def _file_bytes(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            raise AudioError(f"{name} does not exist or is no file", hint="check the path")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AudioError(f"{name} is larger than {MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{name} cannot be read: {reason}") from error


def _json(value: Mapping[str, object]) -> str:
    # ASCII, so that no reader's guess about encodings and no odd character can harm it.
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(text: str) -> str:
    """Text that every tag format can hold: no NUL, no lone surrogate."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


# WAV ------------------------------------------------------------------------------------------


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Chunks (name, body) of a RIFF file or of a LIST body; stops where the data stops."""
    position = 0
    while position + 8 <= len(data):
        name, size = (
            data[position : position + 4],
            int.from_bytes(data[position + 4 :][:4], "little"),
        )
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _write_wav(data: bytes, shown: Mapping[str, str], whole: str) -> bytes:
    kept = b"".join(
        _chunk(name, body)
        for name, body in _chunks(data[12:])
        if not (name in (b"id3 ", b"ID3 ") or (name == b"LIST" and body[:4] == b"INFO"))
    )
    info = b"INFO"
    for key, text in shown.items():
        if chunk_name := _SHOWN[key][0]:
            raw = text.encode()[:_INFO_LIMIT].decode(errors="ignore").encode()
            info += _chunk(chunk_name, raw + b"\0")
    # For programs that do not look into `id3 `: the same object without its longest part.
    short = _json({key: value for key, value in json.loads(whole).items() if key != "lyrics"})
    if len(short) <= _INFO_LIMIT:
        info += _chunk(b"ICMT", short.encode() + b"\0")
    body = b"WAVE" + kept + _chunk(b"LIST", info) + _chunk(b"id3 ", _id3(shown, whole))
    if len(body) >= MAX_FILE_BYTES:
        raise AudioError("the file would be larger than a WAV can be (4 GiB)")
    return _chunk(b"RIFF", body)


def _read_wav(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    names = {row[0]: key for key, row in _SHOWN.items() if row[0]}
    for name, body in _chunks(data[12:]):
        if name == b"LIST" and body[:4] == b"INFO":
            for tag, raw in _chunks(body[4:]):
                if tag in names:
                    text = raw.split(b"\0")[0].decode(errors="replace")
                    found.setdefault(names[tag], text)
        elif name in (b"id3 ", b"ID3 "):
            found.update(_read_id3(body))
    return found


# FLAC -----------------------------------------------------------------------------------------

_VORBIS_COMMENT, _PADDING = 4, 1


def _flac_blocks(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Metadata blocks (type, body) and the frames after them."""
    blocks, position, last = [], 4, False
    while not last:
        if position + 4 > len(data):
            raise ValueError("the metadata blocks do not end")
        last, kind = bool(data[position] & 0x80), data[position] & 0x7F
        size = int.from_bytes(data[position + 1 : position + 4], "big")
        blocks.append((kind, data[position + 4 : position + 4 + size]))
        position += 4 + size
    return blocks, data[position:]


def _write_flac(data: bytes, shown: Mapping[str, str], whole: str) -> bytes:
    try:
        blocks, frames = _flac_blocks(data)
    except ValueError as error:
        raise AudioError(f"FLAC data are damaged: {error}") from error
    old = next((body for kind, body in blocks if kind == _VORBIS_COMMENT), struct.pack("<I", 0))
    vendor = old[: 4 + int.from_bytes(old[:4], "little")]
    fields = [f"{_SHOWN[key][1]}={text}".encode() for key, text in shown.items()]
    fields.append(f"{_PROVENANCE}={whole}".encode())
    comment = vendor + struct.pack("<I", len(fields))
    comment += b"".join(struct.pack("<I", len(field)) + field for field in fields)
    if len(comment) >= _BLOCK_LIMIT:
        raise AudioError(f"tags of {len(comment)} bytes do not fit into a FLAC file (16 MiB)")
    kept = [block for block in blocks if block[0] not in (_VORBIS_COMMENT, _PADDING)]
    kept.append((_VORBIS_COMMENT, comment))
    head = b"".join(
        bytes([kind | (0x80 if i == len(kept) - 1 else 0)]) + len(body).to_bytes(3, "big") + body
        for i, (kind, body) in enumerate(kept)
    )
    return b"fLaC" + head + frames


def _read_flac(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    names = {row[1]: key for key, row in _SHOWN.items()} | {_PROVENANCE: "provenance"}
    for kind, body in _flac_blocks(data)[0]:
        if kind != _VORBIS_COMMENT:
            continue
        position = 4 + int.from_bytes(body[:4], "little")
        (count,) = struct.unpack_from("<I", body, position)
        position += 4
        for _ in range(count):
            (size,) = struct.unpack_from("<I", body, position)
            field, value = (
                body[position + 4 : position + 4 + size]
                .decode(errors="replace")
                .partition("=")[::2]
            )
            position += 4 + size
            if key := names.get(field.upper()):
                found.setdefault(key, value)
    return found


# ID3v2 ----------------------------------------------------------------------------------------


def _syncsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _from_syncsafe(raw: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(raw, (21, 14, 7, 0), strict=True))


def _id3_length(data: bytes) -> int:
    """Bytes of the ID3v2 tag in front, 0 if there is none."""
    if len(data) < 10 or data[:3] != b"ID3":
        return 0
    footer = 10 if data[5] & 0x10 else 0
    return 10 + _from_syncsafe(data[6:10]) + footer


def _id3(shown: Mapping[str, str], whole: str) -> bytes:
    """An ID3v2.4 tag, all text in UTF-8 (encoding 3)."""
    frames = b""
    for key, text in shown.items():
        frame, _, description = _SHOWN[key][2].partition(":")
        if frame == "TXXX":
            body = b"\x03" + description.encode() + b"\0" + text.encode()
        elif frame == "USLT":
            body = b"\x03und\0" + text.encode()
        else:
            body = b"\x03" + text.encode()
        frames += frame.encode() + _syncsafe(len(body)) + b"\0\0" + body
    body = b"\x03" + _PROVENANCE.encode() + b"\0" + whole.encode()
    frames += b"TXXX" + _syncsafe(len(body)) + b"\0\0" + body
    return b"ID3\x04\x00\x00" + _syncsafe(len(frames)) + frames


def _read_id3(data: bytes) -> dict[str, str]:
    """Text frames of an ID3v2.3 or v2.4 tag; other versions give nothing."""
    end, version = _id3_length(data), data[3] if len(data) > 3 else 0
    found: dict[str, str] = {}
    if not end or version not in (3, 4) or data[5] & 0xC0:
        return found  # none, too old, or unsynchronised or with an extended header: not ours
    names = {row[2]: key for key, row in _SHOWN.items()}
    names[f"TXXX:{_PROVENANCE}"] = "provenance"
    position, end = 10, min(end, len(data))
    while position + 10 <= end and data[position]:
        frame = data[position : position + 4].decode("ascii", errors="replace")
        raw_size = data[position + 4 : position + 8]
        size = _from_syncsafe(raw_size) if version == 4 else int.from_bytes(raw_size, "big")
        body = data[position + 10 : min(position + 10 + size, end)]
        position += 10 + size
        if not body or (frame[0] != "T" and frame != "USLT"):
            continue
        encoding, rest = body[0], body[4:] if frame == "USLT" else body[1:]
        texts = _id3_texts(encoding, rest)
        if frame in ("TXXX", "USLT"):
            label = f"TXXX:{texts[0]}" if frame == "TXXX" else frame
            text = "\0".join(texts[1:])
        else:
            label, text = frame, texts[0]
        if key := names.get(label):
            found.setdefault(key, text)
    return found


def _id3_texts(encoding: int, raw: bytes) -> list[str]:
    codec = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}.get(encoding, "latin-1")
    parts = raw.decode(codec, errors="replace").split("\0")
    texts = [part.removeprefix("\ufeff") for part in parts]
    return texts[:-1] if len(texts) > 1 and not texts[-1] else texts
