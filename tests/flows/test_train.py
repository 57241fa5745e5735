"""Training as a flow that can be stopped and started again."""

from __future__ import annotations

import json

import pytest
from prefect.exceptions import ParameterTypeError

from flows.train import train
from musiccore.errors import ConfigError
from musiccore.training.recipe import TrainingEvent
from tasks.training import training_lines

PIECE = {
    "name": "bwv1.6",
    "tonic": 0,
    "mode": "major",
    "notes": [[0.0, 1.0, 60, 0], [1.0, 1.0, 64, 0]],
}


def test_stage_that_is_done_is_not_done_again(prefect_server, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pieces.json").write_text(json.dumps([PIECE]))
    out = str(tmp_path / "out")
    assert train(folder=str(tmp_path), out=out, stage="data") == out
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").glob("*.i16")}
    assert len(made) == 4
    train(folder=str(tmp_path), out=out, stage="data")
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_wrong_options_are_refused(prefect_server, tmp_path) -> None:
    with pytest.raises(ParameterTypeError, match="stage"):
        train(stage="nonsense")
    with pytest.raises(ConfigError, match="shorten is 0"):
        train(folder=str(tmp_path), stage="data", shorten=0)


def test_lines_come_now_and_then_and_at_the_end() -> None:
    said: list[str] = []
    seconds = iter([0.0, 1.0, 31.0, 32.0, 33.0])
    report = training_lines(said.append, clock=lambda: next(seconds))
    for step in (1, 2, 3):
        report(TrainingEvent(stage="prior", level=1, step=step, steps=9, loss=2.0))
    report(TrainingEvent(stage="prior", level=1, step=4, steps=9, held_out=5.25))
    report(TrainingEvent(stage="prior", level=1, step=9, steps=9, loss=1.5))
    assert said == [
        "prior level 1: step 1 of 9, loss 2.0000",
        "prior level 1: step 3 of 9, loss 2.0000",
        "prior level 1: step 4 of 9, held out 5.250 bits",
        "prior level 1: step 9 of 9, loss 1.5000",
    ]
