"""Names of any bytes, standard input and output, and pipes, as the command meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from musiccore.audio.sound import Audio, write
from musiccore.conversion.memory import read

COMMAND = [sys.executable, "-m", "flows", "convert"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture(scope="module")
def wav() -> bytes:
    wave = 0.3 * np.sin(np.arange(4410, dtype=np.float32) / 9)
    return write(Audio(samples=np.stack([wave, -wave]), sample_rate=44100), "wav")


def convert(
    *words: str | bytes, cwd: Path, data: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *words], cwd=cwd, env={**ENVIRONMENT, **environment}, input=data,
        capture_output=True, timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "m4a", "au"])
def test_a_name_that_is_no_utf8_is_read_and_written(tmp_path, wav, kind) -> None:
    folder = os.fsencode(tmp_path) + b"/f\xfcr"
    os.mkdir(folder)
    with open(folder + b"/caf\xe9.wav", "wb") as file:
        file.write(wav)
    done = convert("--json", folder, "--to", kind, "--out", b"\xe4us", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    target = os.fsencode(tmp_path) + b"/\xe4us/caf\xe9." + kind.encode()
    assert read(os.fsdecode(target)).n_samples == 4410
    row = json.loads(done.stdout.decode())["files"][0]  # which is UTF-8 all the same
    assert os.fsencode(row["destination"]) == b"\xe4us/caf\xe9." + kind.encode()
    back = convert(target, b"b\xe9.wav", cwd=tmp_path)
    assert back.returncode == 0, back.stderr


def test_such_names_are_remembered_and_shown(tmp_path, wav) -> None:
    folder = os.fsencode(tmp_path) + b"/in"
    os.mkdir(folder)
    for name in (b"caf\xe9.wav", b"two\nlines.wav"):
        with open(folder + b"/" + name, "wb") as file:
            file.write(wav)
    words = ("in", "--to", "flac", "--out", "out", "--new", "--quiet-seconds", "0")
    first, second = convert(*words, cwd=tmp_path), convert(*words, cwd=tmp_path)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert b"2 written" in first.stderr
    assert b"nothing to do" in second.stderr
    assert b"two\\nlines.wav" in first.stderr


@pytest.mark.parametrize("kind", ["flac", "mp3", "wav", "m4a", "ogg"])
def test_a_name_may_be_as_long_as_a_disk_allows(tmp_path, wav, kind) -> None:
    (tmp_path / "a.wav").write_bytes(wav)
    name = ("桜" * 83)[: (254 - len(kind)) // 3] + "." + kind
    name = "x" * (255 - len(name.encode())) + name
    done = convert("a.wav", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = convert(name, "b.wav", "--force", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert sorted(os.listdir(tmp_path)) == sorted(["a.wav", "b.wav", name])


def test_standard_input_and_output(tmp_path, wav) -> None:
    (tmp_path / "a.wav").write_bytes(wav)
    for words, data in (
        (["-", "b.flac"], wav), (["a.wav", "-", "--to", "flac"], b""),
        (["-", "-", "--to", "flac"], wav), (["-", "--out", "-", "--to", "flac"], wav),
    ):  # fmt: skip
        done = convert(*words, cwd=tmp_path, data=data)
        assert done.returncode == 0, done.stderr
        flac = (tmp_path / "b.flac").read_bytes() if "b.flac" in words else done.stdout
        assert read(flac).n_samples == 4410
        (tmp_path / "b.flac").unlink(missing_ok=True)
    with (tmp_path / "a.wav").open("rb") as file:  # a file, not a pipe
        done = subprocess.run(
            [*COMMAND, "-", "c.mp3"], cwd=tmp_path, env=ENVIRONMENT, stdin=file, check=False,
            timeout=100,
        )  # fmt: skip
    assert done.returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "c.mp3"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-", "--to", "flac"], "standard input has no name"),
        (["a.wav", "-"], "standard output has no name that says the format"),
        (["a.wav", "-", "--to", "flac", "--json"], "standard output is taken"),
        (["text", "-", "--to", "flac"], "is not audio"),
        (["-", "x.flac"], "is empty"),
    ],
)
def test_what_streams_cannot_be_is_said(tmp_path, wav, words, named) -> None:
    (tmp_path / "a.wav").write_bytes(wav)
    (tmp_path / "text").write_bytes(b"words" * 99)
    done = convert(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b""), done.stderr
    assert named in done.stderr.decode()
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "text"]


def test_a_pipe_is_read_to_its_end(tmp_path, wav) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen([*COMMAND, "pipe", "a.flac"], cwd=tmp_path, env=ENVIRONMENT) as process:
        with (tmp_path / "pipe").open("wb") as pipe:
            pipe.write(wav[:1000])
            pipe.flush()
            pipe.write(wav[1000:])
        assert process.wait(60) == 0
    assert read(tmp_path / "a.flac").n_samples == 4410


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_that_nobody_writes_ends_with_the_process(tmp_path, signum) -> None:
    os.mkfifo(tmp_path / "pipe")
    words = [*COMMAND, "pipe", "out/a.flac"]
    with subprocess.Popen(words, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not list((tmp_path / "out").glob(".jukeflow-*")):
            time.sleep(0.05)
        time.sleep(0.3)  # into the waiting; earlier it would end as well
        process.send_signal(signum)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 4, said
    assert b"Traceback" not in said
    assert os.listdir(tmp_path) == ["pipe"]
