"""Strings of notes and chords, compared with what the old program did."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from music21 import chord, converter, corpus, instrument, note

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.notation.process import Music21
from musiccore.scores.tokens.seed import getNotes, noteToSequence, seed_strings, vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three files of 150 notes and chords each, of one instrument, and a fourth one."""
    folder = tmp_path_factory.mktemp("seed")
    generator = random.Random(1)
    for number in range(4):
        made = pretty_midi.PrettyMIDI(initial_tempo=generator.choice([90, 120, 133]))
        piano = pretty_midi.Instrument(program=0)
        beat = 60 / made.get_tempo_changes()[1][0]
        for n in range(150):
            start, length = n * beat / 2, generator.choice([0.5, 0.25]) * beat
            for _ in range(generator.choice([1, 1, 1, 2, 3])):
                pitch = generator.randrange(48, 84)
                piano.notes.append(pretty_midi.Note(90, pitch, start, start + length))
        made.instruments.append(piano)
        made.write(str(folder / f"{'dbca'[number]}.mid"))
    return folder


def as_the_old_program(file: Path) -> list[str]:
    """What it did with a file, one word corrected: it asked the module for the pitch."""
    found = []
    for element in instrument.partitionByInstrument(converter.parse(str(file))).parts[0].recurse():
        if isinstance(element, note.Note):
            found.append(str(element.pitch))
        elif isinstance(element, chord.Chord):
            found.append(".".join(str(n) for n in element.normalOrder))
    return found


def test_strings_are_those_of_the_old_program(folder) -> None:
    expected = [s for name in "abc" for s in as_the_old_program(folder / f"{name}.mid")]
    assert getNotes(folder) == expected
    assert len(expected) >= 450
    assert {len(string.split(".")) for string in expected} == {1, 2, 3}


def test_every_part_of_a_file_is_read(folder) -> None:
    (part,) = seed_strings(folder / "a.mid")
    assert part == as_the_old_program(folder / "a.mid")


def test_file_that_the_old_program_found_empty_has_notes(tmp_path) -> None:
    corpus.parse("bwv66.6").write("midi", tmp_path / "b.mid")
    assert sum(len(part) for part in seed_strings(tmp_path / "b.mid")) > 150
    with pytest.raises(AudioError, match=r"b\.mid' holds no notes with a pitch in its first part"):
        getNotes(tmp_path)


def test_file_that_takes_too_long_ends_in_one_error(folder) -> None:
    why = r"a\.mid' cannot be read: music21 took longer"
    with Music21(seconds=0.01) as music21, pytest.raises(AudioError, match=why):
        seed_strings(folder / "a.mid", music21=music21)


def test_folder_without_scores_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no MIDI file is in"):
        getNotes(tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        getNotes(tmp_path / "missing")


def test_windows_can_be_read_back_with_the_vocabulary() -> None:
    notes = [random.Random(n).choice(["C4", "E-3", "0.4.7", "B5"]) for n in range(130)]
    words = vocabulary(notes)
    inputs, targets = noteToSequence(notes, len(words))
    assert (inputs.shape, targets.shape) == ((30, 100, 1), (30, 4))
    assert [words[round(x * 4)] for x in inputs[7, :, 0]] == notes[7:107]
    assert [words[n] for n in np.argmax(targets, axis=1)] == notes[100:]
    assert 0 <= inputs.min() <= inputs.max() < 1


@pytest.mark.parametrize(
    ("notes", "nvocab", "why"),
    [
        (["C4"] * 100, 1, "notes: there are 100, and a window takes 100 and the one"),
        ([], 1, "notes: there are 0"),
        (["C4"] * 101, 2, "nvocab is 2; the notes have 1 different strings"),
    ],
)
def test_what_the_old_program_let_pass_is_refused(notes, nvocab, why) -> None:
    with pytest.raises(ConfigError, match=why):
        noteToSequence(notes, nvocab)
