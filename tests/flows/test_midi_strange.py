"""The commands that read scores say what was odd about them, or refuse it."""

from __future__ import annotations

import json
import struct

import pytest

from flows.__main__ import main

LYRICS = [word.encode("cp932") for word in ("はる", "の", "うた")]


@pytest.fixture
def odd(tmp_path):
    """Three lyrics in Shift-JIS, running status behind them, and too many tracks announced."""
    events = b"".join(b"\x00\xff\x05" + bytes([len(word)]) + word for word in LYRICS)
    content = b"\x00\x90\x3c\x5a" + events + b"\x83\x60\x3c\x00\x00\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 1, 2, 96)
    path = tmp_path / "odd.mid"
    path.write_bytes(head + b"MTrk" + struct.pack(">I", len(content)) + content)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["info"],
        ["convert", "OUT/again.mid"],
        ["tokenise", "-o", "OUT/tokens.json"],
        ["render", "-o", "OUT/odd.wav", "--engine", "own", "--sample-rate", "8000"],
        ["roll", "-o", "OUT/odd.png"],
        ["compose", "--continue", "SELF", "--seconds", "3", "-o", "OUT/more.mid"],
    ],
)
def test_what_is_odd_is_said_once_or_refused(words, odd, tmp_path, capsys) -> None:
    given = [word.replace("OUT", str(tmp_path)).replace("SELF", str(odd)) for word in words]
    command, *rest = given
    source = [] if command == "compose" else [str(odd)]
    assert main(["midi", command, *source, *rest]) == 0
    said = capsys.readouterr().err
    for part in ("running status goes on", "says 2 tracks, and 1 are there", "read as cp932"):
        assert said.count(part) == 1
    for path in tmp_path.glob("*.*"):
        if path != odd:
            path.unlink()
    assert main(["midi", command, *source, *rest, "--strict"]) == 2
    assert "being strict" in capsys.readouterr().err
    assert main(["midi", command, *source, *rest, "--encoding", "klingon"]) == 2
    assert "'klingon' is no encoding of text" in capsys.readouterr().err


def test_warnings_are_part_of_the_answer_in_json(odd, capsys) -> None:
    assert main(["midi", "info", str(odd), "--json", "--encoding", "shift_jis"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["files"]
    assert len(row["warnings"]) == 2


def test_words_of_a_karaoke_file_are_written_as_they_were(odd, tmp_path) -> None:
    assert main(["midi", "convert", str(odd), str(tmp_path / "again.mid")]) == 0
    again = (tmp_path / "again.mid").read_bytes()
    assert all(word in again for word in LYRICS)
