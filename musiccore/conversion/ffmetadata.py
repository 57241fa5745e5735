"""Tags through ffmpeg: of files that only it can read, and of formats that only it can write."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from musiccore.conversion.ffmpeg import find_ffmpeg
from musiccore.errors import AudioError
from musiccore.tags.extras import Chapter, ended, lrc
from musiccore.tags.fields import LIMIT, FoundFields, Tags
from musiccore.tags.names import vorbis_name
from musiccore.tags.pictures import KINDS, EmbeddedPicture, media_type

_SECONDS = 20.0
_MOST_PICTURES = 16
_LONGEST_WMA = 32_000  # characters of one field: it counts bytes of UTF-16 in 16 bits

_WRITTEN = {  # names that ffmpeg translates for each format
    "title", "artist", "album", "date", "genre", "track", "comment", "copyright", "lyrics",
    "album_artist", "composer", "disc", "performer", "language", "publisher", "encoded_by",
    "description", "grouping",
}  # fmt: skip
_TECHNICAL = re.compile(
    r"major_brand|minor_version|compatible_brands|handler_name|vendor_id|duration|bps"
    r"|encoder_options|number_of_(frames|bytes)|_statistics_.*|wmfsd.*|isvbr|deviceconformancetemplate|media_?type"
    r"|source_id|timecode",
    re.IGNORECASE,
)
_SPOKEN = re.compile(r"(comment|lyrics|title|description)-([a-z]{3})", re.IGNORECASE)
_PICTURE = re.compile(
    r"Stream #0:(\d+)\S*: Video: [^\n]*\(attached pic\)(.*?)(?=Stream #|\Z)", re.DOTALL
)
_SHOWS = {"cover (front)": 3, "cover (back)": 4}
_INPUT = re.compile(r"^Input #0, ([^,\s]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Said:
    """What ffmpeg says about a file: its tags in a form of its own, and its streams for people."""

    metadata: str
    streams: str
    failed: bool


def foreign_tags(path: Path, ffmpeg: str | None, *, must: bool = False) -> Tags:
    """Read tags with ffmpeg.

    Args:
        path: of a file that `musiccore.tags` cannot read.
        ffmpeg: path of the program; None looks for it.
        must: a file that ffmpeg cannot read either is an error.

    Returns:
        Everything that ffmpeg tells; nothing if there is none.

    Raises:
        AudioError: see `must`.
        MissingProgram: if there is no ffmpeg.
    """
    program = find_ffmpeg(ffmpeg, f"reading {path.name!r}")
    said = _ask(program, path)
    if said is None or said.failed:
        if must:
            raise AudioError(
                f"audio file {os.fspath(path)!r} is no audio that ffmpeg can read, so it has no "
                "tags that can be read"
            )
        return Tags()
    found = FoundFields()
    for section, rows in _sections(said.metadata):
        if section == "CHAPTER":
            _add_chapter(found, rows)
        else:
            for name, text in rows:
                if name.lower() != "encoder" or "software" not in found.fields:
                    _add(found, name, text)
    found.pictures += _pictures(program, path, said.streams)
    return found.tags()


def foreign_kind(path: Path, ffmpeg: str | None) -> str:
    """Return what ffmpeg calls the format of a file."""
    said = _ask(find_ffmpeg(ffmpeg, f"reading {path.name!r}"), path)
    named = said and _INPUT.search(said.streams)
    return named[1] if named else "unknown"


def _ask(program: str, path: Path) -> _Said | None:
    command = [program, "-hide_banner", "-nostdin", "-i", f"file:{os.fspath(path)}"]
    command += ["-map", "0:a:0?", "-c", "copy", "-frames:a", "1", "-f", "ffmetadata", "pipe:1"]
    done = _run(command)
    if done is None:
        return None
    metadata = done.stdout.decode("utf-8", "replace")
    return _Said(
        metadata, done.stderr.decode("utf-8", "replace"), done.returncode != 0 and not metadata
    )


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _sections(metadata: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield name and rows of the sections of ffmpeg's form; the first has no name."""
    name = ""
    rows: list[tuple[str, str]] = []
    # A line ends where the newline has no backslash in front; sections begin with a bracket.
    for line in re.split(r"(?<!\\)\n", metadata):
        if line.startswith("["):
            yield name, rows
            name, rows = line.strip("[]"), []
        elif not line.startswith(";"):
            key, equal, value = re.sub(r"(?<!\\)=", "\0", line, count=1).partition("\0")
            if equal:
                rows.append((_plain(key), _plain(value)))
    yield name, rows


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _add(found: FoundFields, name: str, text: str) -> None:
    if _TECHNICAL.fullmatch(name):
        return
    spoken = _SPOKEN.fullmatch(name)
    if spoken and spoken[1].lower() in ("comment", "lyrics"):
        found.add_words(spoken[1].lower(), spoken[2], "", text)
    else:
        found.add_free(spoken[1] if spoken else name, text)


