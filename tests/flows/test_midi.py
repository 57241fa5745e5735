"""Scores to sound: the flow that Prefect starts, and the command."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.midi import midi
from musiccore.audio.measures import loudness_lufs
from musiccore.audio.sound import Audio
from musiccore.conversion.memory import read
from musiccore.synth.soundfonts import find_font
from musiccore.tags import read_tags


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
    (row,) = midi(str(source), str(tmp_path / "a.flac"), engine="own")
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
    rows = midi(str(tmp_path / "in"), str(tmp_path / "out"), target_format="flac")
    assert [row["result"] for row in rows] == ["written", "failed"]
    assert (tmp_path / "out" / "a.flac").is_file()


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
        (["bare"], "source: no score is in"),
        (["bwv66.6", "-o", "x.txt"], "does not say which format"),
        (["bwv66.6", "-o", "mine.wav"], "out: 'mine.wav' exists"),
        (["bwv66.6", "--to", "txt"], "to: 'txt' is unknown"),
        (["bwv66.6", "--loudness", "loud"], "loudness is 'loud'"),
        (["bwv66.6", "--loudness", "3"], "loudness is 3"),
        (["bwv66.6", "--sample-rate", "1"], "sample_rate is 1"),
        (["bwv66.6", "--tempo-scale", "0"], "tempo_scale is 0"),
        (["bwv66.6", "--program", "kazoo"], "program: 'kazoo' is unknown"),
        (["bwv66.6", "--soundfont", "none.sf2"], "soundfont: 'none.sf2' does not exist"),
        (["broken.mid"], "'broken.mid' cannot be read"),
    ],
)
def test_command_refuses_before_it_writes(tmp_path, capsys, monkeypatch, words, named) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.wav").write_bytes(b"mine")
    (tmp_path / "broken.mid").write_bytes(b"MThd, and nothing else")
    (tmp_path / "bare").mkdir()
    assert main(["midi", "render", *words]) == 2
    assert named in capsys.readouterr().err
    assert (tmp_path / "mine.wav").read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.wav", "broken.mid", "bare"}


def rendered(tmp_path: Path, *words: str, name: str = "a.wav") -> Audio:
    source, target = score(tmp_path / "a.mid"), tmp_path / name
    given = [str(source), "-o", str(target), "--force", "--engine", "own", *words]
    assert main(["midi", "render", *given]) == 0
    return read(target)


def test_options_change_what_is_played(tmp_path) -> None:
    plain = rendered(tmp_path)
    assert plain.n_channels == 2
    assert rendered(tmp_path, "--sample-rate", "22050").sample_rate == 22_050
    assert rendered(tmp_path, "--tempo-scale", "2").seconds == pytest.approx(1.5 + 1.0, abs=0.01)
    assert loudness_lufs(plain.samples, 44_100) == pytest.approx(-16.0, abs=0.1)
    quiet = rendered(tmp_path, "--loudness", "-30")
    assert loudness_lufs(quiet.samples, 44_100) == pytest.approx(-30.0, abs=0.1)
    first = slice(0, 44_100)
    low, high = (rendered(tmp_path, "--transpose", n).samples[0][first] for n in ("0", "12"))
    assert np.argmax(np.abs(np.fft.rfft(high))) == pytest.approx(
        2 * np.argmax(np.abs(np.fft.rfft(low))), abs=4
    )
    organ = rendered(tmp_path, "--program", "organ")
    late, early = slice(39_000, 43_000), slice(4_000, 8_000)
    held, struck = (
        np.abs(audio.samples[0][late]).max() / np.abs(audio.samples[0][early]).max()
        for audio in (organ, plain)
    )
    assert held > 0.9 > 0.8 > struck


def test_same_command_same_bytes(tmp_path) -> None:
    for name in ("a.wav", "a.flac"):
        rendered(tmp_path, name=name)
        before = (tmp_path / name).read_bytes()
        rendered(tmp_path, name=name)
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus", "a.aiff", "a.caf"])
def test_file_says_what_made_it(tmp_path, name) -> None:
    rendered(tmp_path, name=name)
    provenance = read_tags(tmp_path / name)["provenance"]
    assert isinstance(provenance, dict)
    digest = hashlib.sha256((tmp_path / "a.mid").read_bytes()).hexdigest()
    assert provenance["engine"] == "own"
    assert provenance["score_sha256"] == digest
    assert provenance["options"]["tempo_scale"] == 1.0


def test_sound_font_is_named_in_the_file(tmp_path) -> None:
    target = tmp_path / "a.wav"
    words = [str(score(tmp_path / "a.mid")), "-o", str(target), "--engine", "fluidsynth"]
    assert main(["midi", "render", *words]) == 0
    provenance = read_tags(target)["provenance"]
    assert isinstance(provenance, dict)
    font = find_font(os.environ.get("SOUNDFONT", ""))  # as the command finds it
    assert provenance["soundfont"] == font.name
    assert provenance["soundfont_sha256"] == font.sha256()


def test_batch_with_a_broken_score_ends_with_six(tmp_path, capsys) -> None:
    score(tmp_path / "in" / "a.mid")
    (tmp_path / "in" / "b.mid").write_bytes(b"nonsense")
    words = [str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--to", "flac", "--json"]
    assert main(["midi", "render", *words]) == 6
    found = json.loads(capsys.readouterr().out)
    assert (found["written"], found["failed"]) == (1, 1)
    assert (tmp_path / "out" / "a.flac").is_file()


def test_missing_font_ends_with_five_when_fluidsynth_is_asked_for(
    tmp_path, capsys, monkeypatch
) -> None:
    """Without a font on this machine: one that is no font stands for it."""
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF\x10\0\0\0sfbk1234")
    monkeypatch.setenv("SOUNDFONT", str(broken))
    words = [str(score(tmp_path / "a.mid")), "-o", str(tmp_path / "a.wav")]
    assert main(["midi", "render", *words, "--engine", "fluidsynth"]) == 5
    assert "hint: " in capsys.readouterr().err
    assert not (tmp_path / "a.wav").exists()
    assert main(["midi", "render", *words]) == 0
    assert "played on our own instruments: FluidSynth cannot read" in capsys.readouterr().err


def test_unwritable_target_is_a_bad_request(tmp_path, capsys) -> None:
    (tmp_path / "file").write_bytes(b"")
    words = [str(score(tmp_path / "a.mid")), "-o", str(tmp_path / "file" / "a.wav")]
    assert main(["midi", "render", *words]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_command_draws_a_roll(tmp_path, capsys) -> None:
    target = tmp_path / "a.png"
    words = [str(score(tmp_path / "a.mid")), "-o", str(target)]
    assert main(["midi", "roll", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == 5
    assert target.read_bytes().startswith(b"\x89PNG")
    assert main(["midi", "roll", *words]) == 2
    assert main(["midi", "roll", words[0], "-o", str(tmp_path / "a.gif")]) == 2
