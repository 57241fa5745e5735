"""`explain`: what a file says about how it was made."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from flows.cli.output import Exit, checking, data, data_json, talk
from musiccore.errors import ConfigError, MusicCoreError
from musiccore.models.sung import Sung
from musiccore.tags import SHOWN
from musiccore.timecode import clock

_LAST = (
    "numerics_changes",
    "lyrics",
    "sung",
    "recipe",
    "origin",
    "conversions",
)  # long; after everything else
_TOLD = ("sung", "numerics_changes", "origin", "conversions")  # in words
_DIGITS = 16  # of a digest
_STREAM = "-"


def explain(options: Namespace) -> int:
    called = "standard input" if options.file == _STREAM else options.file
    with checking(), ExitStack() as stack:
        path = _piped(stack) if options.file == _STREAM else Path(options.file)
        try:
            tags = _tags(path, options.tag_encoding)
        except MusicCoreError as error:
            if options.file == _STREAM:
                for kind in ("audio", "MIDI"):
                    error.message = error.message.replace(f"{kind} file {str(path)!r}", called)
            raise
    if options.json:
        data_json(tags)
        return Exit.DONE
    found = tags.get("provenance")
    provenance: Mapping[str, object] = found if isinstance(found, dict) else {}
    if tags["format"] == "midi" and provenance:
        talk(f"{called} was composed by jukeflow")
    elif "run" in provenance:
        talk(f"{called} was made by jukeflow; `jukeflow reproduce` makes it again")
    elif provenance.get("kind") == "rendering":
        talk(f"{called} is a score that jukeflow played")
    elif "conversions" in provenance:
        talk(f"{called} was converted by jukeflow, and not made by it")
    else:
        talk(f"{called} was not made by jukeflow, or its metadata is gone; what is there:")
    shown: dict[str, object] = {name: tags[name] for name in SHOWN if name in tags}
    whole = {"format": tags["format"], **shown}
    whole |= {name: value for name, value in provenance.items() if shown.get(name) != value}
    late = [name for name in _LAST if name in whole]
    _print_fields({name: value for name, value in whole.items() if name not in _LAST})
    _print_others(tags)
    _print_fields({name: whole[name] for name in late if name not in _TOLD})
    _print_numerics(provenance)
    if (sung := Sung.from_json(provenance.get("sung"))) is not None:
        for words in sung.sentences():
            data(words)
    _print_steps(provenance)
    _print_history(provenance)
    for warning in _rows(tags, "warnings"):
        talk(f"{called}: {warning}")
    return Exit.DONE


def _piped(stack: ExitStack) -> Path:
    """Return standard input as a file, which is gone when the stack is closed.

    Raises:
        ConfigError: if nobody writes into it.
        AudioError: if it is too large.
    """
    from musiccore.storage.files import STANDARD_INPUT, fetch, look
    from musiccore.storage.places import Place
    from musiccore.storage.scratch import scratch

    if os.isatty(0):
        raise ConfigError("file: standard input is a terminal", hint="cat a.mp3 | ... -")
    found = look(Place("", STANDARD_INPUT))
    if found is None:
        raise ConfigError("file: standard input is no file", hint="cat a.mp3 | ... -")
    return fetch(found, stack.enter_context(scratch()), lambda share: None)


def _is_midi(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError):  # which the reader says better
        return False
    return head[:4] == b"MThd" or (head[:4] == b"RIFF" and head[8:] == b"RMID")


def _tags(path: Path, encoding: str | None) -> dict[str, object]:
    from musiccore.conversion.metadata import summary_of
    from musiccore.scores.midi import SUFFIXES
    from tasks.settings import machine

    if path.suffix.lower() in SUFFIXES or _is_midi(path):
        return _score_tags(path)
    return summary_of(path, ffmpeg=machine().ffmpeg, encoding=encoding)


def _rows(tags: Mapping[str, object], name: str) -> list[object]:
    rows = tags.get(name)
    return rows if isinstance(rows, list) else []


def _print_others(tags: Mapping[str, object]) -> None:
    """Print what there is beside the fields that every player shows."""
    fields = tags.get("tags")
    for name, values in fields.items() if isinstance(fields, Mapping) else ():
        told = {str(tags.get(name))} | set(str(tags.get(name)).split("; "))  # shown already
        for value in values:
            if name not in SHOWN or value not in told:
                data(f"{name}: {value}")
    for number, one in enumerate(_rows(tags, "pictures"), start=1):
        if isinstance(one, Mapping):
            size = f", {one['width']} x {one['height']}" if one["width"] else ""
            words = f", {one['description']}" if one["description"] else ""
            about = f"{one['shows']}, {one['mime']}{size}, {one['bytes']} bytes{words}"
            data(f"picture {number}: {about}")
    for number, one in enumerate(_rows(tags, "chapters"), start=1):
        if isinstance(one, Mapping):
            data(f"chapter {number}: {clock(float(one['start']))} {one['title']}")
    for one in _rows(tags, "synchronised_lyrics"):
        if isinstance(one, Mapping):
            for time, text in one["lines"]:
                data(f"sung at {clock(float(time))}: {text}")
    chunks = tags.get("chunks")
    _print_fields(chunks if isinstance(chunks, Mapping) else {})


def _score_tags(path: Path) -> dict[str, object]:
    """Return what a MIDI file says: name, copyright, and how it was composed here."""
    from musiccore.composer.to_score import provenance_of
    from musiccore.scores.midi import read_midi

    score = read_midi(path)
    found: dict[str, object] = {"format": "midi"}
    if score.name:
        found["title"] = score.name
    for words in score.words:
        if words.kind == "copyright":
            found.setdefault("licence", words.text)
    if (made := provenance_of(score)) is not None:
        found["provenance"] = made
    if score.warnings:
        found["warnings"] = list(score.warnings)
    return found


def _print_fields(values: Mapping[str, object], prefix: str = "") -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _print_fields(value, f"{prefix}{name}.")
        elif value not in ("", None, []):
            data(f"{prefix}{name}: {value}")


def _print_numerics(provenance: Mapping[str, object]) -> None:
    """Print what became other on the way than the run began with, by consent."""
    for change in _rows(provenance, "numerics_changes"):
        before, after = (
            change.get(name) if isinstance(change, Mapping) else None
            for name in ("recorded", "current")
        )
        if not isinstance(before, Mapping) or not isinstance(after, Mapping):
            data(f"numerics_changes: {change}")
            continue
        words = ", ".join(f"{name} from {before.get(name)} to {after[name]}" for name in after)
        data(
            f"numerics changed on the way, by consent: {words}; the same request gives other codes"
        )


def _print_steps(provenance: Mapping[str, object]) -> None:
    """Print the choices that led to the music, in words."""
    from musiccore.takes.choice import Choice

    origin = provenance.get("origin")
    steps = origin.get("choices") if isinstance(origin, Mapping) else None
    for number, step in enumerate(steps if isinstance(steps, list) else (), start=1):
        try:
            data(f"choice {number}: {Choice.parse(step['choice']).in_words()}")
        except (ConfigError, KeyError, TypeError):
            data(f"choice {number}: {step}")


def _print_history(provenance: Mapping[str, object]) -> None:
    """Print what the file was made from since."""
    history = provenance.get("conversions")
    for number, one in enumerate(history if isinstance(history, list) else (), start=1):
        if not isinstance(one, Mapping):
            data(f"conversion {number}: {one}")
            continue
        sources, asked = one.get("sources"), one.get("options")
        names = [str(name)[:_DIGITS] for name in sources] if isinstance(sources, list) else []
        words = asked.items() if isinstance(asked, Mapping) else ()
        text = ", ".join(f"{name} {value}" for name, value in words)
        place = f"{one.get('sample_rate')} Hz, channels: {one.get('channels')}"
        data(f"conversion {number}: from {' + '.join(names)} by {text} ({place})")
