"""The durable loop over windows, with a sampler that counts and needs no model."""

from __future__ import annotations

import numpy as np
import pytest

from musiccore.errors import Corrupt, Fenced
from musiccore.journal.journal import Journal
from musiccore.journal.manifest import RunRecord
from musiccore.runs.levels import LevelWork, Unit, codes_sha256, finish_level, windows_done
from musiccore.runs.verify import verify_run
from musiccore.sampling.windows import plan_windows
from musiccore.storage.store import BlobRef, Store, open_store


class CountingSampler:
    """New codes are a function of seed, take and position, as those of a model must be."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.units: list[Unit] = []
        self._stop_after = stop_after

    def __call__(self, unit, codes, upper, on_step):
        assert codes.shape == (len(unit.takes), unit.window.first_new)
        if self._stop_after is not None and len(self.units) >= self._stop_after:
            raise KeyboardInterrupt
        self.units.append(unit)
        for done in range(1, unit.window.new + 1):
            on_step(done)
        positions = np.arange(unit.window.first_new, unit.window.end)
        context = codes.sum(axis=1, keepdims=True) % 7
        above = 0 if upper is None else upper.sum(axis=1, keepdims=True) % 5
        return (positions + 3 * np.array(unit.takes)[:, None] + context + above) % 32


@pytest.fixture
def store(tmp_path) -> Store:
    return open_store(tmp_path / "runs")


def journal(store: Store, run_id: str = "song") -> Journal:
    record = RunRecord(
        run_id=run_id,
        created="2026-01-01T00:00:00+00:00",
        request={},
        seed=1,
        rng="philox4x64/v1",
        models={},
        numerics={},
    )
    return Journal.create(store, record)


def work(**changes) -> LevelWork:
    fields = {
        "level": 2,
        "n_codes": 40,
        "windows": tuple(plan_windows(40, 16, 8)),
        "groups": ((0, 1), (2,)),
        "identity": {"seed": 1},
    }
    return LevelWork(**{**fields, **changes})


def test_each_take_gets_all_its_codes(store):
    with journal(store) as log, log.claimed():
        result = finish_level(work(), log, CountingSampler())
    assert sorted(result.codes) == [0, 1, 2]
    assert all(codes.shape == (40,) for codes in result.codes.values())
    assert result.sampled == 2 * 4


def test_finished_level_is_not_sampled_again(store):
    with journal(store) as log, log.claimed():
        first = finish_level(work(), log, CountingSampler())
        again = CountingSampler()
        second = finish_level(work(), log, again)
    assert again.units == []
    assert first.sha256 == second.sha256


def test_interrupted_level_samples_only_what_is_missing(store):
    with journal(store) as log, log.claimed():
        whole = finish_level(work(), log, CountingSampler())
    with journal(store, "other") as log:
        with log.claimed(), pytest.raises(KeyboardInterrupt):
            finish_level(work(), log, CountingSampler(stop_after=3))
        assert windows_done(work(), log) == 3
    rest = CountingSampler()
    with Journal.open(store, "other") as log, log.claimed():
        resumed = finish_level(work(), log, rest)
    assert len(rest.units) == 8 - 3
    assert whole.sha256 == resumed.sha256


def test_other_identity_makes_new_windows_and_switching_back_reuses_the_old(store):
    with journal(store) as log, log.claimed():
        finish_level(work(), log, CountingSampler())
        other = CountingSampler()
        finish_level(work(identity={"seed": 2}), log, other)
        back = CountingSampler()
        finish_level(work(), log, back)
    assert len(other.units) == 8
    assert back.units == []


def test_primer_is_kept_and_not_sampled(store):
    known = np.arange(10, dtype=np.int64)
    primed = work(known=known, windows=tuple(plan_windows(40, 16, 8, n_known=10)))
    with journal(store) as log, log.claimed():
        result = finish_level(primed, log, CountingSampler())
    for codes in result.codes.values():
        np.testing.assert_array_equal(known, codes[:10])


def test_upper_codes_of_the_window_reach_the_sampler(store):
    seen = []

    def sample(unit, codes, upper, on_step):
        seen.append(upper)
        return np.zeros((len(unit.takes), unit.window.new), dtype=np.int64)

    upper = {take: np.arange(20) + 100 * take for take in (0, 1, 2)}
    lower = work(upper=upper, upper_factor=2)
    with journal(store) as log, log.claimed():
        finish_level(lower, log, sample)
    np.testing.assert_array_equal(np.stack([upper[0][4:12], upper[1][4:12]]), seen[1])


def _damage(log: Journal, event) -> None:
    ref = BlobRef.from_json(event.fields["blob"])
    log.store.put(ref.key, b"x" * ref.size)


def test_damaged_window_is_made_again(store):
    with journal(store) as log, log.claimed():
        first = finish_level(work(), log, CountingSampler())
        for event in (log.events_of("window")[2], log.events_of("level_done")[0]):
            _damage(log, event)
        again = CountingSampler()
        second = finish_level(work(), log, again)
        assert len(again.units) == 1
        assert first.sha256 == second.sha256
        assert verify_run(store, "song").sound


def test_damaged_window_that_comes_out_otherwise_is_refused(store):
    def other(unit, codes, upper, on_step):
        return np.ones((len(unit.takes), unit.window.new), dtype=np.int64)

    with journal(store) as log, log.claimed():
        finish_level(work(), log, CountingSampler())
        _damage(log, log.events_of("window")[2])
        _damage(log, log.events_of("level_done")[0])
        with pytest.raises(Corrupt):
            finish_level(work(), log, other)


def test_fenced_worker_stops_and_writes_nothing(store):
    taken_over = Journal.create(store, journal(store).record)

    def sample(unit, codes, upper, on_step):
        if unit.window.index == 1 and taken_over.epoch < 2:
            taken_over.claim(take_over=True)
        return np.zeros((len(unit.takes), unit.window.new), dtype=np.int64)

    with Journal.open(store, "song") as log, log.claimed(), pytest.raises(Fenced):
        finish_level(work(), log, sample)
    taken_over.refresh()
    assert len(taken_over.events_of("window")) == 1


def test_codes_digest_is_that_of_the_npy_file(tmp_path):
    assert codes_sha256(np.arange(4)) == codes_sha256(np.arange(4)[None])
    assert codes_sha256(np.arange(4)) != codes_sha256(np.arange(5))
