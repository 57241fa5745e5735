"""The published optimiser and its schedule.

Paper: hyper-parameter tables. `docs/model.md`, "Training".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, sqrt

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamOptions:
    """Settings of `PublishedAdam`.

    Attributes:
        weight_decay: decoupled, scaled with the bias-corrected step.
        clip: largest global norm of the gradients; inf never clips.
        ignore_above: steps whose global norm is larger are left out.
    """

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 1.0
    ignore_above: float = inf


class PublishedAdam:
    """Adam as the release trains with: eps beside the uncorrected root, decay inside the step.

    `torch.optim.AdamW` differs in both.

    Attributes:
        steps: updates done.
        moments: first and second moment of each parameter.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], options: AdamOptions) -> None:
        self.parameters = list(parameters)
        self.options = options
        self.steps = 0
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, multiplier: float = 1.0, *, loss_scale: float = 1.0) -> float:
        """Update the parameters from their gradients.

        Args:
            multiplier: of the learning rate, from the schedule.
            loss_scale: what the loss was multiplied with before backward.

        Returns:
            The global norm of the gradients, before clipping, loss scale divided out.
        """
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = float(global_norm(gradients)) / loss_scale
        options = self.options
        if norm > options.ignore_above:
            return norm
        divisor = loss_scale * max(1.0, norm / options.clip)
        self.steps += 1
        beta1, beta2 = options.betas
        size = options.lr * multiplier * sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)
        for parameter, (first, second) in zip(self.parameters, self.moments, strict=True):
            if parameter.grad is None:
                continue
            gradient = parameter.grad / divisor
            first.mul_(beta1).add_(gradient, alpha=1 - beta1)
            second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            update = first / (second.sqrt() + options.eps)
            parameter.sub_(update + options.weight_decay * parameter, alpha=size)
        return norm


def global_norm(tensors: Iterable[Tensor]) -> Tensor:
    """Return the Euclidean norm of all entries of all tensors."""
    norms = [tensor.detach().float().norm() for tensor in tensors]
    return torch.stack(norms).norm() if norms else torch.zeros(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Multiplier of the learning rate as a function of the step.

    Attributes:
        scale: of the whole.
        warmup: steps of linear growth; the very first step has multiplier 0.
        gamma, decay: the multiplier falls by `gamma` every `decay` steps.
        linear_start: with a number, instead a linear fall to 0 over `decay` steps from there on.
    """

    scale: float = 1.0
    warmup: float = 100.0
    gamma: float = 1.0
    decay: float = 1e10
    linear_start: float | None = None

    def multiplier(self, step: int) -> float:
        """Return the multiplier at a step, counted from 0."""
        warm = self.scale * min(1.0, step / self.warmup)
        if self.linear_start is None:
            return warm * float(self.gamma ** (step // self.decay))
        return warm * max(0.0, 1.0 - max(0.0, step - self.linear_start) / self.decay)


def average_decay(batch: int, n_processes: int = 1) -> float:
    """Return the published decay of the moving average of the weights for a batch size."""
    return 1.0 - batch * n_processes / 8 / 1000


def warm_cosine(step: int, steps: int, *, warmup: int, floor: float) -> float:
    """Return the factor on the learning rate: a linear warm-up, and a cosine from 1 to `floor`."""
    cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / warmup) * cosine
