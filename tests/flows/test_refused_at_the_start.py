"""What the machine refuses is found before any work, in one sentence, and nothing is made."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from flows.__main__ import main
from musiccore import audio
from musiccore.composer import sizes as config
from musiccore.journal.journal import Journal
from musiccore.storage.store import open_store
from musiccore.testing import sine
from tests.contracts.store_suite import run_record

TINY = ("--model", "tiny", "--seconds", "0.45")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a file where a folder is wanted, a sound, and nothing else."""
    monkeypatch.chdir(tmp_path)
    for name in ("JUKEFLOW_STORE", "JUKEFLOW_CACHE", "XDG_CACHE_HOME", "JUKEFLOW_ROOM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "stands").write_text("here")
    tone = audio.Audio(samples=sine(440.0, 0.2, 16000)[None], sample_rate=16000)
    (tmp_path / "tone.wav").write_bytes(audio.write(tone, "wav"))
    return tmp_path


def refused(words: list[str], here: Path, capfd) -> str:
    """Run a command that is refused; return the error line."""
    before = sorted(here.rglob("*"))
    assert main(words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    first, *rest = err.splitlines()
    assert first.startswith("error: ")
    assert all(line.startswith("hint: ") for line in rest)
    assert sorted(here.rglob("*")) == before
    return first


@pytest.mark.parametrize(
    "words",
    [
        ["midi", "compose", "--out", "stands/song.mid"],
        ["midi", "train", "chorales", "--out", "stands/model"],
        ["midi", "render", "bwv66.6", "--out", "stands/song.wav"],
        ["midi", "transcribe", "tone.wav", "--out", "stands/song.mid"],
        ["convert", "tone.wav", "--to", "flac", "--out", "stands/"],
        ["train", "nano", "--out", "stands/nano"],
        ["train", "nano", "--folder", "stands/training"],
    ],
    ids=lambda words: " ".join(words[:2]) + " " + words[-2],
)
def test_output_that_cannot_be_written_is_refused_before_the_work(words, here, capfd, monkeypatch):
    monkeypatch.setattr(config, "one_thread", lambda: pytest.fail("the work began"))
    first = refused(words, here, capfd)
    assert "stands" in first
    assert "a file, not a folder" in first


@pytest.mark.parametrize(
    "words",
    [
        ["generate", *TINY, "--store", "stands"],
        ["generate", *TINY, "--store", "stands/runs"],
        ["compose", *TINY, "--store", "stands"],
        ["plan", *TINY, "--store", "stands/runs"],
        ["serve", "--store", "stands"],
        *([name, "--store", "stands"] for name in ("runs", "resume", "listen")),
        *([name, "song", "--store", "gone"] for name in ("show", "verify", "tree", "purge")),
        ["verify", "song", "--repair", "--store", "gone"],
        ["listen", "--file", "song", "--store", "gone"],
        ["upsample", "song", "--store", "gone"],
        ["choose", "song", "--take", "1", "--store", "gone"],
    ],
    ids=lambda words: " ".join((*words[:2], words[-1])),
)
def test_store_that_cannot_be_is_refused_and_not_made(words, here, capfd):
    assert words[-1].split("/")[0] in refused(words, here, capfd)


@pytest.mark.parametrize("words", [["runs"], ["resume"], ["show", "song"], ["verify", "song"]])
def test_store_of_the_environment_that_is_not_there_is_refused(words, here, capfd, monkeypatch):
    monkeypatch.setenv("JUKEFLOW_STORE", str(here / "gone"))
    assert f"there is no folder {here / 'gone'}" in refused(words, here, capfd)


@pytest.mark.parametrize("words", [["listen"], ["serve"]], ids=" ".join)
def test_room_whose_token_cannot_be_kept_is_refused_at_once(words, here, capfd, monkeypatch):
    (here / "runs").mkdir()
    monkeypatch.setenv("JUKEFLOW_CACHE", str(here / "stands"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert "token" in refused(words, here, capfd)


def test_home_of_prefect_that_cannot_be_is_refused_at_once(here, capfd, monkeypatch):
    (here / "runs").mkdir()
    monkeypatch.setenv("PREFECT_HOME", str(here / "stands"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert "stands" in refused(["serve", "--no-room"], here, capfd)


def test_nothing_is_begun_where_no_temporary_folder_is(here, capfd, monkeypatch):
    def nowhere(**_: object) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "mkdtemp", nowhere)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert main(["generate", *TINY, "--run", "song", "--store", "runs"]) == 1
    assert "TMPDIR" in capfd.readouterr().err
    assert list(Path("runs").glob("*")) == []


def test_doctor_says_that_a_store_is_not_there_and_makes_none(here, capfd):
    main(["doctor", "--store", "gone", "--json"])
    rows = {row["check"]: row for row in json.loads(capfd.readouterr().out)}
    assert rows["store"]["value"].endswith("not there yet, the first song makes it")
    main(["doctor", "--store", "drive/runs", "--json"])
    rows = {row["check"]: row for row in json.loads(capfd.readouterr().out)}
    assert not rows["store"]["ok"]
    assert not Path("gone").exists()
    assert not Path("drive").exists()


@pytest.mark.parametrize("damage", ["empty", "gone", "folder", "garbage"])
def test_one_run_without_its_request_hides_no_other(damage, here, capfd):
    store = open_store("runs")
    for name in ("bad", "fine"):
        with Journal.create(store, run_record(name)) as journal, journal.claimed():
            journal.append("selection", takes=[1])
    record = Path("runs/bad/run.json")
    (here / "runs/bad/copies/run.json").unlink()
    record.unlink()
    if damage == "folder":
        record.mkdir()
    elif damage != "gone":
        record.write_bytes(b"" if damage == "empty" else b"\0\xff")
    assert main(["runs", "--json", "--store", "runs"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [(one["run"], one["state"]) for one in found if one["run"] == "bad"] == [
        ("bad", "damaged")
    ]
    assert len(found) == 2
    assert main(["resume", "--store", "runs"]) == 0
    err = capfd.readouterr().err
    assert "run bad cannot be read" in err
    assert "nothing else is unfinished" in err
    assert main(["resume", "bad", "--store", "runs"]) == 2
    assert "verify bad --repair" in capfd.readouterr().err
    assert main(["verify", "bad", "--store", "runs"]) == 1
    assert "run.json" in capfd.readouterr().out
    assert main(["verify", "bad", "--repair", "--store", "runs"]) == 1
    assert "nothing else says what was asked for" in capfd.readouterr().err
    assert main(["generate", *TINY, "--run", "bad", "--store", "runs"]) == 2
    assert main(["show", "bad", "--store", "runs"]) == 2
    assert "Traceback" not in capfd.readouterr().err
