"""What `examples/` shows holds: it runs, and goes on after it was stopped."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from musiccore.runs.model_sampler import ModelSampler
from musiccore.runs.verify import verify_run
from musiccore.storage.store import open_store

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_durable_song_goes_on_where_it_was_stopped(tmp_path, monkeypatch, capsys) -> None:
    sampled: list[tuple[int, int]] = []
    real: Callable[..., object] = ModelSampler.__call__

    def noting(self, unit, codes, upper, on_step):
        if len(sampled) == stop_after:
            raise KeyboardInterrupt
        new = real(self, unit, codes, upper, on_step)
        sampled.append((unit.level, unit.window.index))
        return new

    monkeypatch.setattr(ModelSampler, "__call__", noting)
    monkeypatch.setattr("sys.argv", ["durable_song.py", str(tmp_path), "tiny"])
    script = str(EXAMPLES / "durable_song.py")
    stop_after = 7
    with pytest.raises(KeyboardInterrupt):
        runpy.run_path(script)
    assert capsys.readouterr().out == ""
    stop_after = -1
    runpy.run_path(script)
    (song,) = map(Path, capsys.readouterr().out.splitlines())
    assert song.is_file()
    assert len(sampled) == len(set(sampled)) > 7
    assert verify_run(open_store(tmp_path), "first-song").doubts == ()
