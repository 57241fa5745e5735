"""Converting files: the flow that Prefect starts, and the command."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ParameterTypeError

from flows.__main__ import main
from flows.convert import convert, convert_new
from flows.convert_form import Format, Sound
from musiccore.audio.sound import Audio, sniff, write
from musiccore.conversion import KINDS, ConversionOptions


def sound(path: Path, samples: int = 4000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.3 * np.sin(np.arange(samples, dtype=np.float32) / 9)[None]
    path.write_bytes(write(Audio(samples=wave, sample_rate=16000), "wav"))
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
        artifacts = {
            a.key: a
            for a in client.read_artifacts()
            if a.flow_run_id == state.state_details.flow_run_id
        }
    assert artifacts["converting"].data == 100.0
    artifact = artifacts["converted"]
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


def test_run_where_every_file_failed_has_failed(prefect_server, album) -> None:
    state = convert(str(album / "broken.wav"), "flac", return_state=True)
    assert state.is_failed()
    assert "1 of 1 files failed" in state.message


def test_run_where_some_failed_says_so(prefect_server, album) -> None:
    state = convert(str(album), "flac", return_state=True)
    assert (state.name, state.is_failed()) == ("PartlyDone", True)
    assert "1 of 3 files failed; the first: " in state.message


def test_form_reaches_the_sound(prefect_server, album) -> None:
    sound_form = {"channels": "stereo", "bits": "24", "sample_rate": 48000, "loudness": -20}
    sources = f"{album / '1.wav'}\n\n{album / 'sub'}\n"
    rows = convert(sources, "aiff", str(album.parent / "out"), sound=sound_form, jobs=1)
    assert [row["format"] for row in rows] == ["aiff, 24 bit, 48000 Hz, stereo"] * 2


@pytest.mark.parametrize(
    ("field", "value"),
    [("loudness", -90), ("channels", "quadro"), ("bitrate", 1000), ("engine", "sox")],
)
def test_form_refuses_what_cannot_be(prefect_server, album, field, value) -> None:
    with pytest.raises(ParameterTypeError, match=field):
        convert(str(album), "mp3", sound={field: value})


def test_no_field_of_the_form_is_a_switch_between_types() -> None:
    for name, field in Sound.model_json_schema()["properties"].items():
        assert "anyOf" not in field, name
        assert field["title"], name
        assert field["description"], name
    plain = ConversionOptions(kind="flac")
    assert Sound().options("flac") == plain
    assert set(get_args(Format)) == set(KINDS)


def test_only_what_is_new_is_converted_from_a_store_to_a_store(prefect_server, album) -> None:
    store = f"memory://{uuid.uuid4().hex}"
    convert(str(album / "sub"), "wav", f"{store}/in")
    options = {"target_format": "ogg", "quiet_seconds": 0}
    (row,) = convert_new(f"{store}/in", f"{store}/out", **options)
    assert (row["result"], row["destination"]) == ("written", f"{store}/out/2.ogg")
    assert convert_new(f"{store}/in", f"{store}/out", **options) == []
    sound(album / "sub" / "2.wav", 9000)
    convert(str(album / "sub"), "wav", f"{store}/in", force=True)
    (row,) = convert_new(f"{store}/in", f"{store}/out", **options)
    assert row["seconds"] == pytest.approx(9000 / 16000, abs=0.001)


def test_command_converts_one_file(tmp_path, capsys) -> None:
    source = sound(tmp_path / "a.wav")
    assert main(["convert", str(source), str(tmp_path / "a.flac")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a.flac")
    assert sniff((tmp_path / "a.flac").read_bytes()) == "flac"


def test_command_reports_a_folder_as_json(album, capsys) -> None:
    out = str(album.parent / "out")
    assert main(["convert", "--json", str(album), "--to", "flac", "--out", out]) == 6
    answer = json.loads(capsys.readouterr().out)
    assert (answer["written"], answer["failed"], answer["exists"]) == (2, 1, 0)
    assert {Path(row["destination"]).parent.name for row in answer["files"]} == {"out", "sub"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["a.wav"], "to: which format"),
        (["a.wav", "b.txt"], "out: 'b.txt' does not say"),
        (["a.wav", "a.wav"], "is the source itself"),
        (["a.wav", "b.flac"], "out: 'b.flac' exists"),
        (["missing.wav", "c.flac"], "source: 'missing.wav' does not exist"),
        (["a.wav", "--to", "xyz"], "to: 'xyz' is unknown"),
        ([".", "out.flac"], "out: 'out.flac' is one file, and several are to be converted"),
        (["a.wav", "c.flac", "--jobs", "99"], "jobs is 99"),
        (["a.wav", "c.flac", "--bits", "12"], "bits: flac has no '12'"),
        (["a.wav", "c.flac", "--fade-in", "soon"], "fade_in is 'soon'"),
        (["a.wav", "c.flac", "--crossfade", "2"], "crossfade: it belongs to --join"),
        (["a.wav", "c.flac", "--to", "flac", "--new"], "new: it takes one folder or pattern"),
        (["--join", "a.wav"], "out: the file to make is not named"),
        (["--stereo", "a.wav", "c.flac", "--crossfade", "1"], "crossfade: it belongs to --join"),
        (["--input", "a.wav", "--output", "mp3"], "out: 'mp3' is a format, not a file"),
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