def _add_chapter(found: FoundFields, rows: list[tuple[str, str]]) -> None:
    known = {name.upper(): text for name, text in rows}
    try:
        over, under = map(int, known.get("TIMEBASE", "1/1000000000").split("/"))
        start, end = (int(known[name]) * over * 1000 // under for name in ("START", "END"))
    except (ValueError, KeyError, ZeroDivisionError):
        return
    found.chapters.append(Chapter(start=max(start, 0), end=end, title=known.get("TITLE", "")))


def _pictures(program: str, path: Path, streams: str) -> Iterator[EmbeddedPicture]:
    """Yield the pictures that ffmpeg shows as streams of one frame."""
    for found in list(_PICTURE.finditer(streams))[:_MOST_PICTURES]:
        command = [program, "-v", "quiet", "-nostdin", "-i", f"file:{os.fspath(path)}", "-map",
                   f"0:{found[1]}", "-c", "copy", "-frames:v", "1", "-f", "image2pipe",
                   "pipe:1"]  # fmt: skip
        done = _run(command)
        if done is None or not 0 < len(done.stdout) < LIMIT:
            continue
        words = dict(re.findall(r"^ {6}(title|comment) *: (.*)$", found[2], re.MULTILINE))
        shows = words.get("comment", "").strip().casefold()
        kind = _SHOWS.get(shows, KINDS.index(shows) if shows in KINDS else 0)
        yield EmbeddedPicture(
            data=done.stdout,
            mime=media_type(done.stdout),
            kind=kind,
            description=words.get("title", ""),
        )


# Writing --------------------------------------------------------------------------------------


def metadata_text(tags: Tags, kind: str) -> str:
    """Return tags in ffmpeg's form; empty if there are none that the format can hold.

    Args:
        tags: what is to be written.
        kind: the format.
    """
    if kind == "aac":
        return ""
    rows = []
    for name, values in tags.fields.items():
        written = name if name in _WRITTEN else vorbis_name(name)
        if name == "licence" and "copyright" not in tags.fields:
            written = "copyright"
        if name != "software":  # which ffmpeg writes itself
            rows.append((written, "; ".join(values)))
    rows += [("SYNCEDLYRICS", lrc(one)) for one in tags.timed]
    if kind == "wma":
        rows = [(name, text[:_LONGEST_WMA]) for name, text in rows]
    lines = [f"{_escaped(name)}={_escaped(text)}" for name, text in rows]
    for one in ended(tags.chapters):
        end = one.start if one.end is None else one.end
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={one.start}", f"END={end}",
                  f"title={_escaped(one.title)}"]  # fmt: skip
    return "\n".join([";FFMETADATA1", *lines, ""]) if lines else ""


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text.replace("\0", " "))


def foreign_losses(tags: Tags, kind: str) -> tuple[str, ...]:
    """Return what a format that ffmpeg writes cannot hold, in words."""
    gone = []
    if kind == "aac":
        gone += [", ".join(tags.fields)] if tags.fields else []
        gone += ["chapters"] if tags.chapters else []
        gone += ["synchronised lyrics"] if tags.timed else []
    elif kind == "wma":
        long = [name for name, values in tags.fields.items() if _length(values) > _LONGEST_WMA]
        gone += [f"the end of {', '.join(long)}"] if long else []
    if tags.pictures:
        gone.append("a picture" if len(tags.pictures) == 1 else f"{len(tags.pictures)} pictures")
    if kind != "aac" and any(len(values) > 1 for values in tags.fields.values()):
        several = [name for name, values in tags.fields.items() if len(values) > 1]
        gone.append(f"the borders between several values of {', '.join(several)}")
    return tuple(gone)


def _length(values: tuple[str, ...]) -> int:
    return len("; ".join(values).encode("utf-16-le")) // 2
