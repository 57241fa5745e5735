"""Training a model of voices: seeded, stopped early, resumable to equal weights."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musiccore.composer.baselines import bigram_nats
from musiccore.composer.chorales import names_of, read_voices
from musiccore.composer.judgement import judge
from musiccore.composer.schedule import TrainingOptions
from musiccore.composer.train import Trained, train
from musiccore.composer.voices import VoiceGrid
from musiccore.composer.weights import WEIGHTS, load_model
from musiccore.errors import ConfigError


def walk(seed: int, n_steps: int = 48, n_voices: int = 4) -> VoiceGrid:
    """Voices that move a step up or down now and then."""
    draw = np.random.default_rng(seed)
    moves = draw.integers(-2, 3, (n_steps, n_voices)) * (draw.random((n_steps, n_voices)) < 0.3)
    start = np.array([70, 64, 58, 50])[:n_voices]
    pitches = (start + moves.cumsum(0).clip(-6, 6)).astype(np.int16)
    struck = np.diff(pitches, axis=0, prepend=0) != 0
    return VoiceGrid(name=f"walk {seed}", pitches=pitches, struck=struck)


TINY = TrainingOptions(steps=12, width=16, head_width=16, batch_size=4, evaluations=3)
LEARNT, HELD_OUT = [walk(n) for n in range(8)], [walk(n) for n in range(20, 23)]


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> tuple[Path, Trained]:
    """The folder of a training that nothing interrupted, and its result."""
    folder = tmp_path_factory.mktemp("straight")
    return folder, train(LEARNT, HELD_OUT, folder, TINY)


def test_training_lowers_the_loss(tmp_path) -> None:
    trained = train(
        LEARNT, HELD_OUT, tmp_path, replace(TINY, steps=40, averaging=0.9, learning_rate=0.02)
    )
    assert trained.stopped == "planned"
    assert trained.best.valid < trained.curve[0].valid - 0.3
    model, _ = load_model(tmp_path)
    assert judge(model, HELD_OUT) == pytest.approx(trained.best.valid, abs=1e-3)


_CHILD = """
import sys, torch
sys.path.insert(0, sys.argv[2])
torch.set_num_threads(1)
from pathlib import Path
from test_composer_training import HELD_OUT, LEARNT, TINY
from musiccore.composer.train import Trained, train
train(LEARNT, HELD_OUT, Path(sys.argv[1]), TINY, lambda event: print(event.step, flush=True))
"""


def test_killed_training_goes_on_to_equal_weights(straight, tmp_path) -> None:
    folder, expected = straight
    words = [sys.executable, "-c", _CHILD, str(tmp_path / "killed"), str(Path(__file__).parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "4\n"
        child.send_signal(signal.SIGKILL)
    steps = []
    resumed = train(
        LEARNT, HELD_OUT, tmp_path / "killed", TINY, lambda event: steps.append(event.step)
    )
    assert steps[0] > 4
    assert [event.valid for event in resumed.curve] == [event.valid for event in expected.curve]
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


def test_finished_training_is_not_done_again(straight) -> None:
    folder, first = straight
    seen: list[object] = []
    again = train(LEARNT, HELD_OUT, folder, TINY, seen.append)
    assert seen == []
    assert again.curve == first.curve


def test_folder_of_another_training_is_refused(straight) -> None:
    folder, _ = straight
    with pytest.raises(ConfigError, match="other data"):
        train(LEARNT[1:], HELD_OUT, folder, TINY)


def test_training_stops_when_nothing_improves(tmp_path) -> None:
    hopeless = replace(TINY, steps=400, evaluations=100, patience=2, learning_rate=1e-30)
    trained = train(LEARNT, HELD_OUT, tmp_path, hopeless)
    assert trained.stopped == "patience"
    assert trained.curve[-1].step == 12


def test_minutes_become_steps_after_an_epoch(tmp_path) -> None:
    timed = replace(TINY, steps=None, minutes=0.02)
    trained = train(LEARNT, HELD_OUT, tmp_path, timed)
    assert trained.curve[-1].cpu_minutes < 0.04
    assert trained.curve[-1].steps > 2


@pytest.mark.slow
def test_a_minute_of_training_beats_pairs_of_notes(tmp_path) -> None:
    learnt = [read_voices(name) for name in names_of("train")]
    held_out = [read_voices(name) for name in names_of("valid")]
    options = TrainingOptions(minutes=1, dropout=0.2, unheard=0.0)  # as suits so short a time
    trained = train(learnt, held_out, tmp_path, options)
    pairs = bigram_nats([g.pitches for g in learnt], [g.pitches for g in held_out])
    assert trained.best.valid < min(pairs, 0.6)
