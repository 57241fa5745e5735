"""MIDI files, written by hand here: exact times, and one clear error for every bad file."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from musiccore.errors import AudioError
from musiccore.midi import read_midi

END = b"\x00\xff\x2f\x00"


def tempo(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def midi_file(*tracks: bytes, division: int = 96, format: int = 1) -> bytes:
    header = b"MThd" + struct.pack(">IHHH", 6, format, len(tracks), division)
    return header + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def notes_of(tmp_path: Path, data: bytes) -> list[tuple[int, float, float]]:
    path = tmp_path / "a.mid"
    path.write_bytes(data)
    return [(note.pitch, note.onset, note.duration) for note in read_midi(path)]


def quarter(pitch: int, channel: int = 0) -> bytes:
    return bytes([0, 0x90 | channel, pitch, 90, 96, 0x80 | channel, pitch, 0])


def test_tempo_changes_are_followed(tmp_path) -> None:
    marks = b"\x00" + tempo(1_000_000) + b"\x81\x40" + tempo(250_000) + END  # after two quarters
    tune = quarter(60) + quarter(62) + quarter(64) + quarter(65) + END
    assert notes_of(tmp_path, midi_file(marks, tune)) == [
        (60, 0.0, 1.0),
        (62, 1.0, 1.0),
        (64, 2.0, 0.25),
        (65, 2.25, 0.25),
    ]


def test_tempo_is_120_where_none_is_said(tmp_path) -> None:
    assert notes_of(tmp_path, midi_file(quarter(60) + END)) == [(60, 0.0, 0.5)]


def test_time_may_be_counted_in_frames(tmp_path) -> None:
    data = midi_file(quarter(60) + END, division=(256 - 24) << 8 | 4)  # 96 ticks a second
    assert notes_of(tmp_path, data) == [(60, 0.0, 1.0)]


def test_drums_of_the_same_track_are_left_out(tmp_path) -> None:
    track = bytes([0, 0x99, 38, 90]) + quarter(60) + bytes([0, 0x89, 38, 0]) + END
    assert notes_of(tmp_path, midi_file(track, format=0)) == [(60, 0.0, 0.5)]


def test_running_status_and_silent_note_on_end_a_note(tmp_path) -> None:
    track = bytes([0, 0x90, 60, 90, 96, 60, 0, 0, 64, 90, 96, 64, 0]) + END
    assert notes_of(tmp_path, midi_file(track)) == [(60, 0.0, 0.5), (64, 0.5, 0.5)]


def test_repeated_note_ends_before_it_begins_again(tmp_path) -> None:
    off_after_on = bytes([0, 0x90, 60, 9, 96, 0x90, 60, 9, 0, 0x80, 60, 0, 96, 0x80, 60, 0]) + END
    assert notes_of(tmp_path, midi_file(off_after_on)) == [(60, 0.0, 0.5), (60, 0.5, 0.5)]


def test_note_that_never_ends_ends_with_the_piece(tmp_path) -> None:
    track = bytes([0, 0x90, 72, 90]) + quarter(60) + END
    assert (72, 0.0, 0.5) in notes_of(tmp_path, midi_file(track))


def test_everything_else_is_passed_over(tmp_path) -> None:
    other = (
        b"\x00\xff\x03\x04name"  # a name
        b"\x00\xf0\x03\x01\x02\xf7"  # system exclusive
        b"\x00\xc0\x05\x00\xb0\x07\x64\x00\xe0\x00\x40\x00\xd0\x10\x00\xa0\x3c\x10"
    )
    wrapped = midi_file(other + quarter(60) + END)
    assert notes_of(tmp_path, wrapped) == [(60, 0.0, 0.5)]
    riff = b"RIFF" + struct.pack("<I", len(wrapped) + 12) + b"RMIDdata"
    assert notes_of(tmp_path, riff + struct.pack("<I", len(wrapped)) + wrapped) == [(60, 0.0, 0.5)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin"),
        (b"hello, I am no score", "does not begin"),
        (midi_file(quarter(60) + END)[:-6], "cut short"),
        (midi_file(quarter(60) + END, division=0), "no ticks"),
        (midi_file(quarter(60) + END, division=0x8000), "no time"),
        (midi_file(quarter(60) + END, format=2), "format 2"),
        (midi_file(b"\x00\x40\x40"), "no kind"),
        (midi_file(b"\x00\x90\x90\x40"), "damaged"),
        (midi_file(b"\xff\xff\xff\xff\xff"), "too long"),
        (midi_file(b"\x00\x90"), "damaged"),
        (midi_file(b"\x00"), "cannot be read"),
        (midi_file(END), "no notes"),
        (midi_file(bytes([0, 0x90, 60, 90, 0xFF, 0xFF, 0xFF, 0x7F, 0x80, 60, 0]) + END), "limit"),
    ],
)
def test_bad_file_is_one_clear_error(tmp_path, data, why) -> None:
    with pytest.raises(AudioError, match=why):
        notes_of(tmp_path, data)


def test_missing_file_is_an_error(tmp_path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        read_midi(tmp_path / "missing.mid")
