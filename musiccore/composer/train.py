"""Train a model of voices: seeded, stopped early, resumable to equal weights.

Everything that draws is a function of the seed and the number of the step, so a training that was
killed goes on from its last state as if nothing had happened. Time is CPU time of the process.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from musiccore.composer.batches import UNKNOWN_MARK, Example, example_of, make_batch
from musiccore.composer.features import reference_of
from musiccore.composer.judgement import nats_per_note
from musiccore.composer.network import Composer
from musiccore.composer.schedule import Evaluation, TrainingOptions
from musiccore.composer.sizes import ComposerConfig
from musiccore.composer.voices import Grid, VoiceGrid
from musiccore.composer.weights import read_state, save_model, write_state
from musiccore.errors import ConfigError

MARKS_WEIGHT = 0.05
WARM_UP_STEPS = 60
STATE = "state.safetensors"
OVERTIME = 1.15
"""A training that takes this much longer than planned stops where it is."""

_ROOM = 8  # semitones around the pitches of the data


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished training.

    Attributes:
        folder: where the model lies.
        curve: its evaluations.
        best: the one whose weights were kept.
        stopped: why it ended.
    """

    folder: Path
    curve: tuple[Evaluation, ...]
    best: Evaluation
    stopped: Literal["planned", "patience", "overtime"]


def train(
    train_grids: Sequence[VoiceGrid],
    valid_grids: Sequence[VoiceGrid],
    folder: Path,
    options: TrainingOptions,
    report: Callable[[Evaluation], None] = lambda evaluation: None,
) -> Trained:
    """Train on some pieces, judge by others; what an earlier call did in the folder is kept.

    Args:
        train_grids: pieces to learn from.
        valid_grids: pieces that decide which weights are kept and when to stop.
        folder: holds the state while it runs, and the model.
        options: how.
        report: told every evaluation.

    Raises:
        ConfigError: if there are no pieces, they differ in kind, or the folder holds another
            training.
    """
    _check(train_grids, valid_grids)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(train_grids, valid_grids, folder, options)
    while (stopped := run.stopped()) is None:
        if run.epoch_step():
            report(run.evaluate())
    return Trained(folder=folder, curve=tuple(run.curve), best=best_of(run.curve), stopped=stopped)


def best_of(curve: Sequence[Evaluation]) -> Evaluation:
    """Return the evaluation whose weights are kept."""
    return min(curve, key=lambda evaluation: evaluation.valid)


def _check(train_grids: Sequence[VoiceGrid], valid_grids: Sequence[VoiceGrid]) -> None:
    if not train_grids or not valid_grids:
        raise ConfigError(
            f"data: {len(train_grids)} pieces to train on and {len(valid_grids)} to judge by",
            hint="give at least two pieces",
        )
    kinds = {(grid.pitches.shape[1], grid.steps_per_quarter) for grid in train_grids}
    kinds |= {(grid.pitches.shape[1], grid.steps_per_quarter) for grid in valid_grids}
    if len(kinds) > 1:
        raise ConfigError(f"data: pieces differ in voices and steps a quarter note: {kinds}")


def has_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 natively."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


