"""How a model of voices is trained, and what is told meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from musiccore.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How to train.

    Attributes:
        minutes: CPU minutes to spend, evaluation included; turned into steps after one epoch.
        seed: of weights, order, transpositions and silenced units.
        width: of the recurrent layers.
        n_layers: recurrent layers.
        head_width: of the network of each voice.
        dropout: share of units silenced.
        unheard: share of facts (a pitch, an interval, an age) left out.
        learning_rate: at its highest; it falls along a cosine.
        weight_decay: pull of weights towards zero.
        batch_size: pieces of one step.
        any_reference: share of pieces counted from a random note instead of their first bass note.
        averaging: how slowly the averaged weights follow; these are kept.
        patience: evaluations without a better one before it stops.
        evaluations: how often the held-out pieces are heard, in all.
        precision: of products; `auto` is bfloat16 where the processor multiplies it natively.
        steps: number of steps, whatever time they take; None plans them from `minutes`.
    """

    minutes: float = 12.0
    seed: int = 0
    width: int = 256
    n_layers: int = 2
    head_width: int = 256
    dropout: float = 0.45
    unheard: float = 0.15
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    batch_size: int = 16
    any_reference: float = 0.35
    averaging: float = 0.998
    patience: int = 6
    evaluations: int = 20
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("minutes", "width", "batch_size", "patience", "evaluations", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name}: it is {getattr(self, name)}, want more than 0")
        for name in ("dropout", "unheard", "any_reference", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name}: it is {getattr(self, name)}, want 0 up to 1")
        if self.steps is not None and self.steps < 1:
            raise ConfigError(f"steps: it is {self.steps}, want at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One line of the learning curve.

    Attributes:
        step: steps done.
        steps: steps planned.
        cpu_minutes: spent so far.
        train: nats per note since the last evaluation, with units silenced.
        valid: nats per note of the held-out pieces, averaged weights.
    """

    step: int
    steps: int
    cpu_minutes: float
    train: float
    valid: float
