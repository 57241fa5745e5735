"""What a person sees of a deployed run in Prefect: state, log, and what hangs at its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId

from musiccore.audio.sound import Audio, write
from musiccore.runs.choices import make_choice, read_tree
from musiccore.storage.store import open_store
from musiccore.takes.choice import Choice
from musiccore.testing import sine
from tests.flows.deployed import DeployedRun, begin
from tests.flows.rooms import TOKEN

SONG = {"title": "Winter", "model": "tiny", "seconds": 0.4, "takes": 2}
STEPS = ("Started “Winter”", "Made take", "Chose take", "Level 1", "Level 0", "Delivered", "Winter")


@pytest.fixture(scope="module")
def client(prefect_server) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture(scope="module")
def store(tmp_path_factory, light) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("told")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(folder / "runs"))
        patch.setenv("JUKEFLOW_CACHE", str(folder / "cache"))
        patch.setenv("JUKEFLOW_ROOM_TOKEN", TOKEN)
        patch.setenv("JUKEFLOW_ROOM", "http://127.0.0.1:4399")
        yield folder / "runs"


@pytest.fixture(scope="module")
def winter(client, store) -> DeployedRun:
    """A song that was made from the form of `generate`."""
    run = begin(client, "generate", {"song": {**SONG, "choose": "best"}, "name": "winter"})
    assert run.go().name == "Completed"
    return run


@pytest.fixture(scope="module")
def evening(client, store) -> DeployedRun:
    """A run of `compose` that waits for a choice."""
    run = begin(client, "compose", {"song": {**SONG, "title": "Evening"}, "name": "evening"})
    assert run.go().name == "Suspended"
    return run


def names(store: Path) -> set[str]:
    return {path.name for path in store.iterdir()} if store.exists() else set()


# ------------------------------------------------------------------------------ a finished run


def test_log_of_a_song_tells_its_story_in_ten_lines(winter) -> None:
    ours = [line for line in winter.lines if not line.startswith(("Beginning", "View at"))]
    assert len(ours) <= 10
    assert ours.pop() == "Finished in state Completed()"
    for step, line in zip(STEPS, ours, strict=True):
        assert step in line
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}", " ".join(ours))


def test_page_of_a_finished_run_leads_to_the_song(winter, store) -> None:
    card = winter.artifacts()["song-winter-1"]
    assert card.description == "Winter, 0.4 s"
    text = str(card.data)
    assert text.startswith("# Winter\n\n**0.4 s**, tiny. Song 1 of the run winter, made of take ")
    files = "http://127.0.0.1:4399/runs/winter/songs/1/files"
    for name in ("index.html", "master.wav", "master.flac", "master.mp3", "codes.npz"):
        assert f"({files}/{name}?key=" in text, name
    assert "(http://127.0.0.1:4399/runs/winter?key=" in text
    assert f"`{store}/winter/export`" in text
    assert "![spectrogram](data:image/png;base64,iVBOR" in text
    assert TOKEN not in text


def test_links_of_the_card_open_in_the_room(winter) -> None:
    from fastapi.testclient import TestClient

    from tests.flows.rooms import room_app

    text = str(winter.artifacts()["song-winter-1"].data)
    links = re.findall(r"\]\(http://127\.0\.0\.1:4399([^)]+)\)", text)
    assert len(links) == 6
    for link in links:
        with TestClient(room_app(), base_url="http://127.0.0.1:4300") as browser:
            assert browser.get(link).status_code == 200, link


def test_song_of_an_inner_run_is_shown_there_and_repeated_outside(winter, client) -> None:
    wanted = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[winter.id]))
    inner = client.read_flow_runs(flow_run_filter=wanted)
    (deliver,) = [run.id for run in inner if run.name == "deliver-song-1-of-winter"]
    there = DeployedRun(client, "generate", deliver).artifacts()
    assert keyless(there) == keyless(winter.artifacts())


def keyless(artifacts) -> str:
    """Return the card of the song without the keys of its links, which say when they end."""
    return re.sub(r"\?key=[^)\s\"]+", "", str(artifacts["song-winter-1"].data))


def test_progress_and_plan_hang_at_the_run_that_a_person_started(winter) -> None:
    found = winter.artifacts()
    for level in (0, 1, 2):
        progress = found[f"level-{level}"]
        assert progress.type == "progress"
        assert progress.flow_run_id == winter.id
        assert progress.task_run_id is None
        assert str(progress.description).startswith(f"level {level}: ")
    rows = json.loads(str(found["plan-winter"].data))
    assert [row["level"] for row in rows] == [2, 1, 0]
    assert all(re.fullmatch(r"\d+ to \d+ s", row["time"]) for row in rows)
    assert "winter" in str(found["plan-winter"].description)


def test_run_that_finds_everything_done_leads_to_the_song_as_well(winter, client) -> None:
    again = begin(client, "continue", {"run_id": "winter"})
    assert again.go().name == "Completed"
    assert keyless(again.artifacts()) == keyless(winter.artifacts())
    assert any("Goes on with “Winter”" in line for line in again.lines)


def test_attempt_of_the_same_run_goes_on_under_its_name(winter) -> None:
    assert winter.go().name == "Completed"


# ------------------------------------------------------------------------------------- mistakes

MISTAKES = [
    ("generate", {"song": {**SONG, "artist": "bachh"}}, "artist is 'bachh'", "nearest: 'bach'"),
    ("generate", {"song": {**SONG, "genre": "piano minr"}}, "genre is", "nearest: 'minor'"),
    ("generate", {"song": {**SONG, "seconds": 0.01}}, "seconds is 0.01", "ask for “Seconds” of"),
    ("generate", {"song": {**SONG, "primer": "/no/such.wav"}}, "primer: ", "/no/such.wav"),
    ("generate", {"song": SONG, "name": "Bad name!"}, "run: 'Bad name!'", "lower-case letters"),
    ("generate", {"song": SONG, "name": "winter"}, "run: winter exists already", "choose another"),
    ("compose", {"song": {**SONG, "artist": "bachh"}}, "artist is 'bachh'", "“Allow unknown”"),
    ("compose", {"song": SONG, "name": "winter"}, "run: winter exists already", "`continue`"),
    ("continue", {"run_id": "nothing"}, "nothing", ""),
    ("upsample", {"run_id": "winter", "take": 99}, "take is 99", ""),
    ("choose", {"choice": {"run": "winter", "action": "cut", "take": 1}}, "stretch is ''", "range"),
    ("batch", {"file": "/no/songs.csv"}, "file: '/no/songs.csv' does not exist", ""),
    ("batch", {"recipe": "artist\nbachh"}, "row 1: artist is 'bachh'", "the column allow_unknown"),
    ("convert", {"source": "/no/such.wav"}, "source: '/no/such.wav' does not exist", ""),
    ("midi", {"source": "/no/such.mid"}, "/no/such.mid", ""),
    ("midi-tokenise", {"source": "/no/such"}, "/no/such", ""),
    ("midi-compose", {"key": "H"}, "key", "H"),
    ("midi-transcribe", {"source": "/no/such.wav"}, "/no/such.wav", ""),
]


@pytest.mark.parametrize(
    ("name", "parameters", "message", "hint"), MISTAKES, ids=[f"{m[0]}-{m[2]}" for m in MISTAKES]
)
def test_mistake_of_a_person_is_one_sentence_before_anything_is_made(
    winter, client, store, tmp_path, monkeypatch, name, parameters, message, hint
) -> None:
    monkeypatch.chdir(tmp_path)
    before = open_store(store).list()
    run = begin(client, name, parameters)
    state = run.go()
    assert (state.type.value, state.name) == ("FAILED", "Failed")
    assert message in str(state.message)
    assert hint in str(state.message)
    assert " --" not in str(state.message)  # no option of a command
    assert "\n" not in str(state.message)
    assert [r.exc_info for r in run.records if r.exc_info] == []
    assert [r.getMessage() for r in run.records if r.levelname == "ERROR"] == [state.message]
    card = run.artifacts()["what-went-wrong"]
    assert str(card.description) in str(state.message)
    assert open_store(store).list() == before


def test_run_with_bad_rows_says_so_without_a_traceback(client, store, tmp_path) -> None:
    (tmp_path / "good.wav").write_bytes(
        write(Audio(samples=sine(440.0, 0.1, 44100)[None], sample_rate=44100), "wav")
    )
    (tmp_path / "bad.wav").write_bytes(b"RIFF and no more")
    convert = begin(client, "convert", {"source": str(tmp_path), "target_format": "flac"})
    state = convert.go()
    assert (state.type.value, state.name) == ("FAILED", "PartlyDone")
    assert str(state.message).startswith("1 of 2 files failed; the first: ")
    assert [r for r in convert.records if r.exc_info] == []
    assert "2 files to convert to flac." in convert.lines
    (ended,) = [line for line in convert.lines if line.startswith("2 files: ")]
    assert "1 written" in ended
    assert "1 failed" in ended


def test_log_of_a_batch_says_how_it_went(client, store) -> None:
    recipe = "title,model,seconds,artist\nOne,tiny,0.4,\nTwo,tiny,0.4,bachh"
    run = begin(client, "batch", {"recipe": recipe, "name": "told"})
    state = run.go()
    assert (state.type.value, state.name) == ("FAILED", "PartlyDone")
    assert [r for r in run.records if r.exc_info] == []
    told = [line for line in run.lines if line.endswith(": 2 songs.") or "1 done, 1 failed" in line]
    assert len(told) == 2
    assert len(run.lines) <= 10
    assert run.artifacts()["batch"].type == "table"
    assert any(key.startswith("song-told-one") for key in run.artifacts())


# --------------------------------------------------------------------------- answers of the form


def test_answer_that_cannot_be_followed_comes_back_to_the_person(evening, store) -> None:
    wrong = [
        ("cut", 1, "banana", "details is 'banana'"),
        ("upsample", 1, "99", "take is 99; the run has takes 1 to 2"),
        ("back", 1, "", "back: round 1 is a beginning"),
        ("continue", 2, "4s artist=nobody", "artist is 'nobody'"),
        ("note", 2, "it's", 'details is "it\'s"'),
    ]
    assert evening.state.message == "round 1: 2 takes wait for your choice"
    for action, take, details, message in wrong:
        state = evening.answer(action, take, details)
        assert state.name == "Suspended"
        assert message in str(state.message)
        assert "contradict" not in str(state.message)
        said = evening.asked()
        assert said.startswith("**It cannot be carried out: ")
        assert "take 1" in said  # the question itself is there
        card = evening.artifacts()["answer-not-followed-evening"]
        assert message in str(card.description)
        assert str(card.data).startswith("# The answer was not followed\n\n**It cannot be carried")
        assert [r for r in evening.records if r.exc_info] == []
    assert read_tree(open_store(store), "evening").choices == ()


def test_contradiction_with_another_person_is_called_one(client, store) -> None:
    run = begin(client, "compose", {"song": {**SONG, "title": "Noon"}, "name": "noon"})
    assert run.go().name == "Suspended"
    choice = Choice(action="continue", takes=(1,), seconds=0.1)
    make_choice(open_store(store), "noon", choice, by="room", who="Ada")
    state = run.answer("continue", 2, "0.1s")
    assert (state.name, "contradicts" in str(state.message)) == ("Suspended", True)
    card = run.artifacts()["answer-not-followed-noon"]
    assert "Two choices contradict each other" in str(card.data)
    assert "Ada" in str(card.data)
    assert "candidates-noon-2" in run.artifacts()  # the choice that was first is carried out


def test_right_answer_ends_the_asking(evening, store) -> None:
    state = evening.answer("continue", 2, "0.1s count=1")
    assert (state.name, state.message) == ("Suspended", "round 2: 1 take waits for your choice")
    assert evening.asked().startswith("**Evening: round 2")
    round_two = evening.artifacts()["candidates-evening-2"]
    assert round_two.description == "round 2: 1 take waits for your choice"
    assert "**take 3**" in str(round_two.data)
    assert "![spectrogram of take 3](data:image/png;base64,iVBOR" in str(round_two.data)
    assert evening.answer("upsample", 3).name == "Completed"
    assert evening.artifacts()["song-evening-1"].description == "Evening, 0.7 s"


# --------------------------------------------------------------------------- who chooses


def test_form_of_generate_offers_nobody_who_has_to_be_waited_for(client, prefect_server) -> None:
    from flows.serving.deployments import deployed

    schema = deployed("generate").served()._parameter_openapi_schema.model_dump()
    fields = schema["definitions"]["WholeSong"]["properties"]
    assert fields["choose"]["enum"] == ["first", "best", "all"]
    assert fields["choose"]["default"] == "first"
    other = deployed("compose").served()._parameter_openapi_schema.model_dump()
    assert "wait" in other["definitions"]["SongForm"]["properties"]["choose"]["enum"]


def test_schedule_that_says_wait_from_before_gets_the_first_take(client, store) -> None:
    from flows.generate import generate_song

    made = generate_song({**SONG, "choose": "wait"}, "nightly")  # type: ignore[arg-type]
    assert (made["state"], made["take"]) == ("done", 1)
