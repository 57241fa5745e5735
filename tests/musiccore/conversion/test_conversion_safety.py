"""A target appears whole or not at all, whatever happens in between."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musiccore.conversion import ConversionOptions, appearing, convert, join, sweep
from musiccore.errors import AudioError, ConfigError


def noise(path: Path, seconds: float = 1.0) -> Path:
    rng = np.random.default_rng(3)
    soundfile.write(path, 0.1 * rng.standard_normal((round(seconds * 44100), 2)), 44100)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_target_that_is_the_source_is_refused_under_all_its_names(tmp_path) -> None:
    source = noise(tmp_path / "a.wav")
    before = source.read_bytes()
    (tmp_path / "hard.wav").hardlink_to(source)
    (tmp_path / "soft.wav").symlink_to(source)
    (tmp_path / "x").mkdir()
    for target in ("a.wav", "hard.wav", "soft.wav", "x/../a.wav"):
        for make in (
            lambda target: convert(source, target, ConversionOptions(kind="wav"), force=True),
            lambda target: join([noise(tmp_path / "b.wav"), source], target,
                                ConversionOptions(kind="wav"), force=True),
        ):  # fmt: skip
            with pytest.raises(ConfigError, match="is the source itself"):
                make(tmp_path / target)
    assert source.read_bytes() == before


def test_existing_target_and_dangling_link_are_left_alone(tmp_path) -> None:
    source = noise(tmp_path / "a.wav")
    (tmp_path / "b.flac").write_bytes(b"mine")
    (tmp_path / "c.flac").symlink_to(tmp_path / "nowhere")
    for name in ("b.flac", "c.flac"):
        with pytest.raises(ConfigError, match=f"{name}' exists"):
            convert(source, tmp_path / name, ConversionOptions(kind="flac"))
    (tmp_path / "d.flac").mkdir()
    with pytest.raises(ConfigError, match=r"d\.flac' is a folder"):
        convert(source, tmp_path / "d.flac", ConversionOptions(kind="flac"), force=True)
    assert names(tmp_path) == ["a.wav", "b.flac", "c.flac", "d.flac"]
    assert (tmp_path / "b.flac").read_bytes() == b"mine"


def test_target_that_came_up_in_the_meantime_is_left_alone(tmp_path) -> None:
    with pytest.raises(ConfigError, match="exists"), appearing(tmp_path / "a") as aside:
        aside.write_bytes(b"ours")
        (tmp_path / "a").write_bytes(b"theirs")
    assert (tmp_path / "a").read_bytes() == b"theirs"
    assert names(tmp_path) == ["a"]


def test_what_lies_beside_appears_too(tmp_path) -> None:
    with appearing(tmp_path / "x" / "a.aac") as aside:
        aside.write_bytes(b"sound")
        aside.with_name("a.aac.json").write_bytes(b"tags")
        assert names(tmp_path / "x") != ["a.aac"]
    assert names(tmp_path / "x") == ["a.aac", "a.aac.json"]


def test_folder_that_cannot_be_written_is_named(tmp_path) -> None:
    source = noise(tmp_path / "a.wav")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AudioError, match=r"file/b\.flac' cannot be written"):
        convert(source, tmp_path / "file" / "b.flac", ConversionOptions(kind="flac"))
    with pytest.raises(AudioError, match="cannot be written: File name too long"):
        convert(source, tmp_path / ("x" * 300 + ".flac"), ConversionOptions(kind="flac"))
    assert names(tmp_path) == ["a.wav", "file"]


SCRIPT = """
import signal, sys, time
from pathlib import Path
from musiccore.conversion import ConversionOptions, convert
from musiccore.errors import AudioError
source, target, engine = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def progress(share):
    if len(sys.argv) > 4 and share > 0.3:
        print("half", flush=True)
        time.sleep(60)
try:
    options = ConversionOptions(kind=target.suffix[1:], engine=engine)
    convert(source, target, options, progress=progress)
except AudioError as error:
    sys.exit(error.message)
