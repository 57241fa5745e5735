"""`midi info`, `convert`, `tokenise` and `detokenise`, and the flow that Prefect starts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.midi import midi_tokenise
from musiccore.scores.midi import read_midi, write_midi
from musiccore.scores.score import KeySignature, Meter, Part, Score, ScoreNote, Tempo
from musiccore.scores.tokens import load_tokens, on_grid

BAD = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60MTrk\x00\x00\x00\x04\x00\x90\x90\x40"
LONG = (
    b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x00\x0f"
    b"\x00\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x00\x00\xff\x2f\x00"
)
REEL = "X:{n}\nT:Reel {n}\nM:2/4\nL:1/8\nK:D\nDE FG|A2 A2|B2 d2|D4|\n\n"


def tune(*pitches: int, name: str = "") -> Score:
    """Quarter notes of a violin, with a bass drum on the first."""
    notes = tuple(
        ScoreNote(start=96 * n, duration=96, pitch=pitch, velocity=64 + n)
        for n, pitch in enumerate(pitches)
    )
    drum = (ScoreNote(start=0, duration=24, pitch=36),)
    return Score(
        ticks_per_quarter=96,
        parts=(
            Part(notes=notes, program=40, name="Fiddle", track=1),
            Part(notes=drum, channel=9, track=2),
        ),
        tempos=(Tempo(tick=0, microseconds=400_000), Tempo(tick=192, microseconds=600_000)),
        meters=(Meter(tick=0, numerator=3, denominator=4),),
        keys=(KeySignature(tick=0, sharps=1),),
        name=name,
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three scores, one of them damaged, one in a folder of its own, in no order."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "b.mid").write_bytes(BAD)
    (tmp_path / "in" / "sub" / "c.midi").write_bytes(write_midi(tune(72, 71, 69)))
    (tmp_path / "in" / "a.mid").write_bytes(write_midi(tune(60, 62, 64, 65)))
    (tmp_path / "in" / "notes.txt").write_text("no score")
    return tmp_path / "in"


def answer(capsys) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


# ------------------------------------------------------------------------------------------- info


def test_info_tells_what_a_score_is(tmp_path, capsys) -> None:
    (tmp_path / "a.mid").write_bytes(write_midi(tune(67, 71, 74, 66, 67, 67, name="Reel")))
    assert main(["midi", "info", str(tmp_path / "a.mid"), "--harmony", "--json"]) == 0
    (row,) = answer(capsys)["files"]
    assert row["seconds"] == pytest.approx(2 * 0.4 + 4 * 0.6)
    assert row["tempos"] == [[0.0, 150.0], [0.8, 100.0]]
    assert row["meters"] == [[1, "3/4"]]
    assert (row["bars"], row["notes"], row["key"], row["name"]) == (2, 7, "G major", "Reel")
    fiddle, drums = row["parts"]
    assert (fiddle["name"], fiddle["instrument"], fiddle["notes"]) == ("Fiddle", "violin", 6)
    assert (fiddle["lowest"], fiddle["highest"]) == ("F#4", "D5")
    assert (drums["instrument"], drums["channel"], drums["lowest"]) == ("percussion", 10, None)
    assert [chord["pitches"] for chord in row["harmony"]][:2] == [["G4"], ["B4"]]


def test_info_reads_well(tmp_path, capsys) -> None:
    (tmp_path / "a.mid").write_bytes(write_midi(tune(67, 71, 74)))
    assert main(["midi", "info", str(tmp_path / "a.mid")]) == 0
    out = capsys.readouterr().out
    assert "150 at 0 s, 100 at 0.8 s" in out
    assert "violin" in out


def test_info_of_a_folder_goes_on_after_a_bad_file(folder, capsys) -> None:
    assert main(["midi", "info", str(folder), "--json"]) == 6
    told = answer(capsys)
    assert [row["source"] for row in told["files"]] == ["a.mid", "b.mid", "sub/c.midi"]
    assert [row["error"] is None for row in told["files"]] == [True, False, True]


# ---------------------------------------------------------------------------------------- convert


def test_score_goes_to_musicxml_and_back(tmp_path, capsys) -> None:
    source = tmp_path / "a.mid"
    source.write_bytes(write_midi(tune(67, 71, 74)))
    assert main(["midi", "convert", str(source), str(tmp_path / "a.musicxml")]) == 0
    assert main(["midi", "convert", str(tmp_path / "a.musicxml"), str(tmp_path / "b.mid")]) == 0
    assert [note.pitch for note in read_midi(tmp_path / "b.mid").parts[0].notes] == [67, 71, 74]


def test_tunes_of_a_book_go_into_a_folder(tmp_path, capsys) -> None:
    book = tmp_path / "book.abc"
    book.write_text("".join(REEL.format(n=n) for n in (1, 2)) + "X:3\nnonsense\n")
    assert main(["midi", "convert", str(book), str(tmp_path / "out"), "--json"]) == 6
    assert [row["result"] for row in answer(capsys)["files"]] == ["written", "written", "failed"]
    assert read_midi(tmp_path / "out" / "002.mid").name == "Reel 2"
    one = tmp_path / "one.mid"
    assert main(["midi", "convert", str(book), str(one), "--tune", "2"]) == 0
    assert read_midi(one).n_notes == 9


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["a.mid", "x.wav"], "out: 'x.wav' does not say which format"),
        (["a.mid", "a.mid", "--force"], "is the source itself"),
        (["a.mid", "mine.mid"], "out: 'mine.mid' exists"),
        (["missing.mid", "x.mid"], "source: 'missing.mid' does not exist"),
        (["nope", "x.mid"], "'nope' is neither a file nor a piece"),
        ([".", "x.mid"], "source: '.' is a folder"),
        (["a.mid", "x.mid", "--tune", "2"], "tune is 2; 'a.mid' holds 1"),
        (["book.abc", "x.mid"], "is a book of 2 tunes"),
        (["bad.mid", "x.mid"], "MIDI file 'bad.mid' cannot be read"),
    ],
)
def test_convert_refuses_before_it_writes(tmp_path, capsys, monkeypatch, words, named) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.mid", "mine.mid"):
        Path(name).write_bytes(write_midi(tune(60)))
    Path("bad.mid").write_bytes(BAD)
    Path("book.abc").write_text(REEL.format(n=1) + REEL.format(n=2))
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert main(["midi", "convert", *words]) == 2
    assert named in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


# --------------------------------------------------------------------------------------- tokenise


@pytest.mark.parametrize("form", ["seed", "events", "grid"])
def test_folder_becomes_tokens_and_one_bad_file_is_a_row(folder, capsys, form) -> None:
    assert main(["midi", "tokenise", str(folder), "--form", form, "--json"]) == 6
    told = answer(capsys)
    assert [row["source"] for row in told["files"]] == ["a.mid", "b.mid", "sub/c.midi"]
    assert [row["result"] for row in told["files"]] == ["done", "failed", "done"]
    assert "b.mid' cannot be read" in told["files"][1]["error"]
    assert [piece["name"] for piece in told["pieces"]] == ["a.mid", "sub/c.midi"]
    words = told["vocabulary"]
    assert len(set(words)) == len(words)
    first = [[words[token] for token in row] for row in told["pieces"][0]["rows"]]
    if form == "seed":
        assert words == sorted(words)
        assert first == [["C4", "D4", "E4", "F4"]]
    if form == "grid":
        assert first[0][:5] == ["60", "hold", "hold", "hold", "62"]


@pytest.mark.parametrize("form", ["events", "grid"])
def test_tokens_become_the_same_notes_again(folder, tmp_path, capsys, form) -> None:
    (folder / "b.mid").unlink()
    tokens, out = tmp_path / "t.json", tmp_path / "out"
    assert main(["midi", "tokenise", str(folder), "--form", form, "-o", str(tokens)]) == 0
    assert main(["midi", "detokenise", str(tokens), "-o", str(out)]) == 0
    for name in ("a.mid", "sub/c.midi"):
        made = read_midi(out / (name if name.endswith(".mid") else f"{name}.mid"))
        source = on_grid(read_midi(folder / name))
        if form == "events":
            assert made == source
        else:
            assert [note.pitch for note in made.parts[0].notes] == [
                note.pitch for note in source.parts[0].notes
            ]
            assert made.parts[1].is_drums


def test_folder_of_tokens_holds_one_file_per_score(folder, tmp_path, capsys) -> None:
    out = tmp_path / "tokens"
    assert main(["midi", "tokenise", str(folder), "--form", "seed", "-o", str(out)]) == 6
    alone = load_tokens((out / "sub" / "c.midi.json").read_bytes())
    words = load_tokens((out / "vocabulary.json").read_bytes())
    assert alone.vocabulary == words.vocabulary
    assert alone.strings(alone.pieces[0]) == [["C5", "B4", "A4"]]


def test_legacy_reads_the_first_part_of_three_files(tmp_path, capsys) -> None:
    for n, name in enumerate("dacb"):
        (tmp_path / f"{name}.mid").write_bytes(write_midi(tune(60 + n, 62 + n)))
    words = ["midi", "tokenise", str(tmp_path), "--form", "seed", "--legacy", "--json"]
    assert main(words) == 0
    assert [row["source"] for row in answer(capsys)["files"]] == ["a.mid", "b.mid", "c.mid"]


def test_tokens_are_printed_line_by_line(tmp_path, capsys) -> None:
    (tmp_path / "a.mid").write_bytes(write_midi(tune(60, 63)))
    assert main(["midi", "tokenise", str(tmp_path / "a.mid"), "--form", "seed"]) == 0
    assert capsys.readouterr().out == "a.mid\tC4 E-4\n"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["missing.mid"], "source: 'missing.mid' does not exist"),
        (["empty"], "source: no score is in 'empty'"),
        (["x.txt"], "source: 'x.txt' is no score by its name"),
        (["a.mid", "--legacy"], "legacy belongs to --form seed"),
        (["a.mid", "-o", "mine.json"], "out: 'mine.json' exists"),
    ],
)
def test_tokenise_refuses_before_it_reads(tmp_path, capsys, monkeypatch, words, named) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("x.txt").write_text("x")
    Path("mine.json").write_text("mine")
    Path("a.mid").write_bytes(write_midi(tune(60)))
    assert main(["midi", "tokenise", *words]) == 2
    assert named in capsys.readouterr().err
    assert Path("mine.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no file of tokens"),
        (b'{"form":"seed","vocabulary":["C4"],"pieces":[]}', "form: seed tokens hold no times"),
        (
            b'{"form":"events","vocabulary":["Bar"],"pieces":[{"name":"../../a","rows":[[0]]}]}',
            "would be written outside the folder",
        ),
        (
            b'{"form":"events","vocabulary":["Tempo_4"],"pieces":[{"name":"a","rows":[[0]]}]}',
            "piece 'a': token 0 is 'Tempo_4': no bar has begun",
        ),
        (
            b'{"form":"grid","vocabulary":["60"],"pieces":[{"name":"a","rows":[[0]]}]}',
            "piece 'a': its rows are no grid",
        ),
    ],
)
def test_detokenise_refuses_what_is_no_music(tmp_path, capsys, content, why) -> None:
    (tmp_path / "t.json").write_bytes(content)
    assert main(["midi", "detokenise", str(tmp_path / "t.json"), "-o", str(tmp_path / "o")]) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


# ------------------------------------------------------------------------------------- bad files

HOSTILE = {
    "empty": b"",
    "text": b"hello, I am no score",
    "zeros": bytes(1000),
    "random": random.Random(1).randbytes(100_000),
    "header alone": BAD[:14],
    "cut short": BAD[:-1],
    "damaged": BAD,
    "one note of 2**28 ticks": LONG,
    "division of 0": BAD[:12] + b"\x00\x00" + BAD[14:],
    "too few tracks": BAD[:11] + b"\x05" + BAD[12:],
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(
    "command", [["info"], ["tokenise", "--form", "seed"], ["tokenise", "--form", "events"]]
)
def test_hostile_file_is_one_line_that_names_it(tmp_path, capsys, kind, command) -> None:
    (tmp_path / "h.mid").write_bytes(HOSTILE[kind])
    assert main(["midi", *command, str(tmp_path / "h.mid")]) == 2
    said = capsys.readouterr().err
    assert said.count("error:") == 1
    assert "h.mid" in said
    assert "Traceback" not in said


def test_folder_of_bad_files_alone_is_a_bad_request(tmp_path, capsys) -> None:
    (tmp_path / "a.mid").write_bytes(BAD)
    (tmp_path / "b.mid").write_bytes(LONG)
    assert main(["midi", "tokenise", str(tmp_path), "-o", str(tmp_path / "t.json")]) == 2
    assert "none of the 2 scores could be read" in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()


def test_tokens_that_cannot_be_written_are_one_error(folder, tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("no folder")
    words = ["midi", "tokenise", str(folder / "a.mid"), "-o", str(tmp_path / "file" / "t.json")]
    assert main(words) == 1
    assert "t.json' cannot be written" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------- flow


def test_flow_writes_tokens_beside_the_scores(prefect_server, folder) -> None:
    state = midi_tokenise(str(folder), "grid", steps=2, return_state=True)
    assert (state.is_failed(), state.name) == (True, "PartlyDone")
    tokens = load_tokens((folder / "tokens-grid.json").read_bytes())
    assert [piece.name for piece in tokens.pieces] == ["a.mid", "sub/c.midi"]
    row = tokens.strings(tokens.pieces[0])[0]
    assert row == ["60", "hold", "62", "hold", "64", "hold", "65", "hold"]
