"""Music is made again from the file alone, whatever led to it, and the verdict is true."""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.conversion import ConversionOptions, convert
from musiccore.conversion.memory import read
from musiccore.delivery.origin import Wanted
from musiccore.delivery.reproduction import begin_again, compare_again, create_again, make_again
from musiccore.models.machine import Machine
from musiccore.runs.model_sampler import ModelSampler
from musiccore.runs.open_run import open_run
from musiccore.tags import read_tags, write_tags
from musiccore.testing import sine
from tasks.context import shared_store
from tests.flows.plain_steps import Talk, plain_steps


@pytest.fixture(scope="module")
def steps():
    with plain_steps() as sampled:
        yield sampled


@pytest.fixture(scope="module")
def files(steps, tmp_path_factory) -> dict[str, Path]:
    """Everything that a long conversation delivered, by its path in the run."""
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin()
    talk.work()
    talk.go("continue", 2, seconds=0.1)
    talk.go("again", 3)
    talk.choose("change", 5, changes={"temperature": 2.0})
    parts = [(5, 0, 0.2), (1, 0, 0.1), (5, 0.1, 0.3)]
    talk.go("splice", parts=[{"take": t, "start": a, "end": b} for t, a, b in parts])
    talk.choose("note", 1, stars=3)
    talk.go("more", 7)
    talk.go("audition", 8, start=0, end=0.06)
    talk.go("upsample", 8, 2, copies=2)
    talk.go("redo", 8, start=0.2, end=0.25, changes={"top_k": 5})
    talk.go("continue", 8, seconds=0.2, count=1)
    talk.go("upsample", 10)
    folder, found = tmp_path_factory.mktemp("files"), {}
    paths = [
        event.fields["file"]["path"] for event in talk.events("candidate") if "file" in event.fields
    ]
    paths += [f["path"] for e in talk.events("exported") for f in e.fields["files"]]
    for path in paths:
        if path.endswith((".wav", ".flac")):
            found[path] = folder / path.replace("/", "-")
            found[path].write_bytes(talk.store.at("song").get(path))
    return found


@pytest.fixture
def master(files) -> Path:
    return files["export/take-8-3/master.wav"]


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary stores, and an environment that the command may change."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("JUKEFLOW_STORE", str(tmp_path / "runs"))
    monkeypatch.setenv("JUKEFLOW_DTYPE", "float32")
    monkeypatch.setenv("JUKEFLOW_THREADS", "1")
    return folder


def tone(seconds: float) -> bytes:
    samples = sine(440, seconds, 8000)[None]
    return audio.write(Audio(samples=samples, sample_rate=8000), "wav")


def reproduced(path: Path):
    wanted, store, here = Wanted.of(path), shared_store(), Machine()
    unlike = create_again(store, wanted, "", here)
    with open_run(store, wanted.run_id, here) as run:
        prospect = begin_again(run, wanted, "", unlike)
        make_again(run, wanted.origin)
        return prospect, compare_again(run, wanted, path)


@pytest.mark.parametrize(
    "name",
    [
        "rounds/001/take-2.wav",
        "rounds/005/take-9.wav",
        "export/level_1.flac",
        "export/take-2-2/level_0.flac",
        "export/take-8-3/master.wav",
        "export/take-10/master.wav",
    ],
)
def test_everything_that_was_delivered_is_made_again(files, name):
    prospect, report = reproduced(files[name])
    assert report.verdict == "identical"
    assert prospect.differences == ()
    assert report.sound.identical
    assert all(first == again for first, again in report.codes.values())
    assert min(report.codes) == read_tags(files[name])["provenance"]["level"]


def test_only_what_the_music_comes_from_is_sampled(files, steps):
    before = len(steps)
    reproduced(files["rounds/003/take-5.wav"])
    assert steps[before:] == [(2, (0, 1), 0), (2, (4, 5), 0)]  # not the round that was tried first


