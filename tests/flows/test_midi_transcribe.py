"""`midi transcribe`: recordings and takes of a run as MIDI files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from flows.__main__ import main
from flows.midi import midi_transcribe
from musiccore.audio.sound import write
from musiccore.scores.midi import read_midi
from musiccore.scores.score import Part, Score, ScoreNote, Tempo
from musiccore.scores.transcribe import note_f1
from musiccore.synth.player import perform


@pytest.fixture
def tune(tmp_path) -> tuple[Path, Score]:
    notes = tuple(
        ScoreNote(start=500 * n, duration=500, pitch=pitch, velocity=90)
        for n, pitch in enumerate((60, 64, 67, 72))
    )
    tempos = (Tempo(tick=0, microseconds=500_000),)
    score = Score(ticks_per_quarter=500, parts=(Part(notes=notes),), tempos=tempos)
    path = tmp_path / "tune.wav"
    path.write_bytes(write(perform(score, sample_rate=22_050), "wav"))
    return path, score


def test_recording_becomes_midi(tune, tmp_path, capsys) -> None:
    path, score = tune
    target = tmp_path / "tune.mid"
    words = ["midi", "transcribe", str(path), "-o", str(target), "--program", "flute"]
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["notes"] == 4
    assert json.loads(out)["experimental"] is True
    assert "experimental" in err
    found = read_midi(target)
    assert note_f1(score, found) == 1.0
    assert found.parts[0].program == 72
    assert main(words) == 2
    assert "exists" in capsys.readouterr().err


def test_recording_that_ends_early_is_written_down_with_a_word(tune, tmp_path, capsys) -> None:
    path, _ = tune
    cut = tmp_path / "cut.wav"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    words = ["midi", "transcribe", str(cut), "-o", str(tmp_path / "cut.mid")]
    assert main([*words, "--strict"]) == 2
    assert "strict: 'cut.wav' promises" in capsys.readouterr().err
    assert not (tmp_path / "cut.mid").exists()
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    (warning,) = json.loads(out)["warnings"]
    assert "'cut.wav' promises" in warning
    assert warning in err


def test_flow_does_the_same(tune, tmp_path, prefect_server) -> None:
    path, score = tune
    row = midi_transcribe(str(path), destination=str(tmp_path))
    assert row["notes"] == 4
    assert note_f1(score, read_midi(tmp_path / "tune.mid")) == 1.0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["missing.wav"], "'missing.wav' does not exist"),
        (["broken.wav"], "broken.wav"),
        (["broken.wav", "--take", "1"], "take: a file has no takes"),
        (["broken.wav", "-o", "x.wav"], "out: 'x.wav' is no MIDI file"),
        (["broken.wav", "--program", "kazoo"], "program: 'kazoo' is unknown"),
        (["no run"], "run id"),
    ],
)
def test_bad_requests_are_refused(tmp_path, capsys, monkeypatch, words, named) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUKEFLOW_STORE", str(tmp_path / "runs"))
    Path("broken.wav").write_bytes(b"no sound at all")
    assert main(["midi", "transcribe", *words]) == 2
    assert named in capsys.readouterr().err


def test_take_of_a_run_becomes_midi(tmp_path, capsys, monkeypatch, prefect_server) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUKEFLOW_STORE", str(tmp_path / "runs"))
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    asked = ["compose", "--model", "tiny", "--seconds", "0.4", "--takes", "2", "--run", "song"]
    assert main(asked) == 3
    capsys.readouterr()
    assert main(["midi", "transcribe", "song", "--take", "2"]) == 0
    assert capsys.readouterr().out.strip() == "song-take2.mid"
    assert read_midi(tmp_path / "song-take2.mid").name == "Melody"
    assert main(["midi", "transcribe", "song", "--take", "3"]) == 2
    assert "takes that can: 1, 2" in capsys.readouterr().err
    assert main(["midi", "transcribe", "song"]) == 2
    assert "no finished song yet" in capsys.readouterr().err
    assert main(["midi", "transcribe", "other", "--take", "1"]) == 2
