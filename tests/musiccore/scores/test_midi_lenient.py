"""MIDI files that break the specification and that every player plays; bytes written by hand."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi import read_midi, write_midi
from musiccore.scores.score import Part, Reading, Score, ScoreNote, Words
from musiccore.scores.textcode import TextCode

END = b"\x00\xff\x2f\x00"
LYRIC = b"\x00\xff\x05\x02la"
EXCLUSIVE = b"\x00\xf0\x02\x01\xf7"


def header(tracks: int, *, format: int = 1, length: int = 6, division: int = 96) -> bytes:
    return b"MThd" + struct.pack(">IHHH", length, format, tracks, division)


def track(content: bytes, *, longer: int = 0, name: bytes = b"MTrk") -> bytes:
    return name + struct.pack(">I", len(content) + longer) + content


def quarter(pitch: int, channel: int = 0) -> bytes:
    return bytes([0, 0x90 | channel, pitch, 90, 96, 0x80 | channel, pitch, 0])


def text(kind: int, data: bytes) -> bytes:
    return bytes([0, 0xFF, kind, len(data)]) + data


def riff(*chunks: bytes, form: bytes = b"RMID") -> bytes:
    inside = form + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(inside)) + inside


A, B = quarter(60), quarter(64)
BOTH = [(0, 96, 60), (96, 96, 64)]
WHOLE = header(1) + track(A + B + END)


STRICTLY = Reading(strict=True)


def notes(data: bytes) -> list[tuple[int, int, int]]:
    score = read_midi(data)
    return sorted((n.start, n.duration, n.pitch) for part in score.parts for n in part.notes)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (header(1) + track(b"\x00\x90\x3c\x5a" + LYRIC + b"\x60\x3c\x00" + B + END), "running"),
        (header(1) + track(b"\x00\x90\x3c\x5a" + EXCLUSIVE + b"\x60\x3c\x00" + B + END), "running"),
        (header(3) + track(A + B + END), "says 3 tracks, and 1 are there"),
        (header(1) + track(A + END) + track(b"\x60" + B[1:] + END), "says 1 tracks, and 2"),
        (header(2) + track(A + B + END) + track(b"alien", name=b"XFIH"), "says 2 tracks"),
        (header(1) + track(A + B + END, longer=7), "length that a track gives"),
        (header(1) + track(A + B + END, longer=-7), "length that a track gives"),
        (header(1) + track(A + B + END, longer=1 << 24), "length that a track gives"),
        (header(2) + track(A + END, longer=8) + track(b"\x60" + B[1:] + END), "length that a tr"),
        (header(2) + track(A + END, longer=-3) + track(b"\x60" + B[1:] + END), "length that a tr"),
        (header(2) + track(A + END, longer=20) + track(b"\x60" + B[1:] + END), "length that a tr"),
        (header(2) + track(A + END) + b"\0" + track(b"\x60" + B[1:] + END), "between its tracks"),
        (header(1) + track(A + B), ""),
        (header(1) + track(A + B, longer=4), "cut short"),
        (header(1) + track(A + B + b"\x60\x90\x3c", longer=9), "cut short"),
        (header(1) + track(A + B + b"\x00\xff\x03\x20name"), "cut short"),
        (header(1) + track(A + B + END + b"\x00\x90\x3c\x40"), "behind the end"),
        (header(1) + track(A + B + END + bytes(5)), ""),
        (header(1) + track(b"\x00\xff\x58\x04\x00\x02\x18\x08" + A + B + END), "meter"),
        (header(1) + track(b"\x00\xff\x58\x04\x04\xff\x18\x08" + A + B + END), "meter"),
        (header(1) + track(b"\x00\xff\x58\x01\x04" + A + B + END), "meter"),
        (header(1) + track(b"\x00\xff\x59\x02\x09\x05" + A + B + END), "key signature"),
        (header(1) + track(b"\x00\xff\x51\x03\x00\x00\x00" + A + B + END), "tempo"),
        (header(1) + track(b"\x00\xff\x51\x02\x01\x01" + A + B + END), "tempo"),
        (header(1) + track(b"\x00\x90\x3c\xc8\x60\x80\x3c\x00" + B + END), "above 127"),
        (header(1) + track(b"\x00\xb0\x07\xff" + A + B + END), "above 127"),
        (header(1) + track(b"\x00\xc0\x90" + A + B + END), "program above 127"),
        (header(1) + track(b"\x00\xf8" + A + b"\x00\xf2\x00\x00" + B + END), "on a cable"),
        (header(1, format=9) + track(A + B + END), "format 9 does not exist"),
        (header(1, format=0) + track(A + B + END), ""),
        (header(1, length=8) + b"\0\0" + track(A + B + END), ""),
        (header(1, length=99) + track(A + B + END), "length that its header gives"),
        (bytes(128) + WHOLE, "128 bytes before its header"),
        (riff(b"data" + struct.pack("<I", len(WHOLE)) + WHOLE), ""),
        (riff(b"data" + struct.pack("<I", 5) + WHOLE), "RIFF wrapping"),
        (riff(b"data" + struct.pack("<I", 1 << 30) + WHOLE), "RIFF wrapping"),
        (riff(b"data" + struct.pack("<I", len(WHOLE)) + WHOLE, b"LIST\4\0\0\0INFO"), ""),
        (riff(b"DISP\0\0\0\0", WHOLE), "RIFF wrapping"),
    ],
)
def test_what_players_play_is_read_and_said(data, said) -> None:
    assert notes(data) == BOTH
    warnings = read_midi(data).warnings
    assert [said in warning for warning in warnings] == [True] * bool(said)
    if warnings:
        with pytest.raises(AudioError, match="is refused, being strict"):
            read_midi(data, STRICTLY)
    else:
        assert read_midi(data, STRICTLY) == read_midi(data)
    assert read_midi(write_midi(read_midi(data)), STRICTLY) == read_midi(data)


WORDY = (
    header(2)
    + track(text(3, "はる".encode("cp932")) + b"\x00\xff\x51\x03\x07\xa1\x20" + END)
    + track(b"\x00\xff\x21\x01\x01" + A + LYRIC + EXCLUSIVE + B * 6 + END)
)


@given(
    st.lists(st.tuples(st.integers(0, len(WORDY) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(WORDY)),
    st.binary(max_size=12),
)
@settings(max_examples=300, deadline=None)
def test_hurt_bytes_end_in_a_score_or_in_one_error(changes, cut, more) -> None:
    hurt = bytearray(WORDY)
    for place, byte in changes:
        hurt[place] = byte
    with suppress(AudioError):
        score = read_midi(bytes(hurt[:cut] + more))
        again = read_midi(write_midi(score))
        assert again == score
        assert [odd for odd in again.warnings if "texts" not in odd] == []


def test_oddity_of_a_kind_is_said_once() -> None:
    odd = b"\x00\xff\x59\x02\x09\x05" * 50 + LYRIC
    assert len(read_midi(header(1) + track(odd + A + b"\x00\xf8" * 50 + END)).warnings) == 2


@pytest.mark.parametrize("damaged", [b"\x00\xc0", b"\x00\xff\x01\x7fabc", b"\x00\x90"])
def test_file_that_is_cut_before_anything_was_said_is_refused(damaged) -> None:
    with pytest.raises(AudioError, match="cut short"):
        read_midi(header(1) + track(damaged))


def test_many_tracks_of_wrong_length_are_read_in_time() -> None:
    """Each is searched for its end once: work grows with the file, not with its square."""
    data = header(1000) + track(quarter(60) + END, longer=-5) * 1000
    assert read_midi(data).n_notes == 1000


# ------------------------------------------------------------------------------------------- ports


def test_ports_keep_parts_apart() -> None:
    def part(port: int, pitch: int, program: int) -> bytes:
        return track(bytes([0, 0xFF, 0x21, 1, port, 0, 0xC0, program]) + quarter(pitch) + END)

    score = read_midi(header(2) + part(0, 60, 40) + part(1, 72, 73))
    assert [(p.port, p.channel, p.program) for p in score.parts] == [(0, 0, 40), (1, 0, 73)]
    assert {(n.pitch, n.program) for n in score.sounding()} == {(60, 40), (72, 73)}
    assert read_midi(write_midi(score)) == score


def test_program_of_another_port_is_not_ones_own() -> None:
    setup = track(b"\x00\xff\x21\x01\x01\x00\xc0\x28" + END)
    score = read_midi(header(2) + setup + track(quarter(60) + END))
    assert {note.program for note in score.sounding()} == {0}


def test_ports_may_change_within_a_track() -> None:
    both = b"\x00\xff\x21\x01\x02" + quarter(60) + b"\x00\xff\x21\x01\x00" + quarter(64)
    score = read_midi(header(1) + track(both + END))
    assert [(p.port, [n.pitch for n in p.notes]) for p in score.parts] == [(0, [64]), (2, [60])]
    assert read_midi(write_midi(score)) == score


# ------------------------------------------------------------------------------------------- texts

SONGS = {
    "cp932": ["春の歌", "はる", "の", "うた", "が"],
    "gb18030": ["月亮代表我的心", "你", "问", "模", "多"],
    "euc_kr": ["아리랑", "아리랑", "고개로", "넘어간다"],
    "cp1251": ["Катюша", "Рас", "цве", "та", "ли"],
}


def karaoke(name: str) -> bytes:
    title, *words = (word.encode(name) for word in SONGS[name])
    lines = b"".join(text(5, word) for word in words)
    return header(2) + track(text(3, title) + END) + track(lines + quarter(60) + END)


@pytest.mark.parametrize("name", SONGS)
def test_encoding_is_found_and_kept(name) -> None:
    score = read_midi(karaoke(name))
    assert [score.name, *(word.text for word in score.parts[0].words)] == SONGS[name]
    assert name in score.warnings[0]
    again = write_midi(score)
    assert all(word.encode(name) in again for word in SONGS[name])
    assert read_midi(again) == score


@pytest.mark.parametrize("name", SONGS)
def test_encoding_that_is_named_is_used_without_a_word(name) -> None:
    score = read_midi(karaoke(name), Reading(encoding=name))
    assert [score.name, *(word.text for word in score.parts[0].words)] == SONGS[name]
    assert score.warnings == ()


def test_texts_whose_encoding_is_not_clear_keep_their_bytes() -> None:
    for words in (b"\x82\xa0", b"F\xfcr Elise", b"\xff\xfe\x80\x81\x9d"):
        data = header(1) + track(text(1, words) + quarter(60) + END)
        score = read_midi(data)
        assert score.words[0].text == words.decode("latin-1")
        assert words in write_midi(score)


def test_unknown_encoding_is_refused() -> None:
    with pytest.raises(ConfigError, match="encoding: 'klingon' is no encoding of text"):
        Reading(encoding="klingon")
    with pytest.raises(ConfigError, match="'zip'"):
        Reading(encoding="zip")


@given(
    st.sampled_from(["utf-8", "latin-1", "cp932", "gb18030", "cp1251"]),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=5),
)
@settings(deadline=None)
def test_text_is_written_so_that_it_is_read_again(name, words) -> None:
    code = TextCode(name)
    for word in words:
        again = code.decode(code.encode(word))
        assert again == word or word.encode() == code.encode(word)


def test_score_made_here_is_written_in_utf8() -> None:
    words = (Words(tick=0, kind="lyrics", text="ğü はる"),)
    note = ScoreNote(start=0, duration=9, pitch=60)
    score = Score(ticks_per_quarter=96, parts=(Part(notes=(note,), words=words, track=1),))
    assert "ğü はる".encode() in write_midi(score)
