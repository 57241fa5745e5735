"""Many songs from one file: packs, queue, budgets, report."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

import musiccore.runs.packs
from musiccore.errors import ConfigError
from musiccore.journal.journal import Journal
from musiccore.journal.runs import list_runs
from musiccore.models.loading import Models
from musiccore.models.machine import Machine
from musiccore.request.check import check
from musiccore.runs.batch_report import BatchState, SongState
from musiccore.runs.queue import create_song, open_queue, songs_of
from musiccore.runs.status import describe_run
from musiccore.runs.verify import verify_run
from musiccore.storage.store import Store, open_store
from tasks.batch_steps import ending_of
from tests.flows.rooms import work

pytestmark = pytest.mark.usefixtures("light", "prefect_server")

SONGS = """
[defaults]
model = "tiny"
seconds = 0.45
formats = ["wav"]
max_batch = [3, 3, 2]

[[song]]
title = "one"
seed = 1

[[song]]
title = "two"
seed = 2
temperature = 0.8
artist = "bach"

[[song]]
title = "broken"
seconds = -1.0

[[song]]
title = "three"
seed = 3
top_k = 4
priority = 1

[[song]]
title = "longer"
seconds = 0.5
takes = 2
choose = "best"
"""


def run_batch(**options) -> dict[str, object]:
    from flows.batch import batch

    return batch(**{"recipe": SONGS, "name": "Demo", **options})


def note_passes(patch: pytest.MonkeyPatch) -> list[int]:
    """Note how many songs are in each pass of the model."""
    import_module(
        "musiccore.runs.model_sampler"
    )  # which takes the real function, before it is replaced

    seen: list[int] = []
    sample_rows = musiccore.runs.packs.sample_rows

    def noting(model, songs):
        seen.append(len(songs))
        return sample_rows(model, songs)

    patch.setattr(musiccore.runs.packs, "sample_rows", noting)
    return seen


@pytest.fixture
def passes(monkeypatch) -> list[int]:
    return note_passes(monkeypatch)


def digests(root) -> dict[str, str]:
    """Digest of the sound of every finished song, by its title."""
    found = {}
    store = open_store(root)
    for run in list_runs(store):
        status = describe_run(store, run)
        if status.master is not None:
            found[status.title] = status.master.pcm_sha256
        assert verify_run(store, run).sound
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory, light, prefect_server):
    root = str(tmp_path_factory.mktemp("batch") / "runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", root)
        seen = note_passes(patch)
        return root, run_batch(), seen


def test_every_good_song_is_made_and_the_wrong_one_names_its_field(made):
    _, result, _ = made
    assert (result["done"], result["failed"], result["left"]) == (4, 1, 0)
    assert [song["state"] for song in result["songs"]] == [
        "done",
        "done",
        "failed",
        "done",
        "done",
    ]
    broken = result["songs"][2]
    assert (broken["row"], broken["run"], broken["master"]) == (3, None, None)
    assert "seconds is -1" in broken["error"]


def test_run_with_a_wrong_row_is_partly_done_and_shows_every_row(made, monkeypatch):
    from flows.batch import batch

    monkeypatch.setenv("JUKEFLOW_STORE", made[0])
    state = batch(recipe=SONGS, name="Demo", return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "PartlyDone")
    assert state.message.startswith("1 of 5 songs failed; the first: row 3: seconds is -1")
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
        tables = [a for a in client.read_artifacts() if a.flow_run_id == run.id]
    assert (run.run_count, run.state_name) == (1, "PartlyDone")
    (rows,) = [json.loads(a.data) for a in tables if a.key == "batch"]
    assert [(row["row"], row["title"], row["state"]) for row in rows[:2]] == [
        (3, "broken", "failed"),
        (1, "one", "done"),
    ]
    assert "seconds is -1" in rows[0]["reason"]
    assert [bool(row["link"]) for row in rows] == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("states", "type_and_name"),
    [("failed failed", ("FAILED", "Failed")), ("failed left", ("FAILED", "PartlyDone"))],
)
def test_run_has_failed_where_every_song_failed(states, type_and_name):
    songs = [
        SongState(row=row, run=None, title="a", state=state, master=None, error="no room")
        for row, state in enumerate(states.split(), start=1)
    ]
    state = ending_of(BatchState(batch="b", songs=tuple(songs), report=""))
    assert (state.type.value, state.name) == type_and_name
    assert "the first: row 1: no room" in state.message


def test_song_of_a_pack_comes_out_the_same_when_it_goes_on_alone(made, store_root):
    store, machine = open_store(store_root), Machine()
    queue = open_queue(store, songs_of("", SONGS), "Demo", machine)
    entry = queue.entry(2)
    assert [(place.rows, place.first) for place in entry.places] == [(3, 2), (3, 2), (1, 0)]
    create_song(store, entry, Models(check(entry.request), machine))
    work(entry.run)
    assert digests(store_root)["two"] == digests(made[0])["two"]
    assert "pack" in Journal.open(store, entry.run).record.numerics


def test_songs_of_one_shape_share_passes(made):
    root, result, passes = made
    runs = {song["title"]: song["run"] for song in result["songs"]}
    one, longer = (describe_run(open_store(root), runs[title]) for title in ("one", "longer"))
    assert passes.count(3) == sum(level.windows for level in one.levels[:2])
    assert passes.count(2) == one.levels[2].windows
    assert passes.count(1) == one.levels[2].windows + sum(w.windows for w in longer.levels)


def test_every_song_keeps_its_window_before_one_of_them_is_delivered(made):
    root, result, _ = made
    store, kept, delivered = open_store(root), [], []
    for song in result["songs"]:
        if song["title"] in ("one", "two", "three"):
            with Journal.open(store, song["run"]) as journal:
                kept.append(journal.events_of("window")[-1].at)
                delivered.append(journal.events_of("exported")[-1].at)
    assert max(kept) <= min(delivered)


def test_same_file_again_computes_nothing(made, monkeypatch, passes):
    root, before, _ = made
    monkeypatch.setenv("JUKEFLOW_STORE", root)
    assert run_batch() == before
    assert passes == []


def test_mended_row_does_not_make_the_others_again(made, monkeypatch, passes):
    root, before, _ = made
    monkeypatch.setenv("JUKEFLOW_STORE", root)
    now = run_batch(recipe=SONGS.replace("seconds = -1.0", "seed = 4"))
    assert now["batch"] != before["batch"]
    assert (now["done"], now["failed"]) == (5, 0)
    assert now["songs"][0] == before["songs"][0]
    assert set(passes) == {1}


def test_report_is_in_the_store_and_batches_are_no_runs(made):
    root, result, _ = made
    store: Store = open_store(root)
    folder = store.at(f"batches/{result['batch']}")
    report = json.loads(folder.get("report.json"))
    assert report["songs"] == result["songs"]
    page = folder.get("report.html").decode()
    assert "seconds is -1" in page
    assert f"../../{result['songs'][0]['run']}/export/index.html" in page
    assert "batches" not in list_runs(store)


def test_neighbours_do_not_matter_and_one_over_its_own_budget_leaves(made, store_root):
    others = SONGS.replace("seed = 2", "seed = 2\nmax_hours = 1e-9").replace(
        "seed = 1", "seed = 11"
    )
    result = run_batch(recipe=others.partition('[[song]]\ntitle = "longer"')[0])
    states = {song["title"]: song["state"] for song in result["songs"]}
    assert states == {"one": "done", "two": "left", "broken": "failed", "three": "done"}
    assert "max_hours" in result["songs"][1]["error"]
    before, now = digests(made[0]), digests(store_root)
    assert now["three"] == before["three"]
    assert now["one"] != before["one"]


def test_batch_whose_budget_is_spent_begins_nothing(store_root, passes):
    result = run_batch(hours=1e-9)
    assert (result["done"], result["failed"], result["left"]) == (0, 1, 4)
    assert result["songs"][0]["error"] == "not begun yet"
    assert passes == []


def test_damaged_queue_is_written_again(store_root):
    machine, songs = Machine(), SONGS.partition('[[song]]\ntitle = "broken"')[0]
    store = open_store(store_root)
    first = open_queue(store, songs_of("", songs), "Demo", machine)
    for data in (b"", b"{", b"[]"):
        store.put(f"batches/{first.batch}/queue.json", data)
        assert open_queue(store, songs_of("", songs), "Demo", machine) == first


@pytest.mark.parametrize("data", ["{}", None])
def test_song_whose_run_is_damaged_does_not_stop_its_neighbours(data, store_root):
    machine, songs = Machine(), SONGS.partition('[[song]]\ntitle = "broken"')[0]
    queue = open_queue(open_store(store_root), songs_of("", songs), "Demo", machine)
    entry = queue.entry(1)
    create_song(open_store(store_root), entry, Models(check(entry.request), machine))
    record = Path(store_root) / entry.run / "run.json"
    if data is None:
        with Journal.open(open_store(store_root), entry.run) as journal, journal.claimed():
            record.unlink()
    else:
        record.write_text(data)
    result = run_batch(recipe=songs)
    assert [song["state"] for song in result["songs"]] == ["failed", "done"]


def test_batch_without_a_good_song_is_refused_before_anything_is_written(store_root, tmp_path):
    with pytest.raises(ConfigError, match="no song can be made; row 1: seconds"):
        run_batch(recipe="[[song]]\nseconds = -1.0\n")
    assert not (tmp_path / "runs").exists()


def test_song_that_waits_for_a_person_is_refused(store_root):
    with pytest.raises(ConfigError, match="a batch asks nobody"):
        run_batch(recipe='[[song]]\nmodel = "tiny"\nseconds = 0.45\nchoose = "wait"\n')


@pytest.mark.parametrize("options", [{"recipe": ""}, {"file": "songs.toml"}])
def test_batch_needs_a_file_or_a_text(store_root, options):
    with pytest.raises(ConfigError, match="one of both"):
        run_batch(**options)
