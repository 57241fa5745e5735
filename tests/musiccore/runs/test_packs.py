"""Rows of several songs in one pass: same codes whoever is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from musiccore.journal.manifest import RunRecord
from musiccore.models.labels import NANO_TABLES, Labeller
from musiccore.models.loading import Models
from musiccore.models.machine import Machine
from musiccore.models.presets import preset
from musiccore.request.request import GenerationRequest
from musiccore.runs.packs import (
    PackPlace,
    SharedPasses,
    SongRows,
    choose_songs,
    form_packs,
    place_of,
    sample_rows,
)
from musiccore.sampling.sampler import LevelOptions
from musiccore.sampling.windows import Window

TINY = preset("tiny")
WINDOW = Window(index=0, start=0, end=20, known=0)


def song(first: int, *, takes=(0,), rows: int = 4, **changes) -> SongRows:
    """A song whose numbers are its own: seed, labels and options follow its first row."""
    prior = TINY.top
    labeller = Labeller(prior, NANO_TABLES)
    words = ("bach", "piano", "la " * (first + 1))
    vector, _ = labeller.window_labels(labeller.full(*words, 8000 * 60), 0)
    values = {
        "level": 2,
        "group": 0,
        "place": PackPlace(rows=rows, first=first),
        "window": WINDOW,
        "codes": np.zeros((len(takes), 0), dtype=np.int64),
        "upper": None,
        "labels": np.stack([vector] * len(takes)),
        "options": LevelOptions(temperature=1.0 - first / 10),
        "seed": 100 + first,
        "takes": takes,
        "on_step": lambda done: None,
    }
    return SongRows(**{**values, **changes})


@pytest.fixture(scope="module")
def passes():
    with SharedPasses(Models(TINY, Machine())) as shared:
        yield shared


def sample(passes: SharedPasses, *songs: SongRows) -> list[np.ndarray]:
    return [outcome.value for outcome in passes._serve(songs)]


def test_codes_are_the_same_alone_and_whoever_the_neighbours_are(passes):
    songs = [song(0, takes=(0, 1)), song(2), song(3)]
    together = sample(passes, *songs)
    assert [codes.shape for codes in together] == [(2, 20), (1, 20), (1, 20)]
    for i, one in enumerate(songs):
        np.testing.assert_array_equal(together[i], sample(passes, one)[0])
        np.testing.assert_array_equal(together[i], sample(passes, *songs[: i + 1])[i])
    assert len({codes[0].tobytes() for codes in together}) == 3


def test_song_that_cannot_be_sampled_leaves_its_neighbours_alone(passes):
    bad = song(1, codes=np.zeros((1, 0), dtype=np.int64), seed=-1)
    good = song(0)
    first, second = passes._serve([good, bad])
    np.testing.assert_array_equal(first.value, sample(passes, good)[0])
    assert "seed" in str(second.error)


def test_every_song_is_told_each_step(passes):
    told: list[int] = []
    sample_rows(passes._model_for(2, 4), [song(0, on_step=told.append), song(1)])
    assert told == list(range(1, 21))


def test_those_behind_are_served_first_and_rows_never_meet():
    later = replace(WINDOW, index=1, start=10, end=30, known=10)
    wanted = [song(0, window=later), song(1), song(1), song(2, level=1), song(3)]
    assert choose_songs(wanted) == [1, 4]


def test_jobs_of_songs_share_passes(passes):
    outcomes = passes.turns.run([lambda n=n: passes.sample(song(n)) for n in range(4)])
    for n, outcome in enumerate(outcomes):
        np.testing.assert_array_equal(outcome.value, sample(passes, song(n))[0])


# --------------------------------------------------------------------------------- who is with whom


def request(**changes) -> GenerationRequest:
    return GenerationRequest(**{"model": "tiny", "seconds": 0.5, **changes})


def packs(*requests: GenerationRequest):
    return form_packs({n: (one, TINY) for n, one in enumerate(requests)})


def test_songs_of_one_shape_share_a_pack_and_others_do_not():
    found = packs(request(), request(seconds=0.6), request(title="x"), request(seconds=0.6))
    assert [sorted(pack) for pack in found] == [[0, 2], [1, 3]]


def test_each_level_takes_as_many_songs_as_fit():
    (pack,) = packs(*[request(max_batch=(4, 3, 2)) for _ in range(4)])
    places = [[(place.rows, place.first) for place in pack[n]] for n in range(4)]
    assert places == [
        [(4, 0), (3, 0), (2, 0)],
        [(4, 1), (3, 1), (2, 1)],
        [(4, 2), (3, 2), (2, 0)],
        [(4, 3), (1, 0), (2, 1)],
    ]


def test_takes_of_a_song_lie_side_by_side():
    (pack,) = packs(*[request(takes=3, max_batch=(8, 8, 4)) for _ in range(2)])
    assert [[(p.rows, p.first) for p in pack[n]] for n in range(2)] == [
        [(2, 0), (2, 0), (3, 0)],
        [(2, 1), (2, 1), (3, 0)],
    ]


def record(**numerics) -> RunRecord:
    return RunRecord(
        run_id="song",
        created="",
        request={},
        seed=0,
        rng="philox4x64/v1",
        models={},
        numerics=numerics,
    )


def test_place_is_read_from_the_record_of_the_run():
    pack = [{"rows": 4, "first": 1}, {"rows": 2, "first": 1}]
    assert place_of(record(pack=pack), 0, 1) == PackPlace(rows=4, first=1)
    assert place_of(record(pack=pack), 1, 2) == PackPlace(rows=2, first=0)  # it does not fit
    assert place_of(record(), 0, 3) == PackPlace(rows=3, first=0)