def test_nano_is_made_again(steps, tmp_path):
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps)
    talk.begin(model="nano", seconds=4.1, takes=1, conditioning={"genre": "piano minor"})
    talk.work()
    path = tmp_path / "take.wav"
    path.write_bytes(talk.store.at("song").get("rounds/001/take-1.wav"))
    assert reproduced(path)[1].verdict == "identical"


# --------------------------------------------------------------------------------- the command


def test_command_says_all_before_and_after_and_leaves_nothing(master, temporary, capsys):
    assert main(["reproduce", str(master)]) == 0
    out, err = capsys.readouterr()
    assert "to make: level 2: 3 windows" in err
    assert out.splitlines()[-1] == "verdict: identical"
    assert "codes, level 0" in out
    assert list(temporary.iterdir()) == []


def test_converted_mp3_is_the_same_music(files, tmp_path, capsys):
    path, out = tmp_path / "cut.mp3", tmp_path / "again.flac"
    options = ConversionOptions(kind="mp3", sample_rate=16000, channels=2, start=0.1)
    convert(files["export/level_0.flac"], path, options)
    (conversion,) = read_tags(path)["provenance"]["conversions"]
    assert conversion["options"]["start"] == 0.1
    assert main(["reproduce", str(path), "--json", "--out", str(out)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "same codes"
    assert report["pcm"]["same"]
    assert report["sound"]["offset_seconds"] == pytest.approx(0.1, abs=0.01)
    assert report["sound"]["resampled"]
    assert report["sound"]["mixed"]
    original = read(files["export/level_0.flac"])
    assert audio.pcm_sha256(read(out)) == audio.pcm_sha256(original)
    assert main(["reproduce", str(path), "--out", str(out)]) == 2


def test_delivered_mp3_is_identical(master, tmp_path, capsys):
    path = tmp_path / "master.mp3"
    path.write_bytes(write_tags(audio.write(read(master), "mp3"), provenance(master)))
    assert main(["reproduce", str(path)]) == 0
    assert "after the same encoder" in capsys.readouterr().out


def test_interrupted_command_goes_on(master, temporary, steps, monkeypatch, capsys):
    real, before = ModelSampler.__call__, len(steps)

    def stopped(self, unit, codes, upper, on_step):
        if len(steps) == before + 3:
            raise KeyboardInterrupt
        return real(self, unit, codes, upper, on_step)

    with monkeypatch.context() as patch:
        patch.setattr(ModelSampler, "__call__", stopped)
        assert main(["reproduce", str(master)]) == 4
    (store,) = temporary.iterdir()
    sampled = list(steps)
    with monkeypatch.context() as patch:  # again, before anything is sampled
        patch.setattr("musiccore.models.loading.Models.digests", _interrupted)
        assert main(["reproduce", str(master)]) == 4
    assert steps == sampled
    assert f"--store {store}" in capsys.readouterr().err
    assert main(["reproduce", str(master)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "verdict: identical"
    assert len(steps) == len(set(steps[before:])) + before
    assert list(temporary.iterdir()) == []


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def provenance(path: Path) -> dict[str, object]:
    return json.loads(json.dumps(read_tags(path)["provenance"]))


def test_other_codes_and_other_sound_are_told(master, tmp_path, capsys):
    facts, path = provenance(master), tmp_path / "other.wav"
    path.write_bytes(write_tags(master.read_bytes(), {**facts, "codes": {"2": "ab" * 32}}))
    assert main(["reproduce", str(path)]) == 1
    assert "verdict: different" in capsys.readouterr().out
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 3000)).astype(np.float32)
    other = audio.write(Audio(samples=noise, sample_rate=8000), "wav")
    path.write_bytes(write_tags(other, facts))
    assert main(["reproduce", str(path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "different"
    assert all(level["same"] for level in report["codes"].values())


def test_what_differs_here_is_said_before_any_time_is_spent(master, tmp_path, steps, capsys):
    facts, path, before = provenance(master), tmp_path / "other.wav", len(steps)
    facts["numerics"]["device"] = "cuda H100"
    facts["weights"]["tiny_prior"] = "ab" * 32
    facts["origin"]["versions"]["torch"] = "1.0"
    path.write_bytes(write_tags(master.read_bytes(), facts))
    assert main(["reproduce", str(path), "--dry-run"]) == 0
    err = capsys.readouterr().err
    for text in ("device: cuda H100 then", "weights of tiny_prior", "version of torch: 1.0 then"):
        assert text in err
    assert len(steps) == before


BAD = [
    ({"origin": None}, "older version"),
    ({"codes": {}}, "older version"),
    ({"codes": {"x": "ab"}}, "damaged"),
    ({"take": "1"}, "damaged"),
    ({"take": 99}, "take is 99"),
    ({"weights": 3}, "damaged"),
]
BAD_ORIGINS = [
    ({"request": {"model": "5c"}}, "model"),
    ({"request": {"model": "tiny", "seconds": "long"}}, "seconds"),
    ({"choices": [{"choice": {"action": "fly"}}]}, "damaged"),
    (
        {
            "choices": [
                {"choice": {"action": "continue", "takes": [44], "seconds": 1}, "takes": [45]}
            ]
        },
        "44",
    ),
    ({"choices": 7}, "damaged"),
    ({"song": 9}, "rendition is 9"),
]


@pytest.mark.parametrize(
    ("change", "word"), [*BAD, *(({"origin": one}, word) for one, word in BAD_ORIGINS)]
)
def test_damaged_provenance_is_refused(master, tmp_path, capsys, change, word):
    facts, path = provenance(master), tmp_path / "bad.wav"
    if isinstance(change.get("origin"), dict):
        change = {"origin": {**facts["origin"], **change["origin"]}}
    path.write_bytes(write_tags(master.read_bytes(), {**facts, **change}))
    assert main(["reproduce", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert word in err.splitlines()[0]


def test_other_files_are_refused(tmp_path, capsys):
    path = tmp_path / "tone.wav"
    path.write_bytes(tone(0.5))
    assert main(["reproduce", str(path)]) == 2
    assert "not made by jukeflow" in capsys.readouterr().err
    assert main(["reproduce", str(tmp_path / "none.wav")]) == 2
    assert main(["explain", str(path)]) == 0
    assert "not made by jukeflow" in capsys.readouterr().err


def test_primer_is_asked_for_and_checked(steps, tmp_path, capsys):
    primer, other, take = (tmp_path / f"{name}.wav" for name in ("primer", "other", "take"))
    primer.write_bytes(tone(0.2))
    other.write_bytes(tone(0.3))
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(primer=str(primer), takes=1)
    talk.work()
    take.write_bytes(talk.store.at("song").get("rounds/001/take-1.wav"))
    moved = primer.rename(tmp_path / "moved.wav")
    assert main(["reproduce", str(take)]) == 2
    assert "--primer FILE" in capsys.readouterr().err
    assert main(["reproduce", str(take), "--primer", str(other)]) == 2
    assert "not the one" in capsys.readouterr().err
    assert main(["reproduce", str(take), "--primer", str(moved)]) == 0
    assert "verdict: identical" in capsys.readouterr().out


def test_flow_says_the_same(prefect_server, store_root, files):
    from flows.reproduce import reproduce

    found = reproduce(str(files["rounds/001/take-1.wav"]))
    assert found["verdict"] == "identical"


def test_explain_tells_choices_and_conversions(files, tmp_path, capsys):
    path = tmp_path / "song.ogg"
    convert(files["export/take-8-3/level_0.flac"], path, ConversionOptions(kind="ogg"))
    assert main(["explain", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "made by jukeflow" in err
    lines = [line for line in out.splitlines() if line.startswith(("choice", "conversion"))]
    assert lines[0] == "choice 1: continue take 2 by 0.1 s"
    assert lines[-2].startswith("choice 8: redo take 8 from 0:00.2")
    assert lines[-1].startswith("conversion 1: from ")
