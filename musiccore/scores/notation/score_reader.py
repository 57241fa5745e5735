"""Score files of every kind → scores, and scores → MusicXML."""

from __future__ import annotations

import contextlib
import re
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import unescape

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi import SUFFIXES, limited_bytes, read_midi, write_midi
from musiccore.scores.notation.abctext import fewest_notes, plain_abc
from musiccore.scores.notation.process import Music21, Refusal
from musiccore.scores.score import AS_PLAYERS_DO, Reading, Score

FORMATS = {
    ".musicxml": "musicxml",
    ".xml": "musicxml",
    ".mxl": "musicxml",
    ".abc": "abc",
    ".krn": "humdrum",
}
"""Suffix → what music21 calls the format."""

SCORE_SUFFIXES = (*SUFFIXES, *FORMATS)

MAX_TEXT = 8 << 20
"""Bytes of a score that is text; unpacked, if it is compressed."""

_CONTAINER = "META-INF/container.xml"
_NO_SCORES = ("META-INF/", "__MACOSX/")
_ROOT_FILE = re.compile(r"""full-path\s*=\s*["']([^"']+)""")
_DECLARED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What a packed score may use; bzip2 and LZMA would unpack all of it at once."""


def read_score(
    source: Path | str,
    *,
    repeats: bool = True,
    tune: int | None = None,
    music21: Music21 | None = None,
    reading: Reading = AS_PLAYERS_DO,
) -> Score:
    """Read a score: MIDI, MusicXML (packed or not), ABC, Humdrum, or a piece of music21's package.

    Args:
        source: a file, or a name such as `bwv66.6`.
        repeats: play what is to be repeated again, where the signs make sense.
        tune: which one of an ABC book, from 1 on.
        music21: a process to ask; without one, a new one is started.
        reading: how files of other people are read.

    Returns:
        The score, at sounding pitch; a first bar that is shorter has a meter of its own.

    Raises:
        AudioError: if it is missing, damaged or too large, music21 takes too long, or something is
            odd about it and `reading` is strict.
        ConfigError: if there is no such piece, or the tune of a book is not said.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return read_midi(path, reading)
    if music21 is None:
        with Music21() as own:
            return read_score(source, repeats=repeats, tune=tune, music21=own, reading=reading)
    options: dict[str, str | bool] = {"repeats": repeats, "format": FORMATS.get(suffix, "")}
    if suffix not in FORMATS:
        if path.exists():
            raise ConfigError(
                f"score: {str(source)!r} is no score by its name",
                hint=f"scores end with {', '.join(SCORE_SUFFIXES)}",
            )
        return _from_corpus(str(source), options, music21)
    name = f"score {str(source)!r}"
    text = _text(limited_bytes(path, name, MAX_TEXT), name)
    if suffix == ".abc":
        return reading.passed(
            _abc(_tune(split_tunes(text), tune, name), options, music21, name), name
        )
    elif tune is not None:
        raise ConfigError(f"tune is {tune}; {str(source)!r} is no book of tunes")
    return _asked(music21, "read", text.encode(), options, name)


def _abc(tune: str, options: dict[str, str | bool], music21: Music21, name: str) -> Score:
    """Read a tune, with a warning for all that is not understood."""
    plain, warnings = plain_abc(tune, repeats=bool(options["repeats"]))
    score = _asked(music21, "read", plain.encode(), options, name)
    written = fewest_notes(plain)
    if score.n_notes < written:
        warnings = (*warnings, f"{written - score.n_notes} of {written} notes are not understood")
    return replace(score, warnings=warnings)


def count_tunes(path: Path) -> int:
    """Return how many tunes an ABC file holds; 1 for any other file.

    Raises:
        AudioError: if it cannot be read.
    """
    if path.suffix.lower() != ".abc":
        return 1
    name = f"score {str(path)!r}"
    return len(split_tunes(_text(limited_bytes(path, name, MAX_TEXT), name)))


def split_tunes(text: str) -> list[str]:
    """Split an ABC book into its tunes, each with what is said before the first one."""
    head, *tunes = re.split(r"^(?=X:)", text, flags=re.MULTILINE)
    return [head + tune for tune in tunes] or [text]


