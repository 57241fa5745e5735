"""Event tokens and grids: what is on the grid comes back exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.score import (
    Control,
    KeySignature,
    Meter,
    Part,
    Score,
    ScoreNote,
    Tempo,
    Words,
)
from musiccore.scores.tokens import (
    HOLD,
    REST,
    EventVocabulary,
    Grid,
    GridVoice,
    TokenFile,
    TokenPiece,
    decode_events,
    decode_grid,
    dump_tokens,
    encode_events,
    encode_grid,
    load_tokens,
    on_grid,
)

TICKS = st.integers(0, 2000)
VALUE = st.integers(0, 127)
NOTES = st.lists(
    st.builds(
        ScoreNote,
        start=TICKS,
        duration=st.integers(0, 900),
        pitch=VALUE,
        velocity=st.integers(1, 127),
    ),
    max_size=12,
)


def by_tick(strategy):
    return st.lists(strategy, max_size=4, unique_by=lambda item: item.tick).map(
        lambda items: tuple(sorted(items, key=lambda item: item.tick))
    )


PARTS = st.builds(
    Part,
    notes=NOTES.map(
        lambda notes: tuple(sorted(notes, key=lambda n: (n.start, n.pitch, n.duration, n.velocity)))
    ),
    program=VALUE,
    channel=st.sampled_from([0, 3, 9]),
    controls=by_tick(st.builds(Control, tick=TICKS, kind=st.just(0xC), data=st.tuples(VALUE))),
)
SCORES = st.builds(
    Score,
    ticks_per_quarter=st.sampled_from([1, 24, 96, 480, 1001]),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    tempos=by_tick(st.builds(Tempo, tick=TICKS, microseconds=st.integers(1, (1 << 24) - 1))),
    meters=by_tick(
        st.builds(
            Meter,
            tick=TICKS,
            numerator=st.integers(1, 255),
            denominator=st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]),
        )
    ),
    keys=by_tick(
        st.builds(
            KeySignature,
            tick=TICKS,
            sharps=st.integers(-7, 7),
            mode=st.sampled_from(["major", "minor"]),
        )
    ),
)


def tune(*pitches: int, ticks: int = 96) -> Score:
    notes = tuple(
        ScoreNote(start=ticks * n, duration=ticks, pitch=pitch) for n, pitch in enumerate(pitches)
    )
    return Score(ticks_per_quarter=96, parts=(Part(notes=notes),))


@given(SCORES)
@settings(max_examples=100, deadline=None)
def test_events_give_back_everything_on_the_grid(score) -> None:
    vocabulary = EventVocabulary()
    tokens = encode_events(score)
    assert decode_events(vocabulary.decode(vocabulary.encode(tokens))) == on_grid(score)


@given(SCORES)
@settings(max_examples=50, deadline=None)
def test_grid_of_24ths_is_reached_once(score) -> None:
    once = on_grid(score)
    assert on_grid(once) == once
    assert once.n_notes == score.n_notes


def test_events_read_like_music() -> None:
    notes = (
        ScoreNote(start=0, duration=480, pitch=60),
        ScoreNote(start=960, duration=3840, pitch=38),
    )
    score = Score(
        ticks_per_quarter=480,
        parts=(Part(notes=notes[:1], program=40), Part(notes=notes[1:], channel=9)),
        tempos=(Tempo(tick=0, microseconds=500_000), Tempo(tick=480, microseconds=512_345)),
        meters=(Meter(tick=0, numerator=2, denominator=4),),
        words=(Words(tick=0, kind="text", text="left out"),),
    )
    assert " ".join(encode_events(score)) == (
        "Part_0 Program_40 Part_1 Drums Program_0 "
        "Bar Beats_2 Unit_4 Position_0 Tempo_120 Part_0 Pitch_60 Velocity_80 Duration_24 "
        "Position_24 Tempo_117 Byte_7 Byte_209 Byte_89 "
        "Bar Position_0 Part_1 Pitch_38 Velocity_80 Long Duration_0 Bar Bar Bar End"
    )


def test_meter_that_cuts_a_bar_short_begins_a_bar() -> None:
    score = replace(
        tune(60, 62, 64, 65),
        meters=(
            Meter(tick=0, numerator=4, denominator=4),
            Meter(tick=96, numerator=3, denominator=4),
        ),
    )
    tokens = encode_events(score)
    assert tokens[tokens.index("Bar", 5) - 1] == "Position_24"
    assert list(decode_events(tokens).bars()) == [tick // 4 for tick in score.bars()]


@pytest.mark.parametrize(
    ("tokens", "why"),
    [
        ("Hello", "token 0 is 'Hello', which is none of this vocabulary"),
        ("Part_1 Program_0", "token 0 is 'Part_1': part 0 comes first"),
        ("Part_0 Bar", "token 1 is 'Bar': a Program has to follow here"),
        ("Part_0 Program_0 Position_0", "token 2 is 'Position_0': no bar has begun"),
        ("Bar Part_0 Pitch_60", "token 1 is 'Part_0': the piece has 0 parts"),
        ("Part_0 Program_0 Bar Part_0 Pitch_60", "token 5 is the end: a Velocity has to follow"),
        ("Bar Velocity_3", "token 1 is 'Velocity_3': nothing like it"),
        ("Bar Tempo_90 Byte_0 Byte_0 Byte_0", "token 4 is 'Byte_0': a tempo is never 0"),
        ("Bar Long Bar", "token 2 is 'Bar': a Position has to follow"),
    ],
)
def test_events_that_make_no_sense_are_refused(tokens, why) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_events(tokens.split())
    assert caught.value.message.startswith(why)


def test_ids_and_strings_are_inverse() -> None:
    vocabulary = EventVocabulary()
    ids = list(range(len(vocabulary.strings)))
    assert vocabulary.encode(vocabulary.decode(ids)) == ids
    with pytest.raises(ConfigError, match="token 0 is 99999, want 0 to"):
        vocabulary.decode([99999])


def test_129_parts_are_too_many_for_events() -> None:
    many = Score(ticks_per_quarter=96, parts=(Part(notes=()),) * 129)
    with pytest.raises(ConfigError, match="129 parts"):
        encode_events(many)


# ------------------------------------------------------------------------------------------- grid


def test_grid_marks_what_begins_holds_and_rests() -> None:
    score = Score(
        ticks_per_quarter=96,
        parts=(
            Part(
                notes=(
                    ScoreNote(start=0, duration=96, pitch=60),
                    ScoreNote(start=0, duration=48, pitch=64),
                    ScoreNote(start=144, duration=24, pitch=62),
                )
            ),
        ),
    )
    grid = encode_grid(score, 4)
    assert grid.cells.tolist() == [
        [64, HOLD, REST, REST, REST, REST, 62],
        [60, HOLD, HOLD, HOLD, REST, REST, REST],
    ]
    assert [voice.part for voice in grid.voices] == [0, 0]


@given(SCORES, st.sampled_from([1, 2, 4]))
@settings(max_examples=60, deadline=None)
def test_grid_gives_back_every_note_at_the_nearest_step(score, per_quarter) -> None:
    grid = encode_grid(score, per_quarter)

    def at(tick: int) -> int:
        return int(tick * per_quarter / score.ticks_per_quarter + 0.5)

    expected = sorted(
        (n, at(note.start), max(at(note.end), at(note.start) + 1), note.pitch)
        for n, part in enumerate(score.parts)
        for note in part.notes
    )
    numbers = sorted({voice.part for voice in grid.voices})
    found = sorted(
        (n, note.start, note.end, note.pitch)
        for n, part in zip(numbers, decode_grid(grid).parts, strict=True)
        for note in part.notes
    )
    assert found == expected


def test_grid_that_is_no_grid_is_refused() -> None:
    cells = np.array([[60, 130]], dtype=np.int16)
    with pytest.raises(ConfigError, match="outside 0 to 129"):
        Grid(cells=cells, voices=(GridVoice(part=0),), per_quarter=4)
    with pytest.raises(ConfigError, match="want 1, 2 or 4"):
        Grid(cells=cells[:, :1], voices=(GridVoice(part=0),), per_quarter=3)
    with pytest.raises(ConfigError, match="0 voices"):
        Grid(cells=cells[:, :1], voices=(), per_quarter=4)


def test_grid_of_too_many_cells_is_refused() -> None:
    note = ScoreNote(start=0, duration=96 * 200_000, pitch=60)
    chord = tuple(replace(note, pitch=n) for n in range(30))
    with pytest.raises(ConfigError, match="30 voices and 800000 steps"):
        encode_grid(Score(ticks_per_quarter=96, parts=(Part(notes=chord),)))


# ------------------------------------------------------------------------------------------ files


def test_file_of_tokens_comes_back() -> None:
    tokens = TokenFile(
        form="seed",
        vocabulary=["0.4.7", "C4"],
        pieces=[TokenPiece(name="ğ.mid", rows=[[0, 1], []])],
    )
    back = load_tokens(dump_tokens(tokens))
    assert back == tokens
    assert back.strings(back.pieces[0]) == [["0.4.7", "C4"], []]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is no file of tokens: it: Invalid JSON"),
        (b"{}", "is no file of tokens: form: Field required"),
        (
            b'{"form":"seed","vocabulary":["C4"],"pieces":[{"name":"a","rows":[[1]]}]}',
            "piece 'a' has the id 1, and the vocabulary ends at 0",
        ),
        (b'{"form":"seed","vocabulary":[],"pieces":[{"name":"a","rows":[[-1]]}]}', "pieces.0.rows"),
    ],
)
def test_damaged_file_of_tokens_is_one_clear_error(data, why) -> None:
    with pytest.raises(AudioError) as caught:
        load_tokens(data)
    assert why in caught.value.message
