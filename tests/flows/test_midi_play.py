"""`midi play`: what reaches the sound card, through SDL's driver that writes it to a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from musiccore.audio.sound import FULL_SCALE_24, Audio, write
from musiccore.conversion.memory import read
from musiccore.errors import AudioError, ConfigError
from musiccore.scores.midi import write_midi
from musiccore.scores.score import Part, Reading, Score, ScoreNote, Tempo
from musiccore.synth.playback import MIDI, Output, load_sound, to_device
from musiccore.synth.player import Player

pytest.importorskip("pygame")

RATE = 44_100
FRAME_BYTES = 4  # stereo, 16 bits


def _score(path: Path, seconds: int = 1) -> Path:
    notes = tuple(
        ScoreNote(start=500 * n, duration=450, pitch=60 + n % 12, velocity=90)
        for n in range(2 * seconds)
    )
    tempos = (Tempo(tick=0, microseconds=500_000),)
    path.write_bytes(
        write_midi(Score(ticks_per_quarter=500, parts=(Part(notes=notes),), tempos=tempos))
    )
    return path


def _tone(path: Path, seconds: float = 0.3) -> Audio:
    t = np.arange(round(seconds * RATE)) / RATE
    wave = np.stack([0.9 * np.sin(2 * np.pi * 440 * t + 1), 0.5 * np.cos(2 * np.pi * 330 * t)])
    audio = Audio(samples=wave.astype(np.float32), sample_rate=RATE)
    path.write_bytes(write(audio, "wav"))
    return read(path)


@pytest.fixture
def captured(tmp_path, monkeypatch) -> Path:
    """SDL writes what would be heard to this file, as fast as it can."""
    target = tmp_path / "heard.raw"
    monkeypatch.setenv("SDL_AUDIODRIVER", "disk")
    monkeypatch.setenv("SDL_DISKAUDIOFILE", str(target))
    monkeypatch.setenv("SDL_DISKAUDIODELAY", "0")
    return target


def _heard(raw: Path, kind: str, channels: int, expected: np.ndarray) -> np.ndarray:
    """What was captured, from where it begins like `expected`, [time, channels]."""
    frames = np.fromfile(raw, dtype=kind).reshape(-1, channels)
    loud = np.argmax(np.any(expected != expected[0], axis=1)) if len(expected) > 1 else 0
    quiet = expected[: loud + 1]
    for at in np.flatnonzero(np.all(frames == expected[loud], axis=1)):
        first = at - loud
        if first >= 0 and np.array_equal(frames[first : at + 1], quiet):
            return frames[first : first + len(expected)]
    raise AssertionError("what was expected does not begin anywhere")


@pytest.mark.parametrize(
    ("bits", "kind", "channels"),
    [(-16, "<i2", 2), (32, "<f4", 2), (8, "u1", 1), (-16, "<i2", 6)],
)
def test_recording_is_heard_sample_for_sample(tmp_path, captured, bits, kind, channels) -> None:
    audio = _tone(tmp_path / "a.wav")
    words = ["-vol", "1", "-bit", str(bits), "-c", str(channels), "-buf", "512"]
    assert main(["midi", "play", str(tmp_path / "a.wav"), *words]) == 0
    expected = to_device(audio, Output(volume=1.0, bitsize=bits, nof_channels=channels))
    np.testing.assert_array_equal(_heard(captured, kind, channels, expected), expected)


def test_score_is_heard_as_its_rendered_file_sounds(tmp_path, captured) -> None:
    source, target = _score(tmp_path / "a.mid"), tmp_path / "a.wav"
    assert main(["midi", "render", str(source), "-o", str(target), "--engine", "own"]) == 0
    words = ["--midi_file", str(source), "--volume", "1", "--engine", "own", "--bitsize", "32"]
    assert main(["midi", "play", *words]) == 0
    expected = np.rint(read(target).samples.T.astype(np.float64) * FULL_SCALE_24)
    np.rint(np.fromfile(captured, dtype="<f4") * FULL_SCALE_24).astype("<i4").tofile(captured)
    heard = _heard(captured, "<i4", 2, expected.astype("<i4"))  # in the file's 24 bits
    np.testing.assert_array_equal(heard, expected)


def test_volume_is_linear(tmp_path, captured) -> None:
    _tone(tmp_path / "a.wav")
    peaks = {}
    for volume in (0.0, 0.2, 0.4, 0.8, 1.0):
        assert main(["midi", "play", str(tmp_path / "a.wav"), "-vol", str(volume)]) == 0
        peaks[volume] = np.abs(np.fromfile(captured, dtype="<i2").astype(int)).max()
    assert peaks[0.0] == 0
    for volume in (0.2, 0.4, 0.8):
        assert peaks[volume] / peaks[1.0] == pytest.approx(volume, rel=0.01)


def test_other_rate_keeps_pitch_and_length(tmp_path, captured) -> None:
    _tone(tmp_path / "a.wav")
    words = ["--frequency", "22050", "--volume", "1", "--nof_channels", "1"]
    assert main(["midi", "play", str(tmp_path / "a.wav"), *words]) == 0
    heard = np.trim_zeros(np.fromfile(captured, dtype="<i2").astype(float))
    assert len(heard) == pytest.approx(0.3 * 22_050, abs=16)
    levels = np.abs(np.fft.rfft(heard, 1 << 16))
    assert np.argmax(levels) * 22_050 / (1 << 16) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-freq", "-5"], "frequency is -5"),
        (["-freq", "0"], "frequency is 0"),
        (["-freq", "192001"], "frequency is 192001"),
        (["-bit", "24"], "bitsize is 24"),
        (["-bit", "-32"], "bitsize is -32"),
        (["-c", "3"], "nof_channels is 3"),
        (["-buf", "1"], "buffer is 1"),
        (["-buf", "1000"], "buffer is 1000"),
        (["-vol", "1.1"], "volume is 1.1"),
        (["-vol", "nan"], "volume is nan"),
        (["-c", "8"], "nof_channels"),
        (["-mid", "b.mid"], "two files are named"),
    ],
)
def test_wrong_options_are_refused_at_once(tmp_path, capsys, captured, words, named) -> None:
    _tone(tmp_path / "a.wav", seconds=0.05)
    assert main(["midi", "play", str(tmp_path / "a.wav"), *words]) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.mid", "missing.wav", "broken.mid", "broken.wav", "nope"])
def test_missing_or_broken_file_ends_with_two(tmp_path, capsys, captured, name) -> None:
    for broken in ("broken.mid", "broken.wav"):
        (tmp_path / broken).write_bytes(b"nonsense, and too short")
    assert main(["midi", "play", str(tmp_path / name)]) == 2
    assert name in capsys.readouterr().err
    assert main(["midi", "play"]) == 2


def test_without_a_device_a_file_is_offered(tmp_path, capfd, monkeypatch) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", "alsa")
    monkeypatch.setenv("AUDIODEV", "no-such-device")
    _tone(tmp_path / "a.wav")
    assert main(["midi", "play", str(tmp_path / "a.wav")]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("error: no sound device can be opened")
    assert "jukeflow midi render" in lines[1]
    assert len(lines) == 2  # ALSA's own dozen lines are kept back


def test_without_pygame_the_extra_is_named(tmp_path, capsys, monkeypatch) -> None:
    _tone(tmp_path / "a.wav")
    for name in [name for name in sys.modules if name.split(".")[0] == "pygame"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pygame", None)
    assert main(["midi", "play", str(tmp_path / "a.wav")]) == 5
    assert "jukeflow[play]" in capsys.readouterr().err


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_music_long_before_its_end(tmp_path, signum) -> None:
    source = _score(tmp_path / "long.mid", seconds=60)
    raw = tmp_path / "heard.raw"
    environment = {**os.environ, "SDL_AUDIODRIVER": "disk", "SDL_DISKAUDIOFILE": str(raw)}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "midi", "play", str(source), "--engine", "own"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (raw.exists() and raw.stat().st_size > RATE):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signum)
        _, said = process.communicate()
        assert process.returncode == 4
        assert raw.stat().st_size < 0.5 * 60 * RATE * FRAME_BYTES
        assert "Traceback" not in said
    finally:
        process.kill()


def test_seed_class_plays_and_checks(tmp_path, captured) -> None:
    audio = _tone(tmp_path / "a.wav")
    MIDI(1.0, RATE, -16, 2, 1024).play_midi(tmp_path / "a.wav")
    expected = to_device(audio, Output(volume=1.0))
    np.testing.assert_array_equal(_heard(captured, "<i2", 2, expected), expected)
    with pytest.raises(ConfigError, match="frequency is -5"):
        MIDI(freq=-5)


def test_recording_that_ends_early_is_said_and_refused_being_strict(tmp_path) -> None:
    _tone(tmp_path / "tone.wav")
    cut = tmp_path / "cut.wav"
    cut.write_bytes((tmp_path / "tone.wav").read_bytes()[:20_000])
    said: list[str] = []
    load_sound(cut, Output(), Player.find("own"), warn=said.append)
    assert "'cut.wav' promises" in said[0]
    with pytest.raises(AudioError, match=r"strict: 'cut\.wav' promises"):
        load_sound(cut, Output(), Player.find("own"), reading=Reading(strict=True))