def write_musicxml(score: Score, *, music21: Music21 | None = None) -> bytes:
    """Write a score as MusicXML.

    A note that begins or ends where notation cannot say it is moved by at most a 64th note;
    percussion is written as pitches on channel 10.

    Args:
        score: any score.
        music21: a process to ask; without one, a new one is started.

    Raises:
        AudioError: if music21 cannot do it, or takes too long.
    """
    if music21 is None:
        with Music21() as own:
            return write_musicxml(score, music21=own)
    try:
        return music21.ask("musicxml", write_midi(score))
    except Refusal as error:
        raise AudioError(f"the score cannot be written as MusicXML: {error.message}") from error


def _from_corpus(name: str, options: dict[str, str | bool], music21: Music21) -> Score:
    try:
        return _asked(music21, "corpus", name.encode(), options, f"score {name!r}")
    except _Unknown as error:
        raise ConfigError(
            f"score: {name!r} is neither a file nor a piece of the music21 package",
            hint=f"give a file that ends with {', '.join(SCORE_SUFFIXES)}, or such as bwv66.6",
        ) from error


class _Unknown(Exception):
    """The package has no such piece."""


def _asked(
    music21: Music21, task: str, payload: bytes, options: dict[str, str | bool], name: str
) -> Score:
    try:
        return read_midi(music21.ask(task, payload, options))
    except Refusal as error:
        if error.kind == "unknown":
            raise _Unknown from error
        raise AudioError(
            f"{name} cannot be read: {error.message}", hint="export it again, or as MIDI"
        ) from error
    except AudioError as error:
        raise AudioError(f"{name} cannot be used: {error.message}") from error


def _text(data: bytes, name: str) -> str:
    if data[:4] == b"PK\x03\x04":
        data = _unpacked(data, name)
    if not data.strip():
        raise AudioError(f"{name} is empty")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    said = _DECLARED.match(data.strip())
    for encoding in ("utf-8-sig", said[1].decode() if said else "latin-1"):
        with contextlib.suppress(UnicodeDecodeError, LookupError):
            return data.decode(encoding).strip()
    return data.decode("latin-1").strip()


def _unpacked(data: bytes, name: str) -> bytes:
    """Return the score within a packed MusicXML file; no more than the limit is unpacked."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as packed:
            inside = [n for n in packed.namelist() if not n.startswith(_NO_SCORES)]
            scores = [n for n in inside if n.lower().endswith((".xml", ".musicxml"))]
            if not scores:
                raise AudioError(f"{name} holds no MusicXML")
            main = [n for n in _named_by_container(packed, name) if n in scores]
            text = _piece(packed, [*main, *scores][0], name)
    except AudioError:
        raise
    except Exception as error:  # the packers that zipfile knows fail in many foreign ways
        raise AudioError(f"{name} cannot be unpacked: {error}") from error
    if len(text) > MAX_TEXT:
        raise AudioError(f"{name} unpacks to more than the limit of {MAX_TEXT} bytes")
    return text


def _piece(packed: zipfile.ZipFile, inside: str, name: str) -> bytes:
    if packed.getinfo(inside).compress_type not in _PACKED:
        raise AudioError(f"{name} is packed as no MusicXML may be", hint="save it again")
    with packed.open(inside) as file:
        return file.read(MAX_TEXT + 1)


def _named_by_container(packed: zipfile.ZipFile, name: str) -> list[str]:
    """Return what the container says are its files; the score itself is the first one."""
    if _CONTAINER not in packed.namelist():
        return []
    said = _ROOT_FILE.findall(_piece(packed, _CONTAINER, name).decode(errors="replace"))
    return [unescape(each).replace("\\", "/").lstrip("/") for each in said]


def _tune(tunes: list[str], tune: int | None, name: str) -> str:
    if tune is None:
        if len(tunes) > 1:
            raise ConfigError(
                f"tune: {name} is a book of {len(tunes)} tunes", hint="say which, from 1 on"
            )
        return tunes[0]
    if not 1 <= tune <= len(tunes):
        raise ConfigError(f"tune is {tune}; {name} holds {len(tunes)}")
    return tunes[tune - 1]
