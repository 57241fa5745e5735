"""Converting files: the flow that Prefect starts, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from prefect.client.orchestration import get_client

from flows.__main__ import main
from flows.convert import convert
from musiccore.audio import Audio, sniff, write


def sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.3 * np.sin(np.arange(4000, dtype=np.float32) / 9)[None]
    path.write_bytes(write(Audio(samples=samples, sample_rate=16000), "wav"))
    return path


@pytest.fixture
def album(tmp_path) -> Path:
    for name in ("1.wav", "sub/2.wav"):
        sound(tmp_path / "album" / name)
    (tmp_path / "album" / "broken.wav").write_bytes(b"RIFF not really WAVE")
    return tmp_path / "album"


def test_broken_file_does_not_stop_a_folder(prefect_server, album) -> None:
    rows = convert(str(album), "flac", str(album.parent / "out"))
    results = {Path(str(row["source"])).name: row["result"] for row in rows}
    assert results == {"1.wav": "written", "2.wav": "written", "broken.wav": "failed"}
    assert sniff((album.parent / "out" / "sub" / "2.flac").read_bytes()) == "flac"
    (error,) = [row["error"] for row in rows if row["error"]]
    assert "broken.wav" in str(error)


def test_table_of_the_flow_run_says_how_each_ended(prefect_server, album) -> None:
    state = convert(str(album), "ogg", return_state=True)
    with get_client(sync_client=True) as client:
        artifacts = [
            a
            for a in client.read_artifacts()
            if a.key == "converted" and a.flow_run_id == state.state_details.flow_run_id
        ]
    (artifact,) = artifacts
    assert sorted(row["result"] for row in json.loads(artifact.data)) == [
        "failed",
        "written",
        "written",
    ]


def test_second_run_leaves_what_is_there(prefect_server, album) -> None:
    convert(str(album), "mp3")
    before = (album / "1.mp3").stat().st_mtime_ns
    rows = convert(str(album), "mp3")
    assert sorted(str(row["result"]) for row in rows)[:1] == ["exists"]
    assert (album / "1.mp3").stat().st_mtime_ns == before


def test_command_converts_one_file(tmp_path, capsys) -> None:
    source = sound(tmp_path / "a.wav")
    assert main(["convert", str(source), str(tmp_path / "a.flac")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a.flac")
    assert sniff((tmp_path / "a.flac").read_bytes()) == "flac"


def test_command_reports_a_folder_as_json(album, capsys) -> None:
    out = str(album.parent / "out")
    assert main(["convert", "--json", str(album), "--to", "flac", "--out", out]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["written"], answer["failed"], answer["exists"]) == (2, 1, 0)
    assert {Path(row["destination"]).parent.name for row in answer["files"]} == {"out", "sub"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["a.wav"], "to: which format"),
        (["a.wav", "b.txt"], "destination: 'b.txt' does not say"),
        (["a.wav", "a.wav"], "is the source itself"),
        (["a.wav", "b.flac"], "out: 'b.flac' exists"),
        (["missing.wav", "c.flac"], "source: 'missing.wav' does not exist"),
        (["a.wav", "--to", "xyz"], "to: 'xyz' is unknown"),
        ([".", "out.flac"], "is a folder"),
        (["a.wav", "d/a.wav", "--to", "mp3", "--out", "out"], "two files would get the same name"),
    ],
)
def test_command_refuses_before_it_writes(tmp_path, capsys, monkeypatch, words, named) -> None:
    monkeypatch.chdir(tmp_path)
    sound(tmp_path / "a.wav")
    sound(tmp_path / "d" / "a.wav")
    (tmp_path / "out").mkdir()
    (tmp_path / "b.flac").write_bytes(b"mine")
    assert main(["convert", *words]) == 2
    assert named in capsys.readouterr().err
    assert (tmp_path / "b.flac").read_bytes() == b"mine"
    assert list((tmp_path / "out").iterdir()) == []
