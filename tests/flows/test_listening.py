"""The listening room as an application: pages, choices, sounds, and who may come in."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import stat
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from flows.listening.speaking import plain
from flows.listening.standing import time_left
from flows.listening.wishes import choice_of
from musiccore.conversion.memory import read
from musiccore.delivery.candidates import begin_round
from musiccore.errors import ConfigError
from musiccore.runs.choices import read_tree
from musiccore.runs.snapshot import Picture
from musiccore.storage.store import open_store
from tasks.context import shared_store, working
from tasks.links import LINK_DAYS, audio_link, enter_link, key_of, room_link, room_token
from tasks.settings import Settings
from tests.flows.rooms import (
    EVIL,
    TOKEN,
    Waker,
    chosen,
    new_run,
    room_app,
    sample,
    unattended_run,
    work,
)

BASE = "http://127.0.0.1:4300"
HERE = {"origin": BASE}


@pytest.fixture(scope="module")
def module_store(tmp_path_factory, light):
    root = tmp_path_factory.mktemp("room") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(root))
        patch.setenv("JUKEFLOW_CACHE", str(root.parent / "cache"))
        patch.setenv("JUKEFLOW_ROOM_TOKEN", TOKEN)
        yield root


@pytest.fixture(scope="module")
def story(module_store):
    """A run with two rounds, a song that is finished and one in the making."""
    new_run("story", model="tiny", seconds=0.4, title=EVIL)
    chosen("story", action="drop", takes=[1])
    chosen("story", action="continue", takes=[2], seconds=0.2)
    chosen("story", action="audition", takes=[2], start=0.0, end=0.2)
    chosen("story", action="upsample", takes=[2])
    work("story")
    chosen("story", action="upsample", takes=[3])
    sample("story", 1)
    return "story"


@pytest.fixture
def fresh(module_store, request):
    name = "fresh-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    new_run(name, model="tiny", seconds=0.4)
    return name


@pytest.fixture
def stranger(module_store):
    return TestClient(room_app(), base_url=BASE, follow_redirects=False)


@pytest.fixture
def guest(stranger):
    reply = stranger.get("/enter", params={"token": TOKEN})
    assert reply.status_code == 200
    return stranger


def picture(run):
    return Picture.of(shared_store(), run)


def choose(client, run, seen=0, number=1, **words):
    body = {"round": number, "seen": seen, "who": "Bo", "branch": False, "choice": words}
    branch = words.pop("branch", False)
    return client.post(f"/runs/{run}/choices", json={**body, "branch": branch}, headers=HERE)


# ------------------------------------------------------------------------------------- pages


def test_songs_that_wait_stand_first(guest, story, fresh):
    page = guest.get("/").text
    assert page.index(f"/runs/{fresh}") < page.index("/runs/story")
    assert "waits for you" in page


def test_a_round_shows_its_candidates_and_no_foreign_markup(guest, story):
    page = guest.get("/runs/story", params={"round": 1}).text
    assert 'id="take-2"' in page
    assert 'id="take-1"' not in page  # dropped
    assert "Bring back take 1" in page
    assert "Audition 0.0–0.2 s" in page
    assert EVIL not in page
    assert "&lt;/script&gt;" in page
    assert "earlier round" in page


def test_the_tree_leads_to_every_round(guest, story):
    page = guest.get("/runs/story").text
    assert {f"/runs/story?round={n}#take-{t}" for n, t in ((1, 1), (1, 2), (2, 3), (2, 4))} <= set(
        re.findall(r'href="([^"]*)"', page)
    )


def test_progress_tells_what_can_be_heard_of_a_song(guest, story):
    state = guest.get("/runs/story/state").json()
    done, growing = state["songs"]
    assert done["done"]
    assert not growing["done"]
    assert [level["fraction"] for level in growing["levels"]] == [1.0, 0.0]
    assert state["seen"] == 5


def test_a_run_that_is_not_there_is_a_page_and_not_a_failure(guest, module_store):
    for run in ("nobody", "..%2f..", "a%2fb", "A B", "%00"):
        reply = guest.get(f"/runs/{run}")
        assert reply.status_code == 404, run
        assert "Traceback" not in reply.text
    assert guest.get("/runs/nobody/state").json()["message"]


def test_a_run_of_which_a_record_is_lost_is_shown_with_a_sentence(guest, fresh, module_store):
    record = module_store / fresh / "log" / "00000002.json"
    record.write_bytes(record.read_bytes()[:-20])
    reply = guest.get(f"/runs/{fresh}")
    assert reply.status_code == 200
    assert "record 2 of the log is damaged" in reply.text


def test_a_damaged_run_shows_its_sentence(guest, fresh, module_store):
    record = module_store / fresh / "run.json"
    record.write_bytes(record.read_bytes()[:-20])
    reply = guest.get(f"/runs/{fresh}")
    assert reply.status_code == 500
    assert "run.json is damaged" in reply.text
    assert "Traceback" not in reply.text
    page = guest.get("/").text
    assert "damaged" in page


# ------------------------------------------------------------------------------------ choices


def test_a_choice_is_durable_before_it_is_acknowledged(module_store, fresh):
    waker = Waker()
    client = TestClient(room_app(waker), base_url=BASE)
    client.get("/enter", params={"token": TOKEN})
    reply = choose(client, fresh, action="continue", takes=[2], seconds="4s", count="3")
    assert reply.json() == {
        "seq": 1,
        "action": "continue",
        "words": "continue take 2 by 4 s",
        "next": "It goes on.",
    }
    (made,) = read_tree(open_store(str(module_store)), fresh).choices
    assert (made.by, made.who, made.choice.count) == ("room", "Bo", 3)
    assert waker.told == [1]


def test_the_same_choice_twice_is_one_choice(guest, fresh):
    first = choose(guest, fresh, action="more", takes=[1])
    second = choose(guest, fresh, action="more", takes=[1])
    assert first.json()["seq"] == second.json()["seq"] == 1


def test_a_contradiction_names_the_other_and_can_become_a_branch(guest, fresh):
    chosen(fresh, action="continue", takes=[1], seconds=4)
    reply = choose(guest, fresh, action="continue", takes=[2], seconds="4")
    assert reply.status_code == 409
    assert "Ada" in reply.json()["message"]
    assert "continue take 1" in reply.json()["message"]
    again = choose(guest, fresh, action="continue", takes=[2], seconds="4", branch=True)
    assert again.json()["seq"] == 2


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"action": "continue", "takes": [2], "seconds": "soon"}, "seconds"),
        ({"action": "continue", "takes": [9], "seconds": "4"}, "take"),
        ({"action": "audition", "takes": [2], "range": "6-1"}, "range"),
        ({"action": "splice", "splice": "2:0-1"}, "join"),
        ({"action": "more", "takes": [1]}, "dropped"),
        ({"action": "more", "takes": [2], "count": "many"}, "count"),
        ({"action": "more", "takes": [2], "temperature": "hot"}, "temperature"),
        ({"action": "more", "takes": [2], "genre": "no such genre"}, "genre"),
        ({"action": "dance"}, "action"),
        ({"action": "keep", "takes": "all"}, "takes"),
    ],
)
def test_a_wrong_choice_is_refused_in_a_sentence(guest, story, words, field):
    before = guest.get("/runs/story/state").json()["seen"]
    reply = choose(guest, "story", seen=before, **words)
    assert reply.status_code == 400
    assert field in reply.json()["message"]
    assert guest.get("/runs/story/state").json()["seen"] == before


def test_words_of_a_page_become_a_choice():
    redo = choice_of({"action": "redo", "rendition": "1", "range": "0:31-0:34"})
    assert (redo.rendition, redo.start, redo.end) == (1, 31.0, 34.0)
    joined = choice_of({"action": "splice", "splice": "3@0:00-0:04+5@0:04-0:09"})
    assert [(part.take, part.start, part.end) for part in joined.parts] == [(3, 0, 4), (5, 4, 9)]
    lower = choice_of({"action": "more", "takes": [1], "temperature": "0.9,0.9,1", "lyrics": "la"})
    assert lower.changes.given() == {"temperature": [0.9, 0.9, 1.0], "lyrics": "la"}
    named = choice_of({"action": "rename", "takes": [2], "name": "Blue hour"})
    assert named.text == "Blue hour"
    anew = choice_of({"action": "upsample", "takes": [2], "anew": True})
    assert anew.anew
    assert not choice_of({"action": "upsample", "takes": [2]}).anew


def test_a_stretch_of_a_finished_song_can_be_redone(guest, story):
    page = guest.get("/runs/story").text
    assert re.findall(r'data-redo="(\d)"', page) == ["1"]
    assert 'name="anew"' in page


def test_a_body_that_is_no_choice_is_refused(guest, story):
    for body in (b"", b"[]", b"{", b'{"choice": 1}', b'{"choice": {}, "round": true}'):
        reply = guest.post("/runs/story/choices", content=body, headers=HERE)
        assert reply.status_code == 400, body
    reply = guest.post("/runs/story/choices", content=b" " * 300_000, headers=HERE)
    assert "longer" in reply.json()["message"]


# ------------------------------------------------------------------------------------- sounds


def test_sounds_are_served_in_ranges(guest, story):
    digest = picture("story").to_json()["takes"][1]["preview"]
    address = f"/runs/story/audio/{digest}"
    whole = guest.get(address)
    assert hashlib.sha256(whole.content).hexdigest() == digest
    assert whole.headers["content-type"] == "audio/mpeg"
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(whole.content)
    for asked, first, last in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-50", size - 50, size),
        (f"bytes=10-{10**9}", 10, size),
    ):
        part = guest.get(address, headers={"range": asked})
        assert part.status_code == 206
        assert part.content == whole.content[first:last]
        assert part.headers["content-range"] == f"bytes {first}-{last - 1}/{size}"
    assert guest.get(address, headers={"range": f"bytes={size}-"}).status_code == 416
    assert guest.get(address, headers={"range": "bytes=0-1,4-5"}).status_code == 200
    tag = whole.headers["etag"]
    assert guest.get(address, headers={"range": "bytes=0-9", "if-range": tag}).status_code == 206
    old = guest.get(address, headers={"range": "bytes=0-9", "if-range": '"old"'})
    assert old.content == whole.content
    assert guest.get(address, headers={"if-none-match": tag}).status_code == 304
    head = guest.head(address)
    assert (head.headers["content-length"], head.content) == (str(size), b"")


def test_only_sounds_of_the_run_are_served(guest, story, fresh):
    digest = picture(fresh).to_json()["takes"][0]["spectrogram"]
    assert guest.get(f"/runs/{fresh}/audio/{digest}").headers["content-type"] == "image/png"
    other = picture("story").to_json()["takes"][-1]["preview"]
    assert guest.get(f"/runs/{fresh}/audio/{other}").status_code == 404
    assert guest.get(f"/runs/{fresh}/audio/..%2f..%2frun.json").status_code == 404


def test_a_growing_song_plays_the_best_of_every_stretch(guest, story):
    one = picture("story")
    song = one.to_json()["songs"][1]
    heard = read(guest.get("/runs/story/songs/2/mix.wav").content)
    assert heard.seconds == pytest.approx(song["seconds"], abs=1e-3)
    first = song["stretches"][0]
    stretch = read(guest.get(f"/runs/story/audio/{first['audio']}").content)
    at = round(first["start"] * heard.sample_rate)
    assert (heard.samples[:, at : at + 200] == stretch.samples[:, :200]).all()


def test_files_of_a_finished_song_come_from_its_record_alone(guest, story):
    page = guest.get("/runs/story/songs/1/files/index.html")
    assert page.status_code == 200
    assert "'unsafe-inline'" in page.headers["content-security-policy"]
    assert guest.get("/runs/story/songs/1/files/master.wav").content[:4] == b"RIFF"
    for name in ("run.json", "..%2f..%2frun.json", "../../run.json", "%2fetc%2fpasswd"):
        assert guest.get(f"/runs/story/songs/1/files/{name}").status_code == 404
    assert guest.get("/runs/story/songs/2/files/index.html").status_code == 404
    assert guest.get("/runs/story/songs/9/mix.wav").status_code == 404


# -------------------------------------------------------------------------------- who comes in


def test_strangers_see_a_friendly_page_and_nothing_else(stranger, story):
    for path in ("/", "/runs/story", "/runs/nobody", "/runs/story/songs/1/mix.wav"):
        reply = stranger.get(path)
        assert reply.status_code == 401
        assert "jukeflow listen" in reply.text
        assert "story" not in reply.text
    assert stranger.get("/runs/story/state").status_code == 401
    assert choose(stranger, "story", action="back").status_code == 401
    assert stranger.get("/enter", params={"token": "wrong-token-of-some-length"}).status_code == 401


def test_the_cookie_is_strict_and_is_not_the_token(stranger):
    reply = stranger.get("/enter", params={"token": TOKEN})
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert TOKEN not in reply.text
    assert stranger.get("/").status_code == 200


def test_a_link_opens_one_run_and_no_other(stranger, story, fresh):
    link = room_link("story")
    assert link.startswith(BASE + "/runs/story?key=")
    assert stranger.get(link).status_code == 200
    assert 'id="take-3"' in stranger.get("/runs/story").text
    assert stranger.get(f"/runs/{fresh}").status_code == 401
    assert stranger.get("/").status_code == 401
    assert stranger.get(f"/runs/{fresh}", params={"key": link.split("=")[1]}).status_code == 401


def test_a_link_that_asks_opens_until_the_answer(guest, fresh):
    stranger = TestClient(guest.app, base_url=BASE, follow_redirects=False)
    link = room_link(fresh, question=1)
    sound = str(picture(fresh).to_json()["takes"][0]["preview"])
    heard = audio_link(fresh, sound, question=1)
    assert stranger.get(room_link(fresh, question=2)).status_code == 401
    assert stranger.get(heard).status_code == 200
    assert stranger.get(link).status_code == 200
    assert choose(guest, fresh, action="upsample", takes=[1]).status_code == 200
    later = TestClient(guest.app, base_url=BASE)
    assert later.get(link).status_code == 401
    assert later.get(heard).status_code == 401
    assert stranger.get(f"/runs/{fresh}").status_code == 200  # who came in before goes on


def test_a_link_opens_for_its_days_and_no_longer(stranger, story, monkeypatch):
    now = time.time()
    link = room_link("story")
    monkeypatch.setattr("tasks.links.time.time", lambda: now + (LINK_DAYS + 2) * 86_400)
    assert stranger.get(link).status_code == 401
    until = link.partition("key=t")[2].partition("-")[0]
    forged = link.replace(until, f"{int(until, 16) + 99 * 86_400:x}")
    assert stranger.get(forged).status_code == 401


def test_a_link_changes_nothing_by_itself(stranger, fresh):
    key = room_link(fresh).partition("key=")[2]
    body = {"round": 1, "seen": 0, "choice": {"action": "keep", "takes": [1]}}
    reply = stranger.post(f"/runs/{fresh}/choices", params={"key": key}, json=body,
                          headers={"origin": BASE})  # fmt: skip
    assert reply.status_code == 401


def test_a_link_plays_one_sound_and_no_other(stranger, story):
    first, second = (take["preview"] for take in picture("story").to_json()["takes"][1:3])
    link = audio_link("story", first)
    reply = stranger.get(link)
    assert reply.content
    assert reply.headers["cross-origin-resource-policy"] == "cross-origin"  # a form may play it
    assert stranger.get(link.replace(first, second)).status_code == 401
    assert stranger.get(f"/audio/story/{first}").status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.7", ""])
def test_a_foreign_host_name_is_refused(guest, host):
    assert guest.get("/", headers={"host": host}).status_code == 421


def test_other_machines_come_in_by_number_if_they_may(module_store):
    client = TestClient(room_app(abroad=True), base_url="http://192.0.2.7:4300")
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"host": "rebound.example"}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null", None])
def test_a_choice_from_another_page_is_refused(guest, fresh, origin):
    headers = {} if origin is None else {"origin": origin}
    body = {"round": 1, "seen": 0, "choice": {"action": "keep", "takes": [1]}}
    reply = guest.post(f"/runs/{fresh}/choices", json=body, headers=headers)
    assert reply.status_code == 403
    assert guest.get(f"/runs/{fresh}/state").json()["seen"] == 0


def test_every_answer_is_locked_down(guest, story):
    for path in ("/", "/runs/story", "/runs/nobody", "/static/room.js"):
        headers = guest.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
    page = guest.get("/runs/story").text
    assert " style=" not in page
    assert " onclick" not in page
    assert not re.search(r"<script(?! src=\"/static/)", page)


def test_a_short_token_is_refused(module_store):
    with pytest.raises(ConfigError, match="token"):
        room_app(token="short")


def test_the_token_is_kept_for_its_user_alone(tmp_path):
    settings = Settings(cache=tmp_path / "cache")
    token = room_token(settings)
    path = tmp_path / "cache" / "room-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert room_token(settings) == token == path.read_text()
    assert enter_link(settings).endswith(f"/enter?token={token}")
    assert key_of(token, "run", "a") != key_of(token, "audio", "a")
    path.write_text("short")
    with pytest.raises(ConfigError, match="room-token"):
        room_token(settings)


def test_links_follow_the_address_of_the_room(tmp_path):
    settings = Settings(room="https://music.example/room/", room_token=TOKEN)
    assert room_link("x", settings).startswith("https://music.example/room/runs/x?key=")
    with pytest.raises(ConfigError, match="JUKEFLOW_ROOM"):
        Settings(room="music.example")


def test_state_is_one_small_answer(guest, story):
    reply = guest.get("/runs/story/state")
    assert len(reply.content) < 4000
    assert json.loads(reply.content)["stamp"]


# -------------------------------------------------------------- takes that nobody was asked about


@pytest.fixture(scope="module")
def alone(module_store):
    """A finished song of a run that chose by itself, so that its takes were never published."""
    unattended_run("alone", model="tiny", seconds=0.4, title="Grüße/aus Ö?")
    return "alone"


def heard(client, run):
    """Return the page of a run once its takes can be heard or it is said why they cannot."""
    end = time.monotonic() + 60
    while "being made" in (page := client.get(f"/runs/{run}").text):
        assert time.monotonic() < end
        time.sleep(0.05)
    return page


def test_takes_of_an_unattended_run_are_heard_and_can_be_chosen(guest, alone, fresh):
    before = guest.get(f"/runs/{alone}/state").json()["stamp"]
    page = heard(guest, alone)
    assert "of this round" not in page  # none is missing
    sounds = re.findall(rf'<audio preload="auto" src="(/runs/{alone}/audio/\w+)"', page)
    assert len(sounds) == 2
    for sound in sounds:
        reply = guest.get(sound)
        assert read(reply.content).seconds == pytest.approx(0.4, abs=0.1)
    new_run(f"{fresh}-longer", model="tiny", seconds=0.8)
    longer = str(picture(f"{fresh}-longer").to_json()["takes"][0]["preview"])
    assert guest.get(f"/runs/{fresh}-longer/audio/{longer}").status_code == 200
    assert guest.get(f"/runs/{alone}/audio/{longer}").status_code == 404  # of another run
    assert guest.get(f"/runs/{alone}/state").json()["stamp"] != before
    reply = choose(guest, alone, seen=1, action="continue", takes=[2], seconds="0.2")
    assert reply.status_code == 200, reply.text
    work(alone)
    assert 'id="take-3"' in guest.get(f"/runs/{alone}").text


def test_a_take_decoded_once_is_kept_for_the_next_room(guest, alone, module_store):
    heard(guest, alone)
    kept = module_store.parent / "cache" / "heard"
    before = {path.name: path.stat().st_ino for path in kept.iterdir()}
    other = TestClient(room_app(), base_url=BASE)
    other.get("/enter", params={"token": TOKEN})
    assert heard(other, alone).count('class="sound"') == guest.get("/runs/alone").text.count(
        'class="sound"'
    )
    assert {path.name: path.stat().st_ino for path in kept.iterdir()} == before
    for path in kept.iterdir():
        path.write_bytes(b"damaged")
    third = TestClient(room_app(), base_url=BASE)
    third.get("/enter", params={"token": TOKEN})
    page = heard(third, alone)
    sound = re.search(rf'<audio preload="auto" src="(/runs/{alone}/audio/\w+)"', page)[1]
    assert read(third.get(sound).content).seconds > 0.3


def test_a_take_that_cannot_be_decoded_here_says_why_and_can_still_be_chosen(
    guest, module_store, monkeypatch
):
    unattended_run("elsewhere", model="tiny", seconds=0.4, song=False)
    codes = next((module_store / "elsewhere" / "log").glob("*.json"), None)
    assert codes is not None
    blobs = [path for path in (module_store / "elsewhere" / "blobs").rglob("*") if path.is_file()]
    for blob in blobs:
        blob.unlink()
    page = heard(guest, "elsewhere")
    assert page.count("It cannot be heard here: ") == 2
    assert 'data-action="continue"' in page


def test_a_growing_song_of_an_unattended_run_plays_from_the_beginning(guest, module_store):
    unattended_run("growing", model="tiny", seconds=0.4, song=False)
    chosen("growing", action="upsample", takes=[1])
    sample("growing", 1)
    reply = guest.get("/runs/growing/songs/1/mix.wav")
    assert read(reply.content).seconds == pytest.approx(0.4, abs=0.1)


# --------------------------------------------------------------------------- who works on what


def state(client, run):
    return client.get(f"/runs/{run}/state").json()


def test_a_choice_is_queued_then_worked_on_and_never_interrupted(module_store, fresh):
    waker = Waker()
    client = TestClient(room_app(waker), base_url=BASE)
    client.get("/enter", params={"token": TOKEN})
    waker.taken.add(fresh)
    choose(client, fresh, action="more", takes=[1])
    assert (state(client, fresh)["state"], state(client, fresh)["words"]) == (
        "queued",
        "more like take 1",
    )
    assert "queued" in client.get("/").text
    with working(fresh):
        found = state(client, fresh)
    assert found["state"] == "running"
    waker.taken.clear()
    assert state(client, fresh)["state"] == "unfinished"
    page = client.get(f"/runs/{fresh}").text
    assert re.search(r'id="resume" class="primary">', page)  # not hidden
    reply = client.post(f"/runs/{fresh}/resume", headers=HERE)
    assert reply.json() == {"next": "It goes on."}
    assert waker.resumed == [fresh]
    assert state(client, fresh)["state"] == "queued"
    waker.taken.clear()
    waker.problems[fresh] = "the disk is full"
    assert state(client, fresh)["words"] == "the disk is full. Left to do: more like take 1."
    assert client.post(f"/runs/{fresh}/resume").status_code == 403  # from nowhere


def test_nothing_is_resumed_that_waits_or_is_done(guest, fresh):
    reply = guest.post(f"/runs/{fresh}/resume", headers=HERE)
    assert "nothing to resume" in reply.json()["next"]


def test_a_level_in_progress_is_told_in_percent_and_minutes(guest, fresh):
    chosen(fresh, action="more", takes=[1])
    with working(fresh) as run:
        run.tree(fresh=True)
        begin_round(run, 1)
        run.journal.tell(
            {"level": 2, "rows": [2, 3], "fraction": 0.43, "seconds_low": 90, "seconds_high": 118}
        )
        end = time.monotonic() + 30
        while "43 %" not in (words := state(guest, fresh)["words"]):
            assert time.monotonic() < end, words
            time.sleep(0.1)
    assert words == "43 %, 2 min left: more like take 1"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1, 20, "less than a minute"),
        (70, 170, "1 to 3 min"),
        (110, 125, "2 min"),
        (3000, 9000, "0.8 to 2.5 h"),
    ],
)
def test_time_that_is_left_is_a_range_in_words(low, high, words):
    assert time_left(low, high) == words


def hints():
    """Return every hint of the program, with what is filled in as it stands in the source."""
    for folder in ("musiccore", "tasks"):
        for path in Path(folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "hint":
                    for part in ast.walk(node.value):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield part.value


def test_no_hint_names_a_command_line_in_the_room():
    found = [*hints()]
    assert len(found) > 100
    for hint in found:
        assert not re.search(r"jukeflow [a-z]| --[a-z]|^--[a-z]|JUKEFLOW_", plain(hint)), hint
    assert plain("take 3 was dropped") == "take 3 was dropped"


def test_a_dropped_take_is_brought_back_by_a_button(guest, story):
    seen = state(guest, "story")["seen"]
    reply = choose(guest, "story", seen=seen, action="more", takes=[1])
    assert "button" in reply.json()["hint"]
    assert "--" not in reply.json()["hint"]


# ------------------------------------------------------------------------------------ downloads


def test_what_is_saved_is_named_after_title_and_take(guest, module_store):
    alone = "saved"
    unattended_run(alone, model="tiny", seconds=0.4, title="Grüße/aus Ö?")
    page = heard(guest, alone)
    assert 'download="Grüße aus Ö (take 1).wav"' in page
    assert 'download="Grüße aus Ö (take 2).mp3"' in page
    files = f"/runs/{alone}/songs/1/files"
    for name, saved in (
        ("master.wav", "Grüße aus Ö (take 1).wav"),
        ("level_2.flac", "Grüße aus Ö (take 1, level 2).flac"),
        ("codes.npz", "Grüße aus Ö (take 1, codes).npz"),
        ("index.html", "Grüße aus Ö (take 1).html"),
    ):
        said = guest.get(f"{files}/{name}").headers["content-disposition"]
        assert said.endswith(f"filename*=UTF-8''{quote(saved, safe='')}")
        assert said.isascii()
    assert "Grusse" not in said  # ß has no plain form, and is left out of the old one
    sound = re.search(rf'<audio preload="auto" src="(/runs/{alone}/audio/\w+)"', page)[1]
    said = guest.get(sound).headers["content-disposition"]
    assert "take%201" in said or "take%202" in said