"""


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_killed_conversion_leaves_no_target_and_the_next_one_cleans_up(tmp_path, kind) -> None:
    source, out = noise(tmp_path / "a.wav", 8.0), tmp_path / "out"
    target = out / f"b.{kind}"
    script = [sys.executable, "-c", SCRIPT, source, target, "soundfile", "wait"]
    with subprocess.Popen(script, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        assert [name[0] for name in names(out)] == ["."]
        assert sweep(out) == 0  # it is still being written
        process.send_signal(signal.SIGKILL)
    assert not target.exists()
    convert(source, target, ConversionOptions(kind=kind))
    assert names(out) == [target.name]


@pytest.mark.parametrize(
    ("kind", "engine"), [("wav", "auto"), ("mp3", "soundfile"), ("ogg", "auto"), ("mp3", "ffmpeg")]
)
def test_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path, kind, engine) -> None:
    source, out = noise(tmp_path / "a.wav", 6.0), tmp_path / "out"

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, source, out / f"b.{kind}", engine],
        preexec_fn=small_disk, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert f"'b.{kind}' cannot be written" in done.stderr
    assert names(out) == []


def test_many_writers_of_one_folder_do_not_disturb_each_other(tmp_path) -> None:
    source, out = noise(tmp_path / "a.wav", 0.5), tmp_path / "out"
    script = [sys.executable, "-c", SCRIPT, source]
    running = [subprocess.Popen([*script, out / f"{number}.flac", "auto"]) for number in range(4)]
    while any(process.poll() is None for process in running):
        if out.exists():
            sweep(out)
        time.sleep(0.005)
    assert [process.returncode for process in running] == [0] * 4
    assert names(out) == [f"{number}.flac" for number in range(4)]


def test_stopped_conversion_leaves_nothing(tmp_path) -> None:
    class Stop(BaseException):
        pass

    def progress(share: float) -> None:
        raise Stop

    for kind, engine in (("flac", "auto"), ("mp3", "ffmpeg")):
        with pytest.raises(Stop):
            convert(noise(tmp_path / "a.wav"), tmp_path / "out" / f"b.{kind}",
                    ConversionOptions(kind=kind, engine=engine), progress=progress)  # fmt: skip
    assert names(tmp_path / "out") == []


def test_progress_goes_up_to_one(tmp_path) -> None:
    told: list[float] = []
    options = ConversionOptions(kind="flac", loudness=-20.0)
    convert(noise(tmp_path / "a.wav", 4.0), tmp_path / "b.flac", options, progress=told.append)
    assert told == sorted(told)
    assert 0.0 < told[0] < 0.5
    assert told[-1] == 1.0
    part: list[float] = []
    options = ConversionOptions(kind="flac", seconds=0.5)
    convert(tmp_path / "a.wav", tmp_path / "c.flac", options, progress=part.append)
    assert part == sorted(part)
    assert part[-1] == 1.0


MEMORY = """
import resource, sys
from pathlib import Path
import numpy, soundfile, soxr
from musiccore.conversion import ConversionOptions, convert
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
convert(Path(sys.argv[1]), Path(sys.argv[2]), ConversionOptions(kind="flac", sample_rate=11025))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_memory_does_not_grow_with_the_sound(tmp_path) -> None:
    long = tmp_path / "long.wav"
    with soundfile.SoundFile(long, "w", 8000, 2, "PCM_16") as file:
        second = np.random.default_rng(0).integers(-3000, 3000, (8000, 2), dtype=np.int16)
        for _ in range(600):
            file.write(second)
    done = subprocess.run([sys.executable, "-c", MEMORY, long, tmp_path / "b.flac"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert (
        float(done.stdout) < 20
    )  # MiB; the samples alone are 37 as float32, and 50 at the new rate
    assert os.path.getsize(tmp_path / "b.flac") > 1 << 20


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [10, 30])
@pytest.mark.parametrize("words", ["", ", loudness=-14.0, fade_out=5.0"])
def test_hours_need_no_more_memory_than_minutes(tmp_path, minutes, words) -> None:
    long = tmp_path / "long.wav"
    with soundfile.SoundFile(long, "w", 44100, 2, "PCM_16") as file:
        second = np.random.default_rng(0).integers(-3000, 3000, (44100, 2), dtype=np.int16)
        for _ in range(60 * minutes):
            file.write(second)
    code = MEMORY.replace('kind="flac", sample_rate=11025', f'kind="flac"{words}')
    done = subprocess.run([sys.executable, "-c", code, long, tmp_path / "b.flac"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert float(done.stdout) < 150
