"""`midi compose` and `midi train`: the commands, and the flows that Prefect starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.midi import midi_compose, midi_train
from musiccore.composer.to_score import provenance_of
from musiccore.scores.midi import read_midi, write_midi
from musiccore.scores.score import Part, Score, ScoreNote


def run(capsys, *words: object) -> tuple[int, dict, str]:
    """Return exit code, JSON of standard output, and what was said."""
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out.startswith("{") else {}, said.err


def tune(path: Path, *pitches: int, repeat: int = 1) -> Path:
    notes = tuple(
        ScoreNote(start=n * 480, duration=480, pitch=pitch)
        for n, pitch in enumerate(pitches * repeat)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_midi(Score(ticks_per_quarter=480, parts=(Part(notes=notes),))))
    return path


def test_command_writes_a_piece_and_says_what_it_is(tmp_path, capsys) -> None:
    target = tmp_path / "x.mid"
    words = ("midi", "compose", "--seed", 1, "--seconds", 6, "--key", "D", "--mode", "minor")
    code, found, _ = run(capsys, *words, "-o", target, "--json")
    assert code == 0
    (row,) = found["files"]
    assert (row["file"], row["seed"], row["key"]) == (str(target), 1, "D minor")
    score = read_midi(target)
    assert score.n_notes == row["notes"]
    assert score.seconds == pytest.approx(row["seconds"], abs=0.01)
    facts = provenance_of(score)
    assert facts is not None
    assert facts["seed"] == 1


def test_same_command_writes_the_same_bytes(tmp_path, capsys) -> None:
    for name in ("a.mid", "b.mid"):
        assert run(capsys, "midi", "compose", "--bars", 2, "-o", tmp_path / name)[0] == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_several_pieces_have_their_seeds_in_their_names(tmp_path, capsys) -> None:
    words = ("midi", "compose", "--bars", 2, "--seed", 7, "--count", 2, "--json")
    code, found, _ = run(capsys, *words, "-o", tmp_path / "x.mid")
    assert code == 0
    assert [Path(row["file"]).name for row in found["files"]] == ["x-7.mid", "x-8.mid"]
    _, alone, _ = run(capsys, "midi", "compose", "--bars", 2, "--seed", 8, "--json", "-o", tmp_path)
    assert alone["files"][0]["file"].endswith("chorale-8.mid")
    assert alone["files"][0]["sha256"] == found["files"][1]["sha256"]


def test_file_that_exists_is_kept_without_force(tmp_path, capsys) -> None:
    target = tmp_path / "x.mid"
    target.write_bytes(b"precious")
    code, _, said = run(capsys, "midi", "compose", "--bars", 2, "-o", target)
    assert code == 2
    assert "--force" in said
    assert target.read_bytes() == b"precious"
    assert run(capsys, "midi", "compose", "--bars", 2, "-o", target, "--force")[0] == 0
    assert read_midi(target).n_notes > 8


def test_melody_is_kept_and_given_voices(tmp_path, capsys) -> None:
    source = tune(tmp_path / "tune.mid", 67, 69, 71, 72, 74, 71, 69, 67)
    target = tmp_path / "x.mid"
    code, _, _ = run(capsys, "midi", "compose", "--harmonise", source, "-o", target)
    assert code == 0
    score = read_midi(target)
    assert len(score.parts) == 4
    assert [note.pitch for note in score.parts[0].notes] == [67, 69, 71, 72, 74, 71, 69, 67]


def test_music_is_continued(tmp_path, capsys) -> None:
    source = tune(tmp_path / "tune.mid", 67, 69, 71, 72)
    target = tmp_path / "x.mid"
    code, _, _ = run(capsys, "midi", "compose", "--continue", source, "--bars", 2, "-o", target)
    assert code == 0
    soprano = read_midi(target).parts[0].notes
    assert [note.pitch for note in soprano[:4]] == [67, 69, 71, 72]
    assert soprano[-1].end > 8 * 480


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seconds", 9999), "seconds"),
        (("--key", "H"), "key"),
        (("--count", 0), "count"),
        (("--count", 101), "count"),
        (("--seed", -5), "seed"),
        (("-o", "x.wav"), "out"),
        (("--model", "nowhere"), "model"),
        (("--harmonise", "nothing.mid"), "nothing.mid"),
    ],
)
def test_bad_request_is_one_line_and_writes_nothing(
    tmp_path, monkeypatch, capsys, words, message
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = run(capsys, "midi", "compose", *words)
    assert code == 2
    assert message in said.splitlines()[0]
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_trained_model_composes(tmp_path, capsys) -> None:
    for n in range(5):
        tune(tmp_path / "in" / f"{n}.mid", 60 + n, 62, 64, 65, 67, repeat=4)
    (tmp_path / "in" / "broken.mid").write_bytes(b"nonsense")
    model = tmp_path / "model"
    words = ("midi", "train", tmp_path / "in", "--out", model, "--voices", 1, "--width", 16)
    code, found, said = run(capsys, *words, "--steps", 6, "--json")
    assert code == 0
    assert found["valid"] > 0
    assert {row["file"]: row["used"] for row in found["rows"]}["broken.mid"] == ""
    assert "1 files skipped" in said
    target = tmp_path / "x.mid"
    code, _, _ = run(capsys, "midi", "compose", "--model", model, "--bars", 2, "-o", target)
    assert code == 0
    assert [part.name for part in read_midi(target).parts] == ["Voice 1"]


def test_training_without_music_is_refused(tmp_path, capsys) -> None:
    code, _, said = run(capsys, "midi", "train", tmp_path, "--out", tmp_path / "model")
    assert code == 2
    assert "0 different pieces" in said


def test_flows_train_and_compose(prefect_server, tmp_path) -> None:
    for n in range(3):
        tune(tmp_path / "in" / f"{n}.mid", 60 + n, 62, 64, 65, repeat=3)
    model = str(tmp_path / "model")
    figures = midi_train(source=str(tmp_path / "in"), out=model, minutes=0.01, voices=1)
    assert figures["stopped"] in ("planned", "overtime")
    rows = midi_compose(destination=str(tmp_path / "out"), seed=3, seconds=5, model=model)
    assert [row["seed"] for row in rows] == [3]
    assert all(Path(str(row["file"])).is_file() for row in rows)
