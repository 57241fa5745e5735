"""`jukeflow convert` as other programs call it: processes, exit codes, kills, full disks."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musiccore.audio.sound import Audio, sniff, write
from musiccore.conversion.memory import read
from tests.contracts.gcs_server import gcs_server

COMMAND = [sys.executable, "-m", "flows", "convert"]


def sound(path: Path, seconds: float = 0.2) -> Path:
    wave = 0.3 * np.sin(np.arange(int(seconds * 44100), dtype=np.float32) / 9)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write(Audio(samples=np.stack([wave, -wave]), sample_rate=44100), "wav"))
    return path


def convert(
    *words: object,
    cwd: Path,
    prepare: Callable[[], None] | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=prepare,
    )


def everything(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


UNUSED = {
    "asyncio", "email", "fsspec", "importlib.metadata", "librosa", "mido", "music21", "prefect",
    "pydantic", "pydub", "rich", "scipy", "torch",
    "flows.cli.midi_words", "musiccore.conversion.combine", "musiccore.conversion.ffmpeg",
    "musiccore.conversion.ledger", "musiccore.conversion.limiter", "musiccore.conversion.mpeg",
    "musiccore.conversion.mpegframes", "musiccore.conversion.ogg_pages", "musiccore.tags.mp4",
    "musiccore.tags.ogg",
}  # fmt: skip


def test_a_plain_conversion_loads_nothing_that_it_does_not_use(tmp_path) -> None:
    sound(tmp_path / "in.wav")
    child = (
        "import sys; from flows.__main__ import main; code = main(['convert', 'in.wav', 'a.flac']);"
        " print(code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", child],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    code, *loaded = done.stdout.splitlines()[-1].split()
    assert code == "0"
    assert set(loaded) & UNUSED == set()


def test_wav_becomes_a_real_mp3_and_back_by_the_names_of_both_options(tmp_path) -> None:
    sound(tmp_path / "in.wav")
    for words in (["in.wav", "out.mp3"], ["--input", "out.mp3", "--output", "back.wav"],
                  ["-in", "in.wav", "-out", "other.mp3"]):  # fmt: skip
        done = convert(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"{words[-1]}\n")
    assert sniff((tmp_path / "out.mp3").read_bytes()) == "mp3"
    assert sniff((tmp_path / "back.wav").read_bytes()) == "wav"
    assert read(tmp_path / "back.wav").n_samples == read(tmp_path / "in.wav").n_samples
    assert everything(tmp_path) == ["back.wav", "in.wav", "other.mp3", "out.mp3"]


def test_folder_of_good_and_bad_files_is_answered_in_json(tmp_path) -> None:
    for name in ("DIR/a.wav", "DIR/deep/b.wav"):
        sound(tmp_path / name)
    (tmp_path / "DIR" / "bad.wav").write_bytes(b"RIFF nonsense")
    (tmp_path / "DIR" / "cover.jpg").write_bytes(b"picture")
    done = convert("--json", "DIR", "--to", "flac", "--out", "DIR2", cwd=tmp_path)
    assert done.returncode == 6
    answer = json.loads(done.stdout)
    assert (answer["written"], answer["failed"]) == (2, 1)
    assert [row["destination"] for row in answer["files"]] == [
        "DIR2/a.flac", "DIR2/bad.flac", "DIR2/deep/b.flac",
    ]  # fmt: skip
    assert "2 written, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert everything(tmp_path / "DIR2") == ["a.flac", "deep/b.flac"]


def test_plan_is_shown_and_nothing_written(tmp_path) -> None:
    sound(tmp_path / "in" / "a.wav")
    done = convert("in/*.wav", "--to", "ogg", "--out", "out", "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "in/a.wav -> out/a.ogg\n")
    assert everything(tmp_path) == ["in/a.wav"]


def test_bucket_is_converted_into_a_bucket(tmp_path) -> None:
    with gcs_server() as cloud:
        for name in ("a", "sub/b"):
            data = sound(tmp_path / f"{name}.wav").read_bytes()
            cloud.store("in", f"album/{name}.wav", data, create=True)
        words = ("gs://in/album", "--to", "flac", "--out", "gs://out/album", "--new")
        done = convert(*words, cwd=tmp_path, **cloud.environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["gs://out/album/a.flac", "gs://out/album/sub/b.flac"]
        assert sniff(cloud.objects["out", "album/a.flac"]) == "flac"
        assert any(key.endswith(".done.json") for _, key in cloud.objects)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["bad.wav", "x.flac"], 2, "bad.wav"),
        (["empty.wav", "x.flac"], 2, "empty.wav"),
        (["missing.wav", "x.flac"], 2, "missing.wav"),
        (["folder", "x.flac"], 2, "folder"),
        (["a.wav", "a.wav"], 2, "is the source itself"),
        (["a.wav", "--to", "m4a"], 5, "jukeflow[ffmpeg]"),
        (["a.wav", "b.wav", "--to", "m4a", "--out", "x"], 5, "jukeflow[ffmpeg]"),
        (["a.wav", "bad.wav", "--to", "flac", "--out", "a.wav/x"], 2, "cannot be written"),
        (["a.wav", "/sys/kernel/x.flac"], 1, "'/sys/kernel/x.flac' cannot be written"),
        (["a.wav", "s3://bucket/x.flac"], 5, "s3fs"),
    ],
)
def test_each_fault_has_its_exit_code_and_one_line(tmp_path, words, code, named) -> None:
    sound(tmp_path / "a.wav")
    sound(tmp_path / "b.wav")
    (tmp_path / "bad.wav").write_bytes(b"no sound at all, only words")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder").mkdir()
    before = everything(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['imageio_ffmpeg'] = None\nsys.modules['s3fs'] = None\n"
    )
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    done = convert(*words, cwd=tmp_path, PYTHONPATH=path, PATH="/nonexistent")
    assert done.returncode == code, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "sitecustomize.py").unlink()
    assert [name for name in everything(tmp_path) if "__pycache__" not in name] == before


def test_full_disk_leaves_nothing(tmp_path) -> None:
    sound(tmp_path / "a.wav", seconds=10)

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))

    done = convert("a.wav", "out/b.aiff", cwd=tmp_path, prepare=small_files)
    assert done.returncode == 1, done.stderr
    assert "b.aiff" in done.stderr
    assert everything(tmp_path) == ["a.wav"]


def test_killed_conversion_leaves_nothing_that_the_next_one_does_not_finish(tmp_path) -> None:
    for n, seconds in enumerate((2, 40)):
        sound(tmp_path / "in" / f"{n}.wav", seconds=seconds)
    words = [*COMMAND, "in", "--to", "mp3", "--out", "out", "--jobs", "1", "--engine", "soundfile"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out" / "0.mp3").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        while not any(p.stat().st_size for p in (tmp_path / "out").glob(".*/files/*")):
            time.sleep(0.01)
        process.kill()
    assert [n for n in everything(tmp_path / "out") if n.endswith(".mp3") and n[0] != "."] == [
        "0.mp3"
    ]
    before = (tmp_path / "out" / "0.mp3").stat().st_mtime_ns
    done = convert(*words[4:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert everything(tmp_path / "out") == ["0.mp3", "1.mp3"]
    assert list((tmp_path / "out").glob(".*")) == []
    assert (tmp_path / "out" / "0.mp3").stat().st_mtime_ns == before


def test_three_takes_become_stereo_and_two_files_one(tmp_path) -> None:
    for name in ("left", "centre", "right"):
        sound(tmp_path / f"{name}.wav")
    done = convert(
        "--stereo", "left.wav", "centre.wav", "right.wav", "wide.flac", "--delays", "0,20,40",
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "wide.flac\n"), done.stderr
    assert read(tmp_path / "wide.flac").seconds == pytest.approx(0.24, abs=0.001)
    done = convert("--join", "left.wav", "right.wav", "-o", "two.ogg", "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)["files"]
    assert (row["source"], row["seconds"]) == ("left.wav + right.wav", 0.4)
