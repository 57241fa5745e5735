"""The other end of the pipe: what runs within the process of music21. See `asking`."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from threading import Thread

from musiccore.scores.midi import read_midi, write_midi

_MEMORY = 4 << 30
_LOOK_SECONDS = 0.5

Options = Mapping[str, str | bool]


class Unknown(Exception):
    """The package has no such piece."""


def read(payload: bytes, options: Options) -> bytes:
    """Return the score of a text as a MIDI file. Options: `format`, `repeats`."""
    from music21 import converter

    from musiccore.scores.notation.from_music21 import score_from

    form = str(options["format"])
    if form == "midi":
        stream = converter.parseData(payload, format=form)
    else:
        stream = converter.parseData(payload.decode(), format=form)
    return write_midi(score_from(stream, repeats=bool(options["repeats"])))


def corpus(payload: bytes, options: Options) -> bytes:
    """Return a piece of music21's package as a MIDI file. Options: `repeats`."""
    from music21 import converter, corpus
    from music21.exceptions21 import Music21Exception

    from musiccore.scores.notation.from_music21 import score_from

    try:
        path = corpus.getWork(payload.decode())
    except Music21Exception as error:
        raise Unknown(str(error)) from error
    if isinstance(path, list):  # bwv281 is there in two notations
        stem = payload.decode().rpartition("/")[2]
        same = [each for each in path if each.stem == stem]
        if not same:
            raise Unknown("the name means several pieces")
        path = max(same, key=lambda each: each.suffix == ".mxl")
    stream = converter.parse(path, forceSource=True)
    return write_midi(score_from(stream, repeats=bool(options["repeats"])))


def musicxml(payload: bytes, options: Options) -> bytes:
    """Return the score of a MIDI file as MusicXML."""
    from musiccore.scores.notation.to_music21 import musicxml_of

    return musicxml_of(read_midi(payload))


def numerals(payload: bytes, options: Options) -> bytes:
    """Return the names of chords in a key. Payload: JSON with `key` and `chords`."""
    from musiccore.scores.notation.numerals import named

    asked = json.loads(payload)
    return json.dumps(named(asked["key"], asked["chords"])).encode()


def seed(payload: bytes, options: Options) -> bytes:
    """Return the notes and chords of every part of a MIDI file as strings. See `seedform`."""
    from musiccore.scores.notation.strings import strings_of

    return json.dumps(strings_of(payload)).encode()


TASKS: dict[str, Callable[[bytes, Options], bytes]] = {
    "read": read,
    "corpus": corpus,
    "musicxml": musicxml,
    "numerals": numerals,
    "seed": seed,
}


def _serve() -> None:
    """Answer until the pipe closes."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what music21 prints is no answer
    warnings.simplefilter("ignore")
    _limit_memory()
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    while line := sys.stdin.buffer.readline():
        head = json.loads(line)
        payload = sys.stdin.buffer.read(head["size"])
        answer, refusal, message = b"", "", ""
        try:
            answer = TASKS[head["task"]](payload, head["options"])
        except Unknown as error:
            refusal, message = "unknown", str(error)
        except MemoryError:
            refusal, message = "damaged", "music21 needs too much memory for it"
        except Exception as error:  # whatever music21 raises
            refusal, message = "damaged", _line(error)
        told = {"refusal": refusal, "message": message, "size": len(answer)}
        out.write(json.dumps(told).encode() + b"\n" + answer)
        out.flush()


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def _end_with(parent: int) -> None:
    """End when the process that asks is gone, even in the middle of an answer."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    _serve()
