"""Every Bach file of music21's package, exported by music21: no note is lost anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from music21 import corpus
from music21.repeat import ExpanderException

from musiccore.scores.midi import read_midi, write_midi
from musiccore.scores.notation import read_score
from musiccore.scores.score import Score
from musiccore.scores.tokens import (
    EventVocabulary,
    decode_events,
    decode_grid,
    encode_events,
    encode_grid,
    on_grid,
)

FILES = sorted(
    (Path(str(path)) for path in corpus.getComposer("bach") if Path(str(path)).suffix != ".rntxt"),
    key=lambda path: path.name,
)
SMALL = [path for path in FILES if path.stat().st_size < 4300]  # what takes little time


def exported(files: list[Path], folder: Path) -> Iterator[Path]:
    for number, path in enumerate(files):
        target = folder / f"{number:03d}.mid"
        try:
            corpus.parse(path).write("midi", target)
        except ExpanderException:  # it exports no piece whose repeats make no sense; we read it
            target.write_bytes(write_midi(read_score(path)))
        yield target


@pytest.fixture(scope="module", params=[9, pytest.param(3, marks=pytest.mark.whole)])
def sample(tmp_path_factory, request) -> list[Path]:
    """One of so many of the small files."""
    chosen = SMALL[:: request.param]
    assert len(chosen) >= 114 // request.param
    return list(exported(chosen, tmp_path_factory.mktemp("bach")))


def notes(score: Score) -> list[tuple[int, int, int, int, int]]:
    return [
        (number, note.start, note.duration, note.pitch, note.velocity)
        for number, part in enumerate(score.parts)
        for note in part.notes
    ]


def nothing_is_lost(path: Path) -> None:
    score = read_midi(path)
    assert score.n_notes > 0
    assert read_midi(write_midi(score)) == score
    vocabulary = EventVocabulary()
    back = decode_events(vocabulary.decode(vocabulary.encode(encode_events(score))))
    assert back == on_grid(score)
    factor = score.ticks_per_quarter // 24
    assert [(n, s * factor, d * factor, p, v) for n, s, d, p, v in notes(back)] == notes(score)
    for per_quarter in (1, 2, 4):
        assert decode_grid(encode_grid(score, per_quarter)).n_notes == score.n_notes


def test_sample_of_bach_comes_back_from_midi_events_and_grid(sample) -> None:
    for path in sample:
        nothing_is_lost(path)


@pytest.mark.slow
def test_all_of_bach_comes_back_from_midi_events_and_grid(tmp_path) -> None:
    assert len(FILES) >= 413
    for path in exported(FILES, tmp_path):
        nothing_is_lost(path)


@pytest.mark.benchmark
def test_200_chorales_are_parsed_in_two_cpu_seconds(sample) -> None:
    began = time.process_time()
    for number in range(200):
        read_midi(sample[number % len(sample)])
    assert time.process_time() - began <= 2.0
