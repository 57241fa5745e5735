"""Scores of every kind through music21, in a process that may hang or die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi import read_midi, write_midi
from musiccore.scores.notation import (
    Music21,
    analyse_harmony,
    key_name,
    key_of,
    read_chorale,
    read_score,
    split_tunes,
    write_musicxml,
)
from musiccore.scores.notation.process import Refusal
from musiccore.scores.score import Meter, Part, Score, ScoreNote, Tempo, Words

ABC = """X:1
T:Reel
M:2/4
L:1/8
Q:1/4=90
K:D
|:DE FG|A2 A2|B2 d2:|
"""
# A note of 2**25 quarter notes: music21 cuts it into bars for longer than anyone waits.
HOSTILE = (
    b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x01MTrk\x00\x00\x00\x0f"
    b"\x00\x90\x3c\x40\x90\x80\x80\x00\x80\x3c\x00\x00\xff\x2f\x00"
)
CHORD = b'{"key": ["C", "major"], "chords": [[60, 64, 67]]}'
KRN = "**kern\n*M3/4\n*k[f#]\n4g\n4a\n4b\n2.dd\n*-\n"


@pytest.fixture(scope="module")
def music21():
    with Music21() as process:
        yield process


def quarters(score: Score) -> list[tuple[int, float, float, int]]:
    ticks = score.ticks_per_quarter
    return [
        (number, note.start / ticks, note.duration / ticks, note.pitch)
        for number, part in enumerate(score.parts)
        for note in part.notes
    ]


def test_chorale_has_the_notes_that_the_embedded_model_was_trained_on(music21) -> None:
    score = read_score("bwv66.6", music21=music21)
    piece = read_chorale("bwv66.6")
    assert sorted((onset, part, pitch) for part, onset, _, pitch in quarters(score)) == sorted(
        (note.onset, note.part, note.pitch) for note in piece.notes
    )
    assert [part.name for part in score.parts] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert key_of(score) == (piece.tonic, piece.mode) == (6, "minor")
    assert read_midi(write_midi(score)) == score


def test_first_bar_that_is_short_has_a_meter_of_its_own(music21) -> None:
    score = read_score("bwv66.6", music21=music21)
    assert [(m.tick / 24, m.numerator, m.denominator) for m in score.meters] == [
        (0, 1, 4),
        (1, 4, 4),
    ]


def test_abc_is_read_with_its_repeats(tmp_path, music21) -> None:
    (tmp_path / "reel.abc").write_text(ABC)
    score = read_score(tmp_path / "reel.abc", music21=music21)
    assert [pitch for *_, pitch in quarters(score)] == [62, 64, 66, 67, 69, 69, 71, 74] * 2
    assert score.tempos[0].microseconds == round(60e6 / 90)
    assert score.name == "Reel"
    once = read_score(tmp_path / "reel.abc", repeats=False, music21=music21)
    assert once.n_notes == 8


def test_book_of_tunes_is_read_tune_by_tune(tmp_path, music21) -> None:
    book = tmp_path / "book.abc"
    book.write_text("%abc-2.1\n\n" + ABC + "\n" + ABC.replace("X:1", "X:2").replace("DE FG", "D4"))
    assert len(split_tunes(book.read_text())) == 2
    second = read_score(book, tune=2, music21=music21)
    assert [pitch for *_, pitch in quarters(second)] == [62, 69, 69, 71, 74] * 2
    with pytest.raises(ConfigError, match=r"book\.abc' is a book of 2 tunes"):
        read_score(book)
    with pytest.raises(ConfigError, match=r"tune is 3; .* holds 2"):
        read_score(book, tune=3)


def test_part_without_a_program_plays_the_instrument_of_its_name(tmp_path, music21) -> None:
    notes = "".join(
        f"<score-part id='P{n}'><part-name>{name}</part-name></score-part>"
        for n, name in enumerate(("Violoncello", "Tenor", "Qx"))
    )
    bar = (
        "<measure><attributes><divisions>1</divisions></attributes><note><pitch><step>C</step>"
        "<octave>4</octave></pitch><duration>4</duration></note></measure>"
    )
    parts = "".join(f"<part id='P{n}'>{bar}</part>" for n in range(3))
    (tmp_path / "a.musicxml").write_text(
        f"<score-partwise><part-list>{notes}</part-list>{parts}</score-partwise>"
    )
    score = read_score(tmp_path / "a.musicxml", music21=music21)
    assert [part.program for part in score.parts] == [42, 0, 0]


def test_humdrum_is_read(tmp_path, music21) -> None:
    (tmp_path / "a.krn").write_text(KRN)
    score = read_score(tmp_path / "a.krn", music21=music21)
    assert quarters(score) == [(0, 0, 1, 67), (0, 1, 1, 69), (0, 2, 1, 71), (0, 3, 3, 74)]
    assert score.keys[0].sharps == 1


def song() -> Score:
    """Two parts with chords, voices that overlap, triplets, a tempo change and a verse."""
    upper = [(0, 48, 60), (0, 48, 64), (48, 16, 65), (64, 16, 67), (80, 16, 69), (96, 192, 72)]
    upper += [(144, 48, 67), (192, 96, 65), (288, 6, 60)]
    lower = [(0, 192, 36), (192, 96, 43)]
    return Score(
        ticks_per_quarter=48,
        parts=tuple(
            Part(
                notes=tuple(
                    ScoreNote(start=start, duration=length, pitch=pitch, velocity=70 + number)
                    for start, length, pitch in notes
                ),
                program=program,
                channel=number,
                name=name,
                words=(Words(tick=0, kind="lyrics", text="Göğ-"),) if number == 0 else (),
                track=number + 1,
            )
            for number, (name, program, notes) in enumerate(
                (("Violin", 40, upper), ("Bass", 32, lower))
            )
        ),
        tempos=(Tempo(tick=0, microseconds=600_000), Tempo(tick=192, microseconds=500_000)),
        meters=(Meter(tick=0, numerator=3, denominator=4),),
        name="Şarkı",
    )


def test_musicxml_gives_back_the_notes(tmp_path, music21) -> None:
    xml = write_musicxml(song(), music21=music21)
    (tmp_path / "a.musicxml").write_bytes(xml)
    back = read_score(tmp_path / "a.musicxml", music21=music21)
    assert quarters(back) == quarters(song())
    assert [note.velocity for note in back.parts[0].notes] == [70] * 9
    assert [(part.name, part.program) for part in back.parts] == [("Violin", 40), ("Bass", 32)]
    assert [tempo.microseconds for tempo in back.tempos] == [600_000, 500_000]
    assert (back.meters[0].numerator, back.meters[0].denominator) == (3, 4)
    assert back.parts[0].words[0].text.startswith("Göğ")
    assert back.name == "Şarkı"


def test_packed_musicxml_is_read(tmp_path, music21) -> None:
    with zipfile.ZipFile(tmp_path / "a.mxl", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("META-INF/container.xml", "<container/>")
        packed.writestr("score.xml", write_musicxml(song(), music21=music21))
    assert quarters(read_score(tmp_path / "a.mxl", music21=music21)) == quarters(song())


@pytest.mark.parametrize("path", ["b/score.xml", "b\\score.xml", "/b/score.xml"])
def test_a_container_says_which_file_is_the_score(tmp_path, music21, path) -> None:
    other = Score(
        ticks_per_quarter=24,
        parts=(Part(notes=(ScoreNote(start=0, duration=24, pitch=40, velocity=64),)),),
    )
    said = f'<container><rootfiles><rootfile full-path="{path}"/></rootfiles></container>'
    with zipfile.ZipFile(tmp_path / "a.mxl", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("__MACOSX/._score.xml", b"\0\5\x16\7")
        packed.writestr("a.xml", write_musicxml(other, music21=music21))
        packed.writestr("META-INF/container.xml", said)
        packed.writestr("b/score.xml", write_musicxml(song(), music21=music21))
    assert quarters(read_score(tmp_path / "a.mxl", music21=music21)) == quarters(song())


def test_percussion_stays_percussion(tmp_path, music21) -> None:
    notes = tuple(ScoreNote(start=24 * n, duration=24, pitch=38) for n in range(4))
    score = Score(ticks_per_quarter=24, parts=(Part(notes=notes, channel=9),))
    (tmp_path / "a.musicxml").write_bytes(write_musicxml(score, music21=music21))
    (drums,) = read_score(tmp_path / "a.musicxml", music21=music21).parts
    assert drums.is_drums
    assert [note.pitch for note in drums.notes] == [38] * 4


def test_played_times_move_to_where_notation_can_say_them(tmp_path, music21) -> None:
    played = tuple(
        ScoreNote(start=480 * n + (37 * n) % 50, duration=401 + n, pitch=60 + n) for n in range(20)
    )
    score = Score(ticks_per_quarter=480, parts=(Part(notes=played),))
    (tmp_path / "a.musicxml").write_bytes(write_musicxml(score, music21=music21))
    back = read_score(tmp_path / "a.musicxml", music21=music21)
    assert [pitch for *_, pitch in quarters(back)] == [60 + n for n in range(20)]
    assert all(
        abs(start - note.start / 480) <= 1 / 12 + 1e-9
        for (_, start, _, _), note in zip(quarters(back), played, strict=True)
    )


def test_midi_files_are_scores_too(tmp_path) -> None:
    (tmp_path / "a.mid").write_bytes(write_midi(song()))
    assert read_score(tmp_path / "a.mid") == song()


# ---------------------------------------------------------------------------------------- harmony


def test_chords_have_names_and_numerals(music21) -> None:
    chords = [(60, 64, 67), (65, 69, 72), (67, 71, 74, 77), (60, 64, 67)]
    notes = tuple(
        ScoreNote(start=24 * n, duration=24, pitch=pitch)
        for n, chord in enumerate(chords)
        for pitch in chord
    )
    drums = (ScoreNote(start=0, duration=96, pitch=38),)
    score = Score(ticks_per_quarter=24, parts=(Part(notes=notes), Part(notes=drums, channel=9)))
    harmony = analyse_harmony(score, music21=music21)
    assert (harmony.tonic, harmony.mode) == (0, "major")
    assert [chord.numeral for chord in harmony.chords] == ["I", "IV", "V7", "I"]
    assert [chord.start for chord in harmony.chords] == [0, 24, 48, 72]
    assert harmony.chords[2].name == "G-dominant seventh chord"


def test_leading_tone_of_minor_is_spelled_as_such(music21) -> None:
    harmony = analyse_harmony(read_score("bwv66.6", music21=music21), music21=music21)
    assert key_name(harmony.tonic, harmony.mode) == "F#"
    numerals = [chord.numeral for chord in harmony.chords]
    assert numerals[:3] == ["III", "VII6", "i"]
    assert sum(bool(numeral) for numeral in numerals) > 0.6 * len(numerals)


def test_score_without_pitches_has_no_key() -> None:
    with pytest.raises(AudioError, match="has no key"):
        key_of(Score(ticks_per_quarter=96, parts=()))


# --------------------------------------------------------------------------------------- bad files

BOMB = (
    '<!DOCTYPE z [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {c} "{f"&{p};" * 10}">' for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><score-partwise>&i;</score-partwise>"
)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.xml", b"", "is empty"),
        ("a.xml", b"<a/>", "cannot be read"),
        ("a.musicxml", b"hello", "cannot be read: syntax error"),
        ("a.musicxml", b"<score-partwise><part-list/></score-partwise>", "cannot be read"),
        ("a.xml", BOMB.encode(), "limit on input amplification"),
        ("a.mxl", b"PK\x03\x04nothing", "cannot be unpacked"),
        ("a.abc", b"nonsense", "cannot be read"),
        ("a.krn", b"\x00\x01" * 500, "cannot be read"),
        ("a.krn", b"**kern\n*-\n", "cannot be read"),
        ("a.mid", b"nonsense", "does not begin as a MIDI file"),
        ("a.abc", b"x" * (9 << 20), "more than the limit of 8388608"),
    ],
)
def test_bad_score_is_one_clear_error(tmp_path, music21, name, content, why) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=why) as caught:
        read_score(tmp_path / name, music21=music21)
    assert str(tmp_path / name) in caught.value.message
    assert "\n" not in caught.value.message


def test_packed_score_unpacks_no_further_than_the_limit(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "a.mxl", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("score.xml", b" " * (9 << 20))
    assert (tmp_path / "a.mxl").stat().st_size < 20_000
    with pytest.raises(AudioError, match="unpacks to more than the limit"):
        read_score(tmp_path / "a.mxl")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nonsense", "'nonsense' is neither a file nor a piece of the music21 package"),
        ("haydn", "neither a file nor a piece"),
        ("../../../etc/passwd", "neither a file nor a piece|no score by its name"),
    ],
)
def test_unknown_piece_is_refused(name, why, music21) -> None:
    with pytest.raises(ConfigError, match=why):
        read_score(name, music21=music21)


def test_missing_folder_and_strange_files_are_refused(tmp_path) -> None:
    with pytest.raises(AudioError, match=r"a\.xml' cannot be read: No such file"):
        read_score(tmp_path / "a.xml")
    with pytest.raises(ConfigError, match="is no score by its name"):
        read_score(tmp_path)
    (tmp_path / "b.abc").mkdir()
    with pytest.raises(AudioError, match="is a folder"):
        read_score(tmp_path / "b.abc")


def test_music21_that_hangs_is_killed_and_starts_again() -> None:
    with Music21(seconds=2) as music21:
        with pytest.raises(Refusal, match="music21 took longer than 2 s"):
            music21.ask("seed", HOSTILE)
        music21._seconds = 120  # a busy machine may need more than two to start it again
        assert music21.ask("numerals", CHORD)


def test_music21_that_dies_is_one_error_and_starts_again() -> None:
    with Music21() as music21:
        music21.ask("numerals", CHORD)
        process = music21._process
        assert process is not None
        process.kill()
        with pytest.raises(Refusal, match="music21 died of it"):
            music21.ask("numerals", CHORD)
        assert music21.ask("numerals", CHORD)


ASKING = """
import sys
from musiccore.scores.notation import Music21
music21 = Music21()
music21.ask("numerals", sys.argv[1].encode())
print(music21._process.pid, flush=True)
music21.ask("seed", sys.stdin.buffer.read())
"""


def test_music21_that_hangs_ends_with_the_process_that_asked() -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKING, CHORD.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert asking.stdin is not None
    assert asking.stdout is not None
    asking.stdin.write(HOSTILE)
    asking.stdin.close()
    child = int(asking.stdout.readline())
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    end = time.monotonic() + 60
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.05)
    if is_running(child):
        os.kill(child, signal.SIGKILL)
        pytest.fail("the process of music21 goes on")


def is_running(process: int) -> bool:
    """Whether it is there and no zombie that nobody has buried."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
