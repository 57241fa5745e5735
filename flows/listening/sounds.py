"""Bytes for players: ranges of them, and what is audible of a song that is still being made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from fastapi import Request, Response

from flows.listening.ear import Ear
from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.audio.splicing import overlay
from musiccore.conversion.memory import read
from musiccore.delivery.impression import Hearing
from musiccore.errors import NotFound
from musiccore.pages.filenames import disposition, saved_name
from musiccore.pages.panel import View
from musiccore.runs.snapshot import Picture, blob_sizes
from musiccore.storage.store import BlobRef

_FOREVER = "private, max-age=31536000, immutable"
_KINDS = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "png": "image/png",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "npz": "application/octet-stream",
    "mid": "audio/midi",
}


def answer(
    request: Request, data: bytes, kind: str, digest: str, *, keep: bool = True, name: str = ""
) -> Response:
    """Return bytes, or the range of them that was asked for.

    Args:
        request: the request, whose `Range` and `If-Range` are heard.
        data: all of the bytes.
        kind: suffix of a file of this kind.
        digest: names the bytes.
        keep: whether this address always means the same bytes.
        name: under which a browser saves them; empty to leave that to it.
    """
    tag = f'"{digest}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Cache-Control": _FOREVER if keep else "private, no-cache",
    }
    if name:
        headers["Content-Disposition"] = disposition(name, inline=True)
    media = _KINDS[kind]
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range", "")
    if request.headers.get("if-range") not in (None, tag):
        wanted = ""
    span = _span(wanted, len(data))
    if span is None:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return Response(status_code=416, headers=headers)
    first, last = span
    status = 200
    if wanted.startswith("bytes=") and "," not in wanted:
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last - 1}/{len(data)}"
    return _body(request, data[first:last], media, status, headers)


def _body(
    request: Request, data: bytes, media: str, status: int, headers: dict[str, str]
) -> Response:
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(data))
        return Response(status_code=status, headers=headers, media_type=media)
    return Response(data, status_code=status, headers=headers, media_type=media)


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """Return first and past-last byte; None for a range that is not there."""
    unit, _, text = wanted.partition("=")
    first, dash, last = text.strip().partition("-")
    given = [part for part in (first, last) if part]
    if unit != "bytes" or not dash or "," in text or not given:
        return 0, size
    if not all(part.isascii() and part.isdigit() and len(part) < 16 for part in given):
        return 0, size
    if not first:
        length = min(int(last), size)
        return (size - length, size) if length else None
    begin, end = int(first), min(int(last) + 1, size) if last else size
    return (begin, end) if begin < end else None


def blob(picture: Picture, digest: str, ear: Ear) -> tuple[bytes, str]:
    """Return a sound or picture of a run that the log names or that was made here, and its kind.

    Raises:
        NotFound: if there is none of this name.
    """
    size = blob_sizes(picture).get(digest)
    if size is None:
        made = ear.file(picture.status.run, digest)
        if made is not None:
            return made, audio.sniff(made) or "png"
        raise NotFound(f"run {picture.status.run} has no sound of this name")
    data = picture.journal.get_blob(BlobRef(sha256=digest, size=size))
    return data, audio.sniff(data) or "png"


def exported(picture: Picture, number: int, name: str) -> tuple[bytes, str, str]:
    """Return a file of a finished song: its bytes, kind and digest.

    Only what the record of the delivery lists can be had, and only as it was delivered.

    Raises:
        NotFound: if it is not listed.
    """
    song = picture.tree.rendition(number)
    if song.exported is not None:
        folder = str(song.exported.fields["folder"])
        for file in cast(Sequence[View], song.exported.fields["files"]):
            kind = name.rpartition(".")[2]
            if file["path"] == f"{folder}/{name}" and kind in _KINDS:
                return _file(picture, file), kind, str(file["sha256"])
    raise NotFound(f"song {number} of run {picture.status.run} has no file {name!r}")


def take_name(picture: View, digest: str) -> str:
    """Return the name under which the sound with this digest is saved; empty for a picture."""
    title = str(picture["title"])
    for take in cast(Sequence[View], picture["takes"]):
        for one in cast(Sequence[View], take["auditions"]):
            if one["preview"] == digest:
                span = f"{one['start']:.1f}-{one['end']:.1f} s"
                return saved_name(title, f"{name_of(take)}, {span}", kind="mp3")
        if take["preview"] == digest:
            return saved_name(title, name_of(take), kind="mp3")
    return ""


def name_of(take: View) -> str:
    """Return what a take is called."""
    return str(take["name"] or "") or f"take {take['take']}"


def song_name(picture: Picture, number: int, name: str) -> str:
    """Return the name under which a file of a song is saved.

    Args:
        picture: the run.
        number: of the song.
        name: of the file where it was delivered, such as `level_1.flac`.
    """
    song = picture.tree.rendition(number)
    take = picture.tree.takes[song.take]
    detail = take.name or f"take {take.number}"
    detail += f", version {song.version + 1}" if song.version else ""
    stem, _, kind = name.rpartition(".")
    what = "" if stem in ("master", "index") else f", {stem.replace('_', ' ')}"
    return saved_name(picture.title, detail + what, kind=kind)


def mix(picture: Picture, number: int, hearing: Hearing) -> bytes:
    """Return a song as well as it can be heard now: the best level for every stretch.

    Raises:
        ConfigError: if there is no such song.
        NotFound: if nothing of it can be heard yet.
        CheckpointError: if its take has to be decoded, and that cannot be done here.
    """
    song = picture.tree.rendition(number)
    facts = next(
        one for one in cast(Sequence[View], picture.to_json()["songs"]) if one["song"] == number
    )
    if song.exported is not None:
        return audio.write(_master(picture, number), "wav")
    rate = picture.tree.facts.config.vqvae.sample_rate
    length = round(picture.tree.seconds(song.take) * rate)
    first = _master(picture, song.base) if song.base else _take(picture, song.take, hearing)
    layers = [(0, first)]
    sizes = blob_sizes(picture)
    for stretch in cast(Sequence[View], facts["stretches"]):
        digest = str(stretch["audio"])
        data = picture.journal.get_blob(BlobRef(sha256=digest, size=sizes[digest]))
        layers.append((round(cast(float, stretch["start"]) * rate), read(data)))
    return audio.write(overlay(layers, length, rate), "wav")


def _take(picture: Picture, number: int, hearing: Hearing) -> Audio:
    record = picture.tree.rounds[picture.tree.take(number).round].published.get(number)
    file = None if record is None else record.fields.get("file")
    if not isinstance(file, dict):
        return hearing.level(picture.status.run, number)
    return read(_file(picture, file))


def _master(picture: Picture, number: int) -> Audio:
    record = picture.tree.rendition(number).exported
    if record is None:
        raise NotFound(f"song {number} of run {picture.status.run} is not finished")
    master = str(cast(View, record.fields["master"])["path"])
    files = cast(Sequence[View], record.fields["files"])
    return audio.to_mono(
        read(_file(picture, next(file for file in files if file["path"] == master)))
    )


def _file(picture: Picture, file: View) -> bytes:
    data = picture.journal.store.get(str(file["path"]), limit=cast(int, file["size"]))
    if BlobRef.of(data).sha256 != file["sha256"]:
        raise NotFound(f"{file['path']} of run {picture.status.run} was changed since it was made")
    return data
