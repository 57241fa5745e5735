"""Melodies written down: which notes, when, how loud; nothing where nothing sounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from musiccore.audio.sound import Audio
from musiccore.errors import AudioError
from musiccore.scores.arrange import read_to_play, with_program
from musiccore.scores.score import Part, Score, ScoreNote, Tempo
from musiccore.scores.transcribe import note_f1, transcribe
from musiccore.synth.player import Player, perform
from musiccore.synth.soundfonts import package_folder

RATE = 22_050
TUNE = (
    (0, 67), (1, 65), (2, 69), (3, 71), (4, 72), (6, 71), (7, 69), (8, 67), (9, 74), (10, 72),
    (11, 71), (12, 69), (13, 62), (14, 67),
)  # fmt: skip


def _melody(program: int = 0, *, octave: int = 0, soft: int = 45) -> Score:
    """Eighth notes of 0.4 s; every other one is soft."""
    starts = [start for start, _ in TUNE] + [16]
    notes = tuple(
        ScoreNote(
            start=240 * start,
            duration=240 * (starts[n + 1] - start),
            pitch=pitch + 12 * octave,
            velocity=100 if n % 2 == 0 else soft,
        )
        for n, (start, pitch) in enumerate(TUNE)
    )
    tempos = (Tempo(tick=0, microseconds=800_000),)
    part = Part(notes=notes, program=program)
    return Score(ticks_per_quarter=480, parts=(part,), tempos=tempos)


def test_piano_is_found_note_for_note(player: Player) -> None:
    score = _melody()
    assert note_f1(score, transcribe(player.perform(score, sample_rate=RATE))) == 1.0


@pytest.mark.parametrize("program", [73, 48])
def test_notes_of_sustained_instruments_are_found(program) -> None:
    score = _melody(program, soft=90)
    found = transcribe(perform(score, sample_rate=RATE), program=program)
    assert note_f1(score, found) >= 0.9
    assert found.parts[0].program == program


def test_octave_is_right_high_and_low() -> None:
    for octave in (-1, 1):
        score = _melody(octave=octave)
        assert note_f1(score, transcribe(perform(score, sample_rate=RATE))) > 0.9


def test_loud_notes_are_loud_and_the_tempo_is_near() -> None:
    found = transcribe(perform(_melody(), sample_rate=RATE))
    velocities = [note.velocity for note in found.sounding()]
    assert min(velocities[::2]) > max(velocities[1::2])
    tempo = 60e6 / found.tempos[0].microseconds
    assert min(abs(tempo / 75.0 - ratio) for ratio in (0.5, 1.0, 2.0)) < 0.03


def test_seams_between_pieces_are_not_heard() -> None:
    """A tune that lasts longer than what is looked at in one piece."""
    score = _melody()
    long = replace(score, parts=(replace(score.parts[0], notes=tuple(
        replace(note, start=note.start + 16 * 240 * turn)
        for turn in range(5) for note in score.parts[0].notes
    )),))  # fmt: skip
    assert note_f1(long, transcribe(perform(long, sample_rate=RATE))) > 0.98


def test_silence_and_noise_hold_no_melody() -> None:
    silence = Audio(samples=np.zeros((1, RATE), dtype=np.float32), sample_rate=RATE)
    assert transcribe(silence).n_notes == 0
    draws = np.random.default_rng(0).standard_normal((2, RATE)) * 0.1
    noise = Audio(samples=draws.astype(np.float32), sample_rate=RATE)
    assert transcribe(noise).n_notes <= 2


def test_too_short_a_clip_is_said() -> None:
    clip = Audio(samples=np.zeros((1, 100), dtype=np.float32), sample_rate=RATE)
    with pytest.raises(AudioError, match="too short"):
        transcribe(clip)


def test_f1_counts_each_note_once() -> None:
    score = _melody()
    assert note_f1(score, score) == 1.0
    part = score.parts[0]
    doubled = replace(score, parts=(part, part))
    assert note_f1(score, doubled) == pytest.approx(2 / 3)
    late = replace(score, tempos=(Tempo(tick=0, microseconds=900_000),))
    assert note_f1(score, late) < 0.2
    assert note_f1(replace(score, parts=()), replace(score, parts=())) == 1.0


def _named(player: str) -> Player:
    if player == "own":
        return Player()
    (font,) = package_folder("pretty_midi").glob(f"{player}.sf2")
    return Player.find("fluidsynth", soundfont=font)


@pytest.mark.slow
@pytest.mark.programs("fluidsynth", "pretty_midi")
@pytest.mark.parametrize(
    ("named", "program", "least"),
    [
        *(("own", program, 0.85) for program in (0, 24, 11, 73, 71, 68, 40, 56, 48, 52, 19)),
        *(("TimGM6mb", program, 0.85) for program in (0, 24, 11, 73, 71)),
        *(("TimGM6mb", program, 0.45) for program in (68, 40, 56, 48, 52)),
    ],
)
def test_sopranos_of_chorales_are_found(named, program, least) -> None:
    """The table of docs/midi.md."""
    for name in ("bwv66.6", "bwv269", "bwv281"):
        score = read_to_play(name)
        soprano = score.parts[0]
        notes = tuple(note for note in soprano.notes if score.seconds_at(note.end) < 24.0)
        score = with_program(replace(score, parts=(replace(soprano, notes=notes),)), program)
        found = transcribe(_named(named).perform(score, sample_rate=RATE))
        value = note_f1(score, found)
        print(f"{named} {program} {name} {value:.2f}")  # noqa: T201
        assert value >= least
