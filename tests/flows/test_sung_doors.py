"""What becomes of letters that the model cannot sing is shown wherever lyrics are met."""

from __future__ import annotations

import json
import uuid

import pytest

from flows.__main__ import main
from musiccore.models.labels import clean_lyrics
from musiccore.models.machine import Machine
from musiccore.runs.queue import batch_notes, queue_of
from musiccore.runs.snapshot import Picture
from musiccore.storage.store import open_store
from tasks.songcard import SongCard
from tests.flows.plain_steps import Talk, plain_steps

LYRICS = "so plain\nStraße 😀 Привет\n"
GIVEN = "Strasse  Privet"
ASKED = {"conditioning": {"lyrics": LYRICS}, "allow_unknown": True}


@pytest.fixture(scope="module")
def talk() -> Talk:
    with plain_steps() as steps:
        made = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(takes=1, **ASKED)
        made.work()
        made.go("upsample", 1)
        yield made


def plan(tmp_path, capsys, text: str, *more: str) -> str:
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    options = ["--model", "tiny", "--seconds", "0.5", "--lyrics-file", str(path)]
    assert main(["plan", *options, "--allow-unknown", *more]) == 0
    return capsys.readouterr().out


def test_plan_shows_the_words_that_are_given(tmp_path, capsys):
    assert clean_lyrics(LYRICS, "nano").split("\n")[1] == GIVEN
    out = plan(tmp_path, capsys, LYRICS)
    assert "'ß' by 'ss'" in out
    assert "dropped '😀'" in out
    assert f"line 2 is sung as: {GIVEN}\n" in out
    found = json.loads(plan(tmp_path, capsys, LYRICS, "--json"))["sung"]
    assert found["dropped"] == ["😀"]
    assert found["lines"] == [{"line": 2, "given": GIVEN}]


def test_plan_says_nothing_where_nothing_changes(tmp_path, capsys):
    assert "lyrics" not in plan(tmp_path, capsys, "plain words\n")
    assert "sung" not in json.loads(plan(tmp_path, capsys, "plain words\n", "--json"))


def test_song_says_it_in_its_file_on_its_page_and_on_its_card(talk, tmp_path, capsys):
    folder = talk.store.at("song")
    path = tmp_path / "song.wav"
    path.write_bytes(folder.get("export/master.wav"))
    assert main(["explain", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"lyrics: line 2 is sung as: {GIVEN}\n" in out
    assert "sung." not in out
    assert f"line 2 is sung as: {GIVEN}" in folder.get("export/index.html").decode()
    picture = Picture.of(talk.store, "song")
    assert f"line 2 is sung as: {GIVEN}" in SongCard.of(picture, 1).text()
    assert picture.to_json()["settings"]["sung"][-1].endswith(GIVEN)
    assert f"line 2 is sung as: {GIVEN}" in folder.get("rounds/001/index.html").decode()


def test_numbers_that_changed_on_the_way_are_told_in_words(talk, tmp_path, capsys):
    with talk.opened() as run:
        run.journal.append("numerics_change", recorded={"threads": 2}, current={"threads": 1})
    talk.go("upsample", 1, changes={"top_k": 5})
    song = Picture.of(talk.store, "song").to_json()["songs"][-1]
    path = tmp_path / "song.wav"
    path.write_bytes(talk.store.at("song").get(f"{song['folder']}/master.wav"))
    assert main(["explain", str(path)]) == 0
    assert "by consent: threads from 2 to 1" in capsys.readouterr().out


def test_batch_says_it_row_by_row():
    recipe = (
        f'title,model,seconds,lyrics,allow_unknown\na,tiny,0.5,plain,\nb,tiny,0.5,"{LYRICS}",yes\n'
    )
    root = f"memory://test-{uuid.uuid4().hex}"
    queue = queue_of(open_store(root), Machine(), "", recipe, "b")
    words = batch_notes(queue, None)
    assert words[0].startswith("row 2: lyrics: some letters")
    assert words[-1] == f"row 2: lyrics: line 2 is sung as: {GIVEN}"
    assert not any(each.startswith("row 1") for each in words)


def test_names_that_are_unknown_are_told_where_the_song_is_planned_and_begun(tmp_path, capsys):
    names = ["--artist", "nobody", "--genre", "piano polka", "--allow-unknown"]
    asked = ["--model", "tiny", "--seconds", "0.5", *names]
    artist = "artist: the model does not know 'nobody'; it is given \"unknown\" instead\n"
    genre = "genre: the model does not know 'polka'; it is given \"unknown\" instead\n"
    assert main(["plan", *asked]) == 0
    assert artist + genre in capsys.readouterr().out
    where = ["--run", "song", "--store", str(tmp_path / "runs")]
    assert main(["generate", *asked, *where]) == 0
    said = capsys.readouterr().err
    assert artist in said
    assert genre in said


def test_batch_tells_unknown_names_row_by_row():
    recipe = (
        "title,model,seconds,artist,allow_unknown\na,tiny,0.5,bach,yes\nb,tiny,0.5,nobody,yes\n"
    )
    queue = queue_of(open_store(f"memory://test-{uuid.uuid4().hex}"), Machine(), "", recipe, "b")
    assert batch_notes(queue, None) == [
        "row 2: artist: the model does not know 'nobody'; it is given \"unknown\" instead"
    ]
