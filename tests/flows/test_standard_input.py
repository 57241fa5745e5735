"""`-`: what comes through standard input, out of a pipe or out of a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from flows.__main__ import main
from musiccore.audio.sound import Audio, write
from musiccore.scores.midi import write_midi
from musiccore.scores.score import Part, Score, ScoreNote
from musiccore.storage.files import STANDARD_INPUT, fetch, look
from musiccore.storage.places import Place
from musiccore.tags import tag_file

Given = Callable[[Path], None]


@pytest.fixture(params=["file", "pipe"])
def given(request) -> Iterator[Given]:
    """Put a file, or a pipe that brings its content, where standard input is."""
    kept = os.dup(0)
    threads: list[Thread] = []

    def give(path: Path) -> None:
        if request.param == "file":
            handle = os.open(path, os.O_RDONLY)
        else:
            handle, end = os.pipe()
            threads.append(Thread(target=_pour, args=(end, path.read_bytes())))
            threads[-1].start()
        os.dup2(handle, 0)
        os.close(handle)

    yield give
    os.dup2(kept, 0)
    os.close(kept)
    for thread in threads:
        thread.join()


def _pour(end: int, content: bytes) -> None:
    with os.fdopen(end, "wb") as file:
        file.write(content)


@pytest.fixture
def song(tmp_path) -> Path:
    path = tmp_path / "song.flac"
    tone = np.sin(np.arange(8000, dtype=np.float32))[None] * np.float32(0.5)
    path.write_bytes(write(Audio(samples=tone, sample_rate=8000), "flac"))
    tag_file(path, {"title": "Evening"})
    return path


def test_sound_is_explained(given, song, capsys) -> None:
    given(song)
    assert main(["explain", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Evening"


def test_score_is_explained_by_its_content(given, tmp_path, capsys) -> None:
    path = tmp_path / "a.bin"
    part = Part(name="Violin", notes=(ScoreNote(start=0, duration=96, pitch=60),), track=1)
    path.write_bytes(write_midi(Score(ticks_per_quarter=96, parts=(part,), name="Tune")))
    given(path)
    assert main(["explain", "-"]) == 0
    out, err = capsys.readouterr()
    assert "title: Tune" in out
    assert "standard input was not made by jukeflow" in err


def test_what_is_no_sound_is_called_standard_input(given, tmp_path, capsys) -> None:
    path = tmp_path / "a.txt"
    path.write_text("nothing that sounds")
    given(path)
    assert main(["explain", "-"]) == 2
    assert "standard input" in capsys.readouterr().err


def test_file_behind_standard_input_has_a_name_that_other_programs_know(
    given, song, tmp_path
) -> None:
    given(song)
    found = look(Place("", STANDARD_INPUT))
    assert found is not None
    copy = fetch(found, tmp_path, lambda share: None)
    assert str(copy) != STANDARD_INPUT
    assert copy.read_bytes() == song.read_bytes()
