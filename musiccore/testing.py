"""The test kit: a prior whose codes are their own positions, tiny models, simple signals."""

from __future__ import annotations

from math import pi

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from musiccore.models.config import PriorConfig
from musiccore.models.presets import preset
from musiccore.models.prior import Prior
from musiccore.models.random_weights import random_prior

_SURE = 1e4  # logit of the code that must come next


class CountingPrior:
    """Stands in for a prior: the code it wants next is the last one plus one; the first is 0.

    Any gap, overlap or loss between windows shows in the codes. It keeps what it was given.

    Args:
        config: of the prior it stands in for; the codebook bounds how far it counts.

    Attributes:
        known, labels, upper: what each window was started with, in order.
        steps: positions sampled.
    """

    def __init__(self, config: PriorConfig) -> None:
        self._config = config
        self.known: list[Tensor] = []
        self.labels: list[Tensor | None] = []
        self.upper: list[Tensor | None] = []
        self.steps = 0
        self._next = torch.zeros(0, dtype=torch.int64)

    @property
    def config(self) -> PriorConfig:
        """The configuration it stands in for."""
        return self._config

    def start_window(
        self, known: Tensor, *, labels: Tensor | None = None, upper: Tensor | None = None
    ) -> None:
        """Note the arguments; count on from the last known code [B, P]."""
        self.known.append(known.clone())
        self.labels.append(labels)
        self.upper.append(upper)
        zeros = torch.zeros(len(known), dtype=torch.int64)
        self._next = known[:, -1] + 1 if known.shape[1] else zeros

    def step(self, tokens: Tensor | None = None) -> Tensor:
        """Return logits [B, vocabulary] that leave one choice."""
        if tokens is not None:
            self._next = tokens - self._config.vocabulary_shift + 1
        self.steps += 1
        wanted = self._next % self._config.codebook_size + self._config.vocabulary_shift
        logits = torch.zeros(len(wanted), self._config.n_vocabulary)
        return logits.scatter(1, wanted.unsqueeze(1), _SURE)


def tiny_prior(level: int, *, seed: int = 0, scale: float = 1.0) -> Prior:
    """Return a prior of the `tiny` model with random weights that depend on the seed only.

    Args:
        level: 0, 1 or 2.
        scale: factor on all matrices; large ones make every term matter.
    """
    return random_prior(preset("tiny").priors[level], seed=seed, scale=scale)


def sine(
    frequency: float, seconds: float, sample_rate: int, *, amplitude: float = 0.5
) -> npt.NDArray[np.float32]:
    """Return a sine [time]."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (amplitude * np.sin(2 * pi * frequency * time)).astype(np.float32)


def clicks(
    every_seconds: float, seconds: float, sample_rate: int, *, amplitude: float = 0.5
) -> npt.NDArray[np.float32]:
    """Return single samples at equal distances [time], silence between."""
    signal = np.zeros(round(seconds * sample_rate), dtype=np.float32)
    signal[:: max(1, round(every_seconds * sample_rate))] = amplitude
    return signal
