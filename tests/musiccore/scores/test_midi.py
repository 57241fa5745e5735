"""MIDI files, written by hand here: exact times, and one clear error for every bad file."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import mido
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi import read_midi, write_midi
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

END = b"\x00\xff\x2f\x00"
LONG = bytes([0, 0x90, 60, 90, 0xFF, 0xFF, 0xFF, 0x7F, 0x80, 60, 0]) + END  # 2**28 ticks


def tempo(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def midi_file(
    *tracks: bytes, division: int = 96, format: int = 1, said: int | None = None
) -> bytes:
    number = len(tracks) if said is None else said
    header = b"MThd" + struct.pack(">IHHH", 6, format, number, division)
    return header + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def quarter(pitch: int, channel: int = 0) -> bytes:
    return bytes([0, 0x90 | channel, pitch, 90, 96, 0x80 | channel, pitch, 0])


def heard(data: bytes) -> list[tuple[int, float, float]]:
    return [(note.pitch, note.onset, note.duration) for note in read_midi(data).sounding()]


# ------------------------------------------------------------------------------------------ times


def test_tempo_changes_are_followed() -> None:
    marks = b"\x00" + tempo(1_000_000) + b"\x81\x40" + tempo(250_000) + END  # after two quarters
    tune = quarter(60) + quarter(62) + quarter(64) + quarter(65) + END
    assert heard(midi_file(marks, tune)) == [
        (60, 0.0, 1.0),
        (62, 1.0, 1.0),
        (64, 2.0, 0.25),
        (65, 2.25, 0.25),
    ]


def test_tempo_is_120_where_none_is_said() -> None:
    assert heard(midi_file(quarter(60) + END)) == [(60, 0.0, 0.5)]


@pytest.mark.parametrize(
    ("frames", "ticks", "seconds"),
    [(24, 4, 1.0), (25, 40, 0.096), (30, 80, 0.04), (29, 80, 0.04004)],
)
def test_time_may_be_counted_in_frames(frames, ticks, seconds) -> None:
    """96 ticks; the tempo in the file means nothing then."""
    track = b"\x00" + tempo(123_456) + quarter(60) + END
    (note,) = heard(midi_file(track, division=(256 - frames) << 8 | ticks))
    assert note == pytest.approx((60, 0.0, seconds))


# ------------------------------------------------------------------------------------------ notes


def test_drums_are_a_part_of_their_own() -> None:
    track = bytes([0, 0x99, 38, 90]) + quarter(60) + bytes([0, 0x89, 38, 0]) + END
    piano, drums = read_midi(midi_file(track, format=0)).parts
    assert (piano.is_drums, drums.is_drums) == (False, True)
    assert [note.pitch for note in drums.notes] == [38]


def test_running_status_and_silent_note_on_end_a_note() -> None:
    track = bytes([0, 0x90, 60, 90, 96, 60, 0, 0, 64, 90, 96, 64, 0]) + END
    assert heard(midi_file(track)) == [(60, 0.0, 0.5), (64, 0.5, 0.5)]


def test_of_equal_notes_the_first_to_begin_ends_first() -> None:
    off_after_on = bytes([0, 0x90, 60, 9, 96, 0x90, 60, 9, 0, 0x80, 60, 0, 96, 0x80, 60, 0]) + END
    assert heard(midi_file(off_after_on)) == [(60, 0.0, 0.5), (60, 0.5, 0.5)]


def test_note_that_never_ends_ends_with_its_track() -> None:
    track = bytes([0, 0x90, 72, 90]) + quarter(60) + END
    assert (72, 0.0, 0.5) in heard(midi_file(track))


def test_note_of_no_length_is_kept() -> None:
    track = bytes([5, 0x90, 60, 90, 0, 0x80, 60, 0]) + quarter(64) + END
    assert [(n.start, n.duration) for n in read_midi(midi_file(track)).parts[0].notes] == [
        (5, 0),
        (5, 96),
    ]


def test_program_of_a_setup_track_counts_for_its_channel() -> None:
    setup = bytes([0, 0xC3, 40]) + END
    score = read_midi(midi_file(setup, quarter(60, channel=3) + END))
    assert {note.program for note in score.sounding()} == {40}
    assert read_midi(write_midi(score)) == score


def test_bank_is_chosen_before_the_program() -> None:
    track = bytes([0, 0xB0, 7, 99, 0, 0xB0, 0, 1, 0, 0xB0, 32, 2, 0, 0xC0, 5]) + quarter(60) + END
    written = mido.MidiFile(file=io.BytesIO(write_midi(read_midi(midi_file(track)))))
    kinds = [message.type for message in written.tracks[0]][:5]
    assert kinds == ["control_change"] * 3 + ["program_change", "note_on"]


def test_system_messages_and_strange_keys_are_passed_over() -> None:
    other = (
        b"\x00\xff\x03\x04name"  # a name
        b"\x00\xf0\x03\x01\x02\xf7"  # system exclusive
        b"\x00\xff\x59\x02\x09\x05"  # a key with nine sharps
        b"\x00\xff\x7f\x02\x01\x02\x00\xff\x54\x01\x00"
    )
    wrapped = midi_file(other + quarter(60) + END)
    assert heard(wrapped) == [(60, 0.0, 0.5)]
    assert read_midi(wrapped).name == "name"
    info = b"LIST" + struct.pack("<I", 3) + b"abc\x00"
    inside = b"RMID" + info + b"data" + struct.pack("<I", len(wrapped)) + wrapped
    assert heard(b"RIFF" + struct.pack("<I", len(inside)) + inside) == [(60, 0.0, 0.5)]


def test_many_tracks_are_read() -> None:
    score = read_midi(midi_file(*[quarter(60) + END] * 129))
    assert (len(score.parts), score.parts[-1].track) == (129, 128)


def test_single_sequence_of_format_2_is_read() -> None:
    assert heard(midi_file(quarter(60) + END, format=2)) == [(60, 0.0, 0.5)]


def test_text_is_utf8_or_latin1() -> None:
    words = "\x00\xff\x05\x04".encode("latin-1") + "ğü".encode() + b"\x00\xff\x05\x02\xe9a"
    score = read_midi(midi_file(END, words + quarter(60) + END))
    assert [word.text for word in score.parts[0].words] == ["ğü", "éa"]
    assert read_midi(write_midi(score)) == score


# -------------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin"),
        (b"hello, I am no score", "does not begin"),
        (b"RIFF\x00\x00\x00\x00RMIDxxxx", "holds no data"),
        (b"MThd\x00\x00\x00\x06\x00", "within its header"),
        (midi_file(quarter(60) + END, division=0), "no ticks"),
        (midi_file(quarter(60) + END, division=0x8000), "is no time"),
        (midi_file(quarter(60) + END, division=(256 - 17) << 8 | 4), "is no time"),
        (midi_file(quarter(60) + END, END, format=2), "format 2"),
        (midi_file(), "holds no tracks"),
        (midi_file(*[END] * 1025), "more than 1024 tracks"),
        (midi_file(b"\x00\x40\x40"), "track 0: the event at its byte 1 has no kind"),
        (midi_file(b"\x00\x90\x90\x40"), "damaged"),
        (midi_file(b"\x00\xf4\x00"), "begins no event"),
        (midi_file(b"\xff\xff\xff\xff\xff"), "too long"),
        (midi_file(b"\x00\x90"), "cut short within an event"),
        (midi_file(b"\x00"), "cut short within an event"),
        (midi_file(b"\x00\xff\x01\x7fabc"), "cut short within an event"),
        (midi_file(LONG), "quarter notes, more than the limit"),
        (midi_file(LONG, division=4800), "s, more than the limit of 21600 s"),
        (midi_file(b"\x00" + tempo(1) + LONG), "quarter notes, more than the limit"),
    ],
)
def test_bad_file_is_one_clear_error(data, why) -> None:
    refused(data, why)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: midi_file(b"\x00\x90\x3c\x40" + b"\x00\x3c\x40" * 1_000_000), "1000000 events"),
        (lambda: midi_file(b"\xff" * (10 << 20)), "too long"),
        (lambda: bytes(17 << 20), "more than the limit of 16777216"),
        (lambda: random.Random(1).randbytes(10 << 20), "does not begin"),
        (lambda: midi_file(random.Random(2).randbytes(10 << 20)), "cannot be read"),
    ],
)
def test_large_bad_file_is_one_clear_error(make, why) -> None:
    refused(make(), why)


def refused(data: bytes, why: str) -> None:
    """Refuse it in one line."""
    with pytest.raises(AudioError, match=why) as caught:
        read_midi(data)
    assert "\n" not in caught.value.message


def test_error_names_the_file(tmp_path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"no")
    for name, why in (("missing.mid", "No such file"), ("bad.mid", "begin"), (".", "folder")):
        with pytest.raises(AudioError, match=f"{name}.*{why}"):
            read_midi(tmp_path / name if name != "." else Path("."))


def test_damaged_bytes_end_in_a_score_or_in_one_error() -> None:
    whole = bytearray(midi_file(b"\x00" + tempo(400_000) + END, quarter(60) * 200 + END))
    generator = random.Random(3)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(30):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            score = read_midi(bytes(damaged))
        except AudioError:
            continue
        assert read_midi(write_midi(score)) == score


# --------------------------------------------------------------------------------------- round trip

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TICKS = st.integers(0, 5000)
WORDS = st.builds(
    Words,
    tick=TICKS,
    kind=st.sampled_from(["text", "copyright", "lyrics", "marker", "cue_marker"]),
    text=TEXT,
)
VALUE = st.integers(0, 127)
CONTROL = st.one_of(
    st.builds(
        Control, tick=TICKS, kind=st.sampled_from([0xA, 0xB, 0xE]), data=st.tuples(VALUE, VALUE)
    ),
    st.builds(
        Control,
        tick=st.integers(1, 5000),
        kind=st.sampled_from([0xC, 0xD]),
        data=st.tuples(VALUE),
    ),
)
NOTE = st.builds(
    ScoreNote,
    start=TICKS,
    duration=st.integers(0, 400),
    pitch=VALUE,
    velocity=st.integers(1, 127),
)


def by_tick(items):
    return tuple(sorted(items, key=lambda item: item.tick))


def in_order(notes: list[ScoreNote]) -> tuple[ScoreNote, ...]:
    """Sorted notes of which no two of a pitch overlap."""
    kept: dict[int, list[ScoreNote]] = {}
    for note in sorted(notes, key=lambda n: (n.start, n.pitch, n.duration, n.velocity)):
        line = kept.setdefault(note.pitch, [])
        if not line or line[-1].end <= note.start:
            line.append(note)
    found = [note for line in kept.values() for note in line]
    return tuple(sorted(found, key=lambda n: (n.start, n.pitch, n.duration, n.velocity)))


@st.composite
def scores(draw) -> Score:
    places = draw(
        st.lists(
            st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 15)),
            unique=True,
            max_size=5,
        )
    )
    parts = [
        Part(
            notes=in_order(draw(st.lists(NOTE, max_size=12))),
            program=draw(VALUE),
            channel=channel,
            name=draw(TEXT),
            controls=by_tick(draw(st.lists(CONTROL, max_size=4))),
            words=by_tick(draw(st.lists(WORDS, max_size=3))),
            track=track,
            port=port,
        )
        for track, port, channel in sorted(places)
    ]
    return Score(
        ticks_per_quarter=draw(st.integers(1, 0x7FFF)),
        parts=tuple(parts),
        tempos=by_tick(
            draw(
                st.lists(
                    st.builds(Tempo, tick=TICKS, microseconds=st.integers(1, 200_000)),
                    unique=True,
                    max_size=4,
                )
            )
        ),
        meters=by_tick(
            draw(
                st.lists(
                    st.builds(
                        Meter,
                        tick=TICKS,
                        numerator=st.integers(1, 255),
                        denominator=st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]),
                    ),
                    unique=True,
                    max_size=3,
                )
            )
        ),
        keys=by_tick(
            draw(
                st.lists(
                    st.builds(
                        KeySignature,
                        tick=TICKS,
                        sharps=st.integers(-7, 7),
                        mode=st.sampled_from(["major", "minor"]),
                    ),
                    unique=True,
                    max_size=3,
                )
            )
        ),
        words=by_tick(draw(st.lists(WORDS, max_size=3))),
        name=draw(TEXT),
    )


@given(scores())
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_what_is_read(score) -> None:
    assert read_midi(write_midi(score)) == score


def test_file_of_another_program_keeps_every_note(tmp_path) -> None:
    generator = random.Random(4)
    made = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=97)
    wanted = set()
    for number, (program, drums) in enumerate(((0, False), (40, False), (0, True))):
        instrument = pretty_midi.Instrument(program=program, is_drum=drums, name=f"part {number}")
        for n in range(40):
            pitch, velocity = generator.randrange(30, 90), generator.randrange(1, 128)
            start, length = n * 240 + generator.randrange(200), generator.randrange(1, 40)
            begin, end = made.tick_to_time(start), made.tick_to_time(start + length)
            instrument.notes.append(pretty_midi.Note(velocity, pitch, begin, end))
            wanted.add((start, length, pitch, velocity, program, drums))
        made.instruments.append(instrument)
    made.write(str(tmp_path / "a.mid"))
    score = read_midi(tmp_path / "a.mid")
    found = {
        (n.start, n.duration, n.pitch, n.velocity, part.program, part.is_drums)
        for part in score.parts
        for n in part.notes
    }
    assert found == wanted
    assert [part.name for part in score.parts] == ["part 0", "part 1", "part 2"]
    assert read_midi(write_midi(score)) == score


def test_other_programs_read_what_is_written(tmp_path) -> None:
    notes = tuple(ScoreNote(start=96 * n, duration=96, pitch=60 + n, velocity=50) for n in range(8))
    score = Score(
        ticks_per_quarter=96,
        parts=(
            Part(notes=notes, program=40, name="Viola", track=1),
            Part(notes=notes, channel=9, track=2),
        ),
        tempos=(Tempo(tick=0, microseconds=600_000),),
        meters=(Meter(tick=0, numerator=3, denominator=4),),
    )
    (tmp_path / "a.mid").write_bytes(write_midi(score))
    other = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid"))
    viola, drums = other.instruments
    assert (viola.name, viola.program, drums.is_drum) == ("Viola", 40, True)
    assert [note.start for note in viola.notes] == pytest.approx([0.6 * n for n in range(8)])


def test_parts_that_share_a_channel_stay_apart() -> None:
    notes = (ScoreNote(start=0, duration=9, pitch=60),)
    score = Score(ticks_per_quarter=96, parts=(Part(notes=notes), Part(notes=notes, name="b")))
    assert [part.name for part in read_midi(write_midi(score)).parts] == ["", "b"]


def test_silence_of_hours_is_written() -> None:
    """A single step of time holds 2**28 - 1 ticks."""
    late = ScoreNote(start=1 << 29, duration=1, pitch=60)
    score = Score(ticks_per_quarter=0x7FFF, parts=(Part(notes=(late,), track=1),))
    assert read_midi(write_midi(score)) == score


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"meters": (Meter(tick=9, numerator=0, denominator=4),)}, "meter at tick 9 is 0/4"),
        ({"meters": (Meter(tick=0, numerator=4, denominator=3),)}, "meter at tick 0 is 4/3"),
        ({"keys": (KeySignature(tick=0, sharps=8),)}, "key at tick 0 has 8 sharps"),
    ],
)
def test_meter_or_key_that_the_reader_would_not_take_is_refused(wrong, why) -> None:
    with pytest.raises(ConfigError, match=why):
        write_midi(Score(ticks_per_quarter=96, parts=(), **wrong))


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (Part(notes=(ScoreNote(start=0, duration=1, pitch=128),)), "MIDI cannot hold it"),
        (Part(notes=(ScoreNote(start=-1, duration=1, pitch=60),)), "MIDI cannot hold it"),
        (Part(notes=(ScoreNote(start=0, duration=-1, pitch=60),)), "duration -1"),
        (Part(notes=(ScoreNote(start=0, duration=1, pitch=60, velocity=0),)), "velocity 0"),
        (Part(notes=(), program=128), "MIDI cannot hold it"),
        (Part(notes=(), channel=16), "MIDI cannot hold it"),
        (Part(notes=(), controls=(Control(tick=0, kind=0x9, data=(1, 2)),)), "no message"),
        (Part(notes=(), controls=(Control(tick=0, kind=0xB, data=(1, 200)),)), "outside 0 to 127"),
        (Part(notes=(), words=(Words(tick=0, kind="shout", text="a"),)), "'shout'"),
    ],
)
def test_what_midi_cannot_hold_is_refused(part, why) -> None:
    with pytest.raises(ConfigError, match=why):
        write_midi(Score(ticks_per_quarter=96, parts=(part,)))
