"""Many songs from one file: packs, queue, budgets, report."""

from __future__ import annotations

import json

import pytest

from musiccore.errors import ConfigError
from musiccore.journal import Journal, list_runs
from musiccore.request import GenerationRequest
from musiccore.storage import open_store
from tasks.describing import describe_run

pytestmark = pytest.mark.usefixtures("prefect_server")

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


def digests(root) -> dict[str, str]:
    """Digest of the sound of every finished song, by its title."""
    found = {}
    store = open_store(root)
    for run in list_runs(store):
        status = describe_run(store, run)
        found[status.title] = status.master.pcm_sha256
        with Journal.open(store, run) as journal:
            assert journal.verify().sound
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory, prefect_server):
    root = str(tmp_path_factory.mktemp("batch") / "runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", root)
        return root, run_batch()


def test_every_good_song_is_made_and_the_wrong_one_names_its_field(made):
    root, result = made
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
