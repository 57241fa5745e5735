"""`jukeflow batch`: killed, interrupted, continued; exit codes and the last line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.cli.signals import handlers_kept
from musiccore.journal.journal import Journal
from musiccore.journal.runs import list_runs
from musiccore.runs.status import describe_run
from musiccore.storage.store import open_store

ROOT = Path(__file__).parents[2]
SONGS = """title,model,seconds,seed,formats
one,tiny,0.45,1,wav
two,tiny,0.45,2,wav
"""


@pytest.fixture
def songs(tmp_path) -> Path:
    path = tmp_path / "Two songs.csv"
    path.write_text(SONGS)
    return path


def start(songs: Path, store: Path) -> subprocess.Popen[str]:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as where a shell runs us with `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)  # else the command inherits it
    return subprocess.Popen(
        [sys.executable, "-m", "flows", "batch", str(songs), "--store", str(store), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )


def windows(store: Path) -> int:
    """Return how many windows of all songs are in the store."""
    root, found = open_store(store), 0
    for run in list_runs(root):
        with Journal.open(root, run) as journal:
            found += len(journal.events_of("window"))
    return found


def wait_for_windows(process: subprocess.Popen[str], store: Path, n: int) -> None:
    while windows(store) < n:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def digests(store: Path) -> list[str]:
    root = open_store(store)
    return sorted(describe_run(root, run).master.pcm_sha256 for run in list_runs(root))


@pytest.fixture
def whole(songs, tmp_path, light, prefect_server) -> Path:
    """A store with the songs of a batch that nothing stopped."""
    from flows.batch import batch

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(tmp_path / "whole"))
        assert batch(str(songs))["done"] == 2
    return tmp_path / "whole"


@pytest.mark.usefixtures("commands_have_a_server")
def test_interrupted_batch_ends_with_the_same_sound(whole, songs, tmp_path, monkeypatch, capsys):
    store, kept, real = tmp_path / "stopped", [], Journal.append_window

    def append_window(self, **facts):
        kept.append(real(self, **facts))
        if len(kept) == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return kept[-1]

    words = ["batch", str(songs), "--store", str(store), "--json"]
    with monkeypatch.context() as patch, handlers_kept():
        patch.setattr(Journal, "append_window", append_window)
        assert main(words) == 4
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[-1])["left"] == 2
    assert "continues with what is left" in err
    assert windows(store) < windows(whole)
    with handlers_kept():
        assert main(words) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [song["state"] for song in result["songs"]] == ["done", "done"]
    assert all(Path(song["master"]).is_file() for song in result["songs"])
    assert digests(store) == digests(whole)
    assert windows(store) == windows(whole)


@pytest.mark.whole
def test_killed_and_interrupted_batch_ends_with_the_same_sound(whole, songs, tmp_path):
    store = tmp_path / "stopped"
    killed = start(songs, store)
    wait_for_windows(killed, store, 3)
    killed.kill()
    killed.communicate()
    before = windows(store)

    stopped = start(songs, store)
    wait_for_windows(stopped, store, before + 6)
    stopped.send_signal(signal.SIGINT)
    out, err = stopped.communicate(timeout=600)
    assert stopped.returncode == 4, err
    assert json.loads(out.splitlines()[-1])["left"] == 2
    assert "continues with what is left" in err

    ended = start(songs, store)
    out, err = ended.communicate(timeout=600)
    assert ended.returncode == 0, err
    result = json.loads(out.splitlines()[-1])
    assert set(result) >= {"batch", "songs", "done", "failed", "left"}
    assert [song["state"] for song in result["songs"]] == ["done", "done"]
    assert all(Path(song["master"]).is_file() for song in result["songs"])
    assert digests(store) == digests(whole)
    assert windows(store) == windows(whole)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no song"),
        ("title,seconds\na,-1\n", "row 1: seconds is -1"),
        ('title\n"a', "not CSV"),
    ],
)
def test_file_that_cannot_be_used_is_a_bad_request(text, message, songs, tmp_path, capsys):
    songs.write_text(text)
    assert main(["batch", str(songs), "--store", str(tmp_path / "runs")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_budget_of_no_time_is_a_bad_request(songs, capsys):
    assert main(["batch", str(songs), "--hours", "0"]) == 2
    assert "hours is 0" in capsys.readouterr().err


@pytest.mark.usefixtures("commands_have_a_server", "light")
def test_batch_with_a_wrong_row_ends_with_6_however_often(songs, tmp_path, capsys):
    songs.write_text(f"{SONGS}bad,tiny,-1,3,wav\n")
    words = ["batch", str(songs), "--store", str(tmp_path / "runs")]
    assert main(words) == 6
    out, err = capsys.readouterr()
    assert "2 done, 1 failed, 0 left" in err
    assert "seconds is -1" in out
    assert main([*words, "--json"]) == 6
    out, err = capsys.readouterr()
    assert "2 done, 1 failed, 0 left" in err
    result = json.loads(out.splitlines()[-1])
    assert set(result) == {"batch", "songs", "done", "failed", "left", "report"}
    assert [song["state"] for song in result["songs"]] == ["done", "done", "failed"]
