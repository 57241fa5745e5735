"""Scores changed for a performance."""

from __future__ import annotations

import pytest

from musiccore.errors import ConfigError
from musiccore.scores.arrange import read_to_play, with_program, with_tempo
from musiccore.scores.score import DRUM_CHANNEL, Control, Part, Score, ScoreNote, Tempo
from musiccore.synth.programs import program_of

NOTES = (ScoreNote(start=0, duration=480, pitch=60), ScoreNote(start=480, duration=480, pitch=62))


def test_tempo_scales_every_tempo_and_the_silent_default() -> None:
    part = Part(notes=NOTES)
    plain = Score(ticks_per_quarter=480, parts=(part,))
    assert with_tempo(plain, 2.0).seconds == pytest.approx(0.5)
    later = Score(
        ticks_per_quarter=480, parts=(part,), tempos=(Tempo(tick=480, microseconds=1_000_000),)
    )
    assert with_tempo(later, 0.5).seconds == pytest.approx(2 * later.seconds)
    assert with_tempo(later, 1.0) == later


@pytest.mark.parametrize("factor", [0.0, -1.0, 21.0, float("nan")])
def test_tempo_out_of_range_is_refused(factor) -> None:
    with pytest.raises(ConfigError, match="tempo_scale"):
        with_tempo(Score(ticks_per_quarter=480, parts=()), factor)


def test_tempo_that_no_file_holds_is_refused() -> None:
    slow = Score(ticks_per_quarter=480, parts=(), tempos=(Tempo(tick=0, microseconds=16_000_000),))
    with pytest.raises(ConfigError, match="a tempo of the score would be out of range"):
        with_tempo(slow, 0.5)


def test_one_instrument_for_all_but_percussion() -> None:
    change = Control(tick=480, kind=0xC, data=(40,))
    pedal = Control(tick=480, kind=0xB, data=(64, 127))
    part = Part(notes=NOTES, program=5, controls=(change, pedal))
    drums = Part(notes=NOTES, channel=DRUM_CHANNEL)
    changed = with_program(Score(ticks_per_quarter=480, parts=(part, drums)), 19)
    assert {note.program for note in changed.sounding() if not note.is_drums} == {19}
    assert changed.parts[0].controls == (pedal,)
    assert changed.parts[1] == drums
    with pytest.raises(ConfigError, match="program is 128"):
        with_program(changed, 128)


def test_program_is_a_number_or_a_family() -> None:
    assert (program_of("0"), program_of("127"), program_of(" Organ ")) == (0, 127, 16)
    for wrong in ("128", "-1", "kazoo", ""):
        with pytest.raises(ConfigError, match="program"):
            program_of(wrong)


def test_no_such_piece_is_said(tmp_path) -> None:
    with pytest.raises(ConfigError, match="neither a file nor a piece"):
        read_to_play("nothing of that name")
