"""Small real files of every format, mutated and cut: an answer or one clear error, and quickly.

What is shorter than it was is said. The long run is `pytest -m soak`.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musiccore.conversion import open_sound
from musiccore.conversion.memory import read
from musiccore.errors import MusicCoreError
from tests.damage import LIMIT, Changes, edits, mutated

RATE = 16_000
FRAMES = 12_000
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
OURS = {
    "wav": ("WAV", "PCM_16"), "wav24": ("WAV", "PCM_24"), "wavex": ("WAVEX", "PCM_16"),
    "adpcm": ("WAV", "MS_ADPCM"), "rf64": ("RF64", "PCM_16"), "w64": ("W64", "FLOAT"),
    "aiff": ("AIFF", "PCM_16"), "au": ("AU", "PCM_16"), "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip
FOREIGN = {
    "m4a": ("-c:a", "aac"), "alac.m4a": ("-c:a", "alac"), "aac": ("-c:a", "aac"),
    "ac3": ("-ar", "32000", "-c:a", "ac3"), "mp2": ("-c:a", "mp2"), "ts": ("-c:a", "mp2"),
    "oga": ("-c:a", "flac", "-f", "ogg"), "wv": ("-c:a", "wavpack"), "tta": ("-c:a", "tta"),
    "wma": ("-c:a", "wmav2"), "webm": ("-c:a", "libopus"), "mka": ("-c:a", "pcm_s16le"),
    "caf": ("-c:a", "alac"), "wav": ("-c:a", "g722"), "avi": ("-c:a", "libmp3lame"),
}  # fmt: skip
PROMISING = ("wav", "wav24", "wavex", "rf64", "w64", "aiff", "au", "caf", "flac", "ogg", "opus",
             "mp3")  # fmt: skip
"""Formats that state how long they are, or where they end."""
FRAMED = ("mp3", "flac", "ogg", "opus")
"""Formats in which a change of any byte of the sound can be told."""


def tones() -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(FRAMES)[:, None] / RATE
    samples = 0.3 * np.sin(2 * np.pi * np.array([330.0, 495.0]) * t)
    return (samples + 0.01 * rng.standard_normal((FRAMES, 2))).astype(np.float32)


def made() -> dict[str, bytes]:
    files = {}
    for name, (container, subtype) in OURS.items():
        buffer = io.BytesIO()
        with soundfile.SoundFile(buffer, "w", RATE, 2, subtype, format=container) as file:
            file.write(tones())
        files[name] = buffer.getvalue()
    return files


WHOLE = made()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "a.wav").write_bytes(WHOLE["wav"])
    files = {}
    for number, (name, words) in enumerate(FOREIGN.items()):
        target = folder / f"{number}.{name}"
        command = [FFMPEG, "-v", "error", "-i", str(folder / "a.wav"), *words, str(target)]
        subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
        files[name] = target.read_bytes()
    return files


def heard(data: bytes, engine: str) -> tuple[int | None, str]:
    """Samples per channel, and what was said; None where it was refused."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.bin")
        path.write_bytes(data)
        try:
            sound = open_sound(path, engine=engine)
            n = sum(map(len, sound.blocks()))
            said = " ".join(filter(None, (*sound.warnings, sound.damage)))
            assert n < 1 << 22, "far more than can be in there"
        except MusicCoreError as error:
            n, said = None, error.message
    assert time.monotonic() - began < LIMIT
    assert "\n" not in said
    return n, said


def check_mutated(data: bytes, engine: str) -> None:
    heard(data, engine)
    try:
        read(data, max_seconds=60.0)
    except MusicCoreError:
        return


def check_cut(name: str, share: float, engine: str) -> None:
    whole, _ = heard(WHOLE[name], engine)
    n, said = heard(WHOLE[name][: int(share * len(WHOLE[name]))], engine)
    assert whole is not None
    assert n is None or n >= whole or said, (name, share, n)


def check_hurt(name: str, changes: Changes) -> None:
    """Behind the headers, so that what is promised stays."""
    data, head = WHOLE[name], 4500 if name in ("ogg", "opus") else 700
    whole, _ = heard(data, "soundfile")
    n, said = heard(data[:head] + mutated(data[head:], changes), "soundfile")
    assert whole is not None
    assert n is None or n >= whole or said, (name, n)


quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
long = settings(quick, max_examples=3000)
engines = st.sampled_from(("auto", "soundfile"))


@quick
@given(name=st.sampled_from(sorted(OURS)), changes=edits)
def test_any_change_gives_an_answer_or_one_error(name: str, changes: Changes) -> None:
    check_mutated(mutated(WHOLE[name], changes), "soundfile")


@settings(quick, max_examples=8)
@given(name=st.sampled_from(sorted(FOREIGN)), changes=edits)
def test_any_change_to_what_ffmpeg_reads_does_too(foreign, name: str, changes: Changes) -> None:
    heard(mutated(foreign[name], changes), "auto")


@quick
@given(name=st.sampled_from(PROMISING), share=st.floats(0, 1))
def test_what_was_cut_is_not_shorter_without_a_word(name: str, share: float) -> None:
    check_cut(name, share, "soundfile")


@quick
@given(name=st.sampled_from(FRAMED), changes=edits)
def test_what_was_hurt_is_not_shorter_without_a_word(name: str, changes: Changes) -> None:
    check_hurt(name, changes)


@quick
@given(data=st.binary(max_size=400), front=st.sampled_from((b"", b"RIFF", b"ID3", b"\xff\xfb")))
def test_bytes_of_nothing_are_refused(data: bytes, front: bytes) -> None:
    heard(front + data, "soundfile")


@pytest.mark.soak
@long
@given(
    name=st.sampled_from(sorted(OURS)), changes=edits, engine=st.sampled_from(("auto", "soundfile"))
)
def test_any_change_for_long(name: str, changes: Changes, engine: str) -> None:
    check_mutated(mutated(WHOLE[name], changes), engine)


@pytest.mark.soak
@settings(long, max_examples=1000)
@given(name=st.sampled_from(sorted(FOREIGN)), changes=edits)
def test_any_change_to_foreign_files_for_long(foreign, name: str, changes: Changes) -> None:
    heard(mutated(foreign[name], changes), "auto")


@pytest.mark.soak
@long
@given(
    name=st.sampled_from(PROMISING),
    share=st.floats(0, 1),
    engine=st.sampled_from(("auto", "soundfile")),
)
def test_cuts_for_long(name: str, share: float, engine: str) -> None:
    check_cut(name, share, engine)


@pytest.mark.soak
@long
@given(name=st.sampled_from(FRAMED), changes=edits)
def test_hurts_for_long(name: str, changes: Changes) -> None:
    check_hurt(name, changes)
