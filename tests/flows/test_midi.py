"""Scores to sound: the flow that Prefect starts, and the command."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.midi import midi
from musiccore.audio import read


def score(path: Path, *, microseconds: tuple[int, int] = (1_000_000, 500_000)) -> Path:
    """Four quarter notes: two at the first tempo, two at the second; the third one on drums too."""
    tempo = [b"\xff\x51\x03" + n.to_bytes(3, "big") for n in microseconds]
    events = [(0, tempo[0])]
    for n, pitch in enumerate((60, 64, 67, 72)):
        if n == 2:
            events.append((0, tempo[1]))
            events.append((0, bytes([0x99, 38, 90])))
        events.append((0, bytes([0x90, pitch, 90])))
        events.append((96, bytes([0x80, pitch, 0])))
        if n == 2:
            events.append((0, bytes([0x89, 38, 0])))
    track = b"".join(bytes([delta]) + event for delta, event in events) + b"\x00\xff\x2f\x00"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96)
    path.write_bytes(header + b"MTrk" + struct.pack(">I", len(track)) + track)
    return path


def test_notes_sound_when_and_as_high_as_they_are_written(prefect_server, tmp_path) -> None:
    source = score(tmp_path / "a.mid")
    (row,) = midi(str(source), str(tmp_path / "a.flac"))
    assert row["result"] == "written"
    audio = read(tmp_path / "a.flac")
    assert audio.seconds == pytest.approx(4.0, abs=0.01)  # three seconds of notes, one of ringing
    second = audio.samples[0, audio.sample_rate : 2 * audio.sample_rate]
    strongest = np.argmax(np.abs(np.fft.rfft(second * np.hanning(len(second)))))
    assert strongest == pytest.approx(329.6, abs=2)  # Hz: the E of the second note


def test_folder_is_played_and_a_broken_score_is_a_row(prefect_server, tmp_path) -> None:
    score(tmp_path / "in" / "a.mid")
    (tmp_path / "in" / "sub").mkdir()
    (tmp_path / "in" / "sub" / "b.midi").write_bytes(b"nonsense")
    rows = midi(str(tmp_path / "in"), str(tmp_path / "out"))
    assert [row["result"] for row in rows] == ["written", "failed"]
    assert (tmp_path / "out" / "a.wav").is_file()


def test_command_plays_a_chorale(tmp_path, capsys) -> None:
    target = tmp_path / "c.ogg"
    assert main(["midi", "render", "bwv66.6", "-o", str(target), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["files"]
    assert row["seconds"] == pytest.approx(read(target).seconds, abs=0.01)
    assert row["seconds"] > 20


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nope"], "source: 'nope' is neither a score nor a chorale"),
        (["missing.mid"], "source: 'missing.mid' does not exist"),
        (["."], "source: no score is in"),
        (["bwv66.6", "-o", "x.txt"], "does not say which format"),
        (["bwv66.6", "-o", "mine.wav"], "out: 'mine.wav' exists"),
    ],
)
def test_command_refuses_before_it_writes(tmp_path, capsys, monkeypatch, words, named) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.wav").write_bytes(b"mine")
    assert main(["midi", "render", *words]) == 2
    assert named in capsys.readouterr().err
    assert (tmp_path / "mine.wav").read_bytes() == b"mine"