class Run:
    """A training between two steps."""

    def __init__(
        self,
        train_grids: Sequence[VoiceGrid],
        valid_grids: Sequence[VoiceGrid],
        folder: Path,
        options: TrainingOptions,
    ) -> None:
        self.folder, self.options = folder, options
        self.train = [example_of(grid) for grid in train_grids]
        self.valid = [example_of(grid) for grid in valid_grids]
        self.limits = _limits(self.train)
        first = train_grids[0]
        low, high = _range(self.train)
        config = ComposerConfig(
            low=low,
            high=high,
            n_voices=first.pitches.shape[1],
            steps_per_quarter=first.steps_per_quarter,
            width=options.width,
            n_layers=options.n_layers,
            head_width=options.head_width,
            dropout=options.dropout,
            unheard=options.unheard,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.model = Composer(config)
        decayed = [p for p in self.model.parameters() if p.ndim >= 2]
        others = [p for p in self.model.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": options.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=options.learning_rate,
            betas=(0.9, 0.98),
        )
        self.average = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.step, self.spent = 0, 0.0
        self.steps = options.steps or 0
        self.curve: list[Evaluation] = []
        self.recent: list[float] = []
        self.precision = options.precision
        if self.precision == "auto":
            self.precision = "bfloat16" if has_bfloat16() else "float32"
        self.identity = _identity(self.train, self.valid, options)
        self._since = time.process_time()
        self._resume()

    @property
    def per_epoch(self) -> int:
        """Steps in which every piece is heard once."""
        return -(-len(self.train) // self.options.batch_size)

    @property
    def between(self) -> int:
        """Steps between evaluations."""
        return max(self.steps // self.options.evaluations, 1)

    def stopped(self) -> Literal["planned", "patience", "overtime"] | None:
        """Return why it is over; None while it goes on."""
        if self.steps and self.step >= self.steps:
            return "planned"
        if self.curve:
            after_best = len(self.curve) - 1 - self.curve.index(best_of(self.curve))
            if after_best >= self.options.patience:
                return "patience"
            if self.options.steps is None and self.minutes() > self.options.minutes * OVERTIME:
                return "overtime"
        return None

    def minutes(self) -> float:
        """CPU minutes spent, earlier calls included."""
        return (self.spent + time.process_time() - self._since) / 60

    def epoch_step(self) -> bool:
        """Do one step; return whether it is time to evaluate."""
        if not self.steps and self.step == self.per_epoch:  # a whole epoch tells how long one takes
            self.steps = self._planned()
        self._learn()
        self.step += 1
        if not self.steps:
            return False
        return self.step % self.between == 0 or self.step == self.steps

    def _planned(self) -> int:
        """Return the steps that fit into the minutes, going by the first epoch."""
        epoch = self.minutes()
        judged = sum(len(example.grid) for example in self.valid)
        share = judged / sum(len(example.grid) for example in self.train)
        evaluating = self.options.evaluations * epoch * share / 2  # no way back: half the work
        epochs = (self.options.minutes - evaluating) / epoch
        return max(round(epochs * self.per_epoch), self.per_epoch + 1)

    def _learn(self) -> None:
        options = self.options
        done = self.step / self.steps if self.steps else 0.0
        rate = options.learning_rate * min(1.0, (self.step + 1) / WARM_UP_STEPS)
        rate *= 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        chosen = self._chosen()
        draw = np.random.default_rng((options.seed, 1, self.step))
        transpositions, references = [], []
        for example in chosen:
            low, high = self.limits[example.name]
            moved = int(draw.integers(low, high + 1))
            frame = np.where(example.grid[0] > 0, example.grid[0] + moved, 0)
            anywhere = draw.random() < options.any_reference
            transpositions.append(moved)
            references.append(int(draw.integers(-6, 6)) if anywhere else int(reference_of(frame)))
        batch = make_batch(chosen, self.model.config, transpositions, references)
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            nats, marks = self.model.losses(batch.inputs, batch.codes, batch.counts, generator)
        wanted = batch.marks[batch.counts]
        known = wanted != UNKNOWN_MARK
        loss = nats.mean() + MARKS_WEIGHT * F.binary_cross_entropy_with_logits(
            marks[known], wanted[known].float()
        )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.recent.append(float(nats.detach().mean()))
        keep = min(options.averaging, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                self.average[name].lerp_(parameter, 1 - keep)

    def _chosen(self) -> list[Example]:
        """Return the pieces of this step: of similar lengths, each once an epoch."""
        epoch, at = divmod(self.step, self.per_epoch)
        draw = np.random.default_rng((self.options.seed, 0, epoch))
        lengths = np.array([len(example.grid) for example in self.train])
        order = np.argsort(lengths * np.exp(draw.normal(0, 0.15, len(lengths))), kind="stable")
        first = int(draw.permutation(self.per_epoch)[at]) * self.options.batch_size
        return [self.train[i] for i in order[first : first + self.options.batch_size]]

    def evaluate(self) -> Evaluation:
        """Judge the averaged weights, keep them if they are the best, and save the state."""
        model = averaged(self.model, self.average)
        evaluation = Evaluation(
            step=self.step,
            steps=self.steps,
            cpu_minutes=0.0,
            train=float(np.mean(self.recent)),
            valid=nats_per_note(model, self.valid),
        )
        evaluation = replace(evaluation, cpu_minutes=round(self.minutes(), 3))
        if not self.curve or evaluation.valid < best_of(self.curve).valid:
            save_model(model, self.folder, asdict(evaluation))
        self.curve.append(evaluation)
        self.recent.clear()
        self._save()
        return evaluation

    def _save(self) -> None:
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.model.named_parameters():
            memory = self.optimizer.state[parameter]
            tensors[f"weight/{name}"] = parameter.detach()
            tensors[f"average/{name}"] = self.average[name]
            tensors[f"first/{name}"] = memory["exp_avg"]
            tensors[f"second/{name}"] = memory["exp_avg_sq"]
        facts = {
            "identity": self.identity,
            "step": self.step,
            "steps": self.steps,
            "cpu_seconds": self.minutes() * 60,
            "precision": self.precision,
            "curve": [asdict(evaluation) for evaluation in self.curve],
        }
        write_state(self.folder / STATE, tensors, facts)

    def _resume(self) -> None:
        path = self.folder / STATE
        if not path.exists():
            return
        tensors, facts = read_state(path)
        if facts["identity"] != self.identity:
            raise ConfigError(
                f"out: {str(self.folder)!r} holds a training of other data or options",
                hint="give another folder, or remove this one",
            )
        self.step, self.steps, self.spent = facts["step"], facts["steps"], facts["cpu_seconds"]
        self.precision = facts["precision"]
        self.curve = [Evaluation(**row) for row in facts["curve"]]
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors[f"weight/{name}"])
                self.average[name].copy_(tensors[f"average/{name}"])
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": tensors[f"first/{name}"].clone(),
                    "exp_avg_sq": tensors[f"second/{name}"].clone(),
                }


def averaged(model: Composer, average: dict[str, Tensor]) -> Composer:
    """Return a model with the averaged weights, for judging and keeping."""
    copy = Composer(model.config)
    copy.load_state_dict(average)
    return copy.eval()


def _range(examples: Sequence[Example]) -> tuple[int, int]:
    """Return the pitches that pieces use, with room for transposition and the reference."""
    sounding = np.concatenate([example.grid[example.grid > 0] for example in examples])
    return max(int(sounding.min()) - _ROOM, 1), min(int(sounding.max()) + _ROOM, 126)


def _limits(examples: Sequence[Example]) -> dict[str, tuple[int, int]]:
    """Return by how many semitones each piece may move, voices staying within all pieces'."""
    n_voices = examples[0].grid.shape[1]

    def reach(grid: Grid) -> list[tuple[int, int]]:
        found = []
        for v in range(n_voices):
            sounding = grid[:, v][grid[:, v] > 0]
            found.append((int(sounding.min()), int(sounding.max())) if len(sounding) else (60, 60))
        return found

    whole = reach(np.concatenate([example.grid for example in examples]))
    limits = {}
    for example in examples:
        own = reach(example.grid)
        low = max(whole[v][0] - own[v][0] for v in range(n_voices))
        high = min(whole[v][1] - own[v][1] for v in range(n_voices))
        limits[example.name] = (max(low, -6), min(high, 6))
    return limits


def _identity(
    train_examples: Sequence[Example], valid_examples: Sequence[Example], options: TrainingOptions
) -> str:
    """Return a digest of data and options, so that a state is continued by its own training."""
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    for example in (*train_examples, *valid_examples):
        digest.update(example.name.encode())
        digest.update(example.grid.tobytes())
    return digest.hexdigest()
