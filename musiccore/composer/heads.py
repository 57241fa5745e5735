"""What decides the next note of one voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musiccore.composer.features import MAX_AGE, N_BUCKETS
from musiccore.composer.sizes import ComposerConfig

LEAP = 12  # melodic intervals told apart, in semitones each way
SPAN = 28  # harmonic intervals told apart


class Dropout(nn.Module):
    """Silence the same units at every step of a piece, drawn from the caller's generator."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(
        self, x: Tensor, generator: torch.Generator | None, rows: Tensor | None = None
    ) -> Tensor:
        """Silence units of `x`: `[B, T, D]`, or `[N, D]` with the piece of each of its rows."""
        if generator is None or self.rate == 0:
            return x
        n_pieces = x.shape[0] if rows is None else int(rows[-1]) + 1
        keep = torch.rand((n_pieces, x.shape[-1]), generator=generator) >= self.rate
        scale = (keep / (1 - self.rate)).to(x.dtype)
        return x * (scale.unsqueeze(1) if rows is None else scale[rows])


class NoteContext(nn.Module):
    """A sum of embeddings, one for each whole number that is known.

    Args:
        sizes: of each number, how many values it has.
        width: of the sum.
        unheard: share of numbers that are left out in training.
    """

    def __init__(self, sizes: Sequence[int], width: int, unheard: float) -> None:
        super().__init__()
        self.unheard = unheard
        starts = torch.tensor([0, *sizes]).cumsum(0)
        self.starts: Tensor
        self.register_buffer("starts", starts[:-1], persistent=False)
        self.table = nn.EmbeddingBag(int(starts[-1]), width, mode="sum")
        nn.init.normal_(self.table.weight, std=0.1)

    def forward(self, columns: Sequence[Tensor], generator: torch.Generator | None) -> Tensor:
        """Return `[N, width]` for columns of `[N]`."""
        index = torch.stack(list(columns), -1) + self.starts
        weights = None
        if generator is not None and self.unheard:
            heard = torch.rand(index.shape, generator=generator) >= self.unheard
            weights = heard / (1 - self.unheard)
        found: Tensor = self.table(index, per_sample_weights=weights)
        return found


def n_intervals(reach: int) -> int:
    """Return how many values `interval` has."""
    return 2 * reach + 2


def interval(upper: Tensor, lower: Tensor, reach: int, hold: int) -> Tensor:
    """Return semitones between codes, from 0; the last value says that one of them is silent."""
    distance = (upper - lower).clamp(-reach, reach) + reach
    silent = (upper == 0) | (lower == 0) | (upper == hold) | (lower == hold)
    return torch.where(silent, 2 * reach + 1, distance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is known of the voice itself, each `[N]`: see `model.Inputs`."""

    previous: Tensor
    age: Tensor
    earlier: Tensor
    bucket: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A voice that was drawn before: its codes in the step before and now, each `[N]`."""

    previous: Tensor
    code: Tensor


class VoiceHead(nn.Module):
    """Logits of one voice, given the state and the voices drawn before it."""

    def __init__(self, config: ComposerConfig, n_known: int) -> None:
        super().__init__()
        self.config = config
        width, classes = config.head_width, config.n_classes
        self.from_state = nn.Linear(config.width, width)
        of_known = [classes, n_intervals(LEAP), n_intervals(SPAN), n_intervals(SPAN)]
        n_pairs = n_known * (n_known - 1) // 2
        self.facts = NoteContext(
            [
                *(classes, classes, MAX_AGE + 1, N_BUCKETS),
                *of_known * n_known,
                *[n_intervals(SPAN)] * n_pairs,
            ],
            width,
            config.unheard,
        )
        self.hidden = nn.Linear(width, width)
        self.dropout = Dropout(config.dropout)
        self.out = nn.Linear(width, classes)
        self.melodic = nn.Linear(width, n_intervals(LEAP))
        self.harmonic = nn.ModuleList(nn.Linear(width, n_intervals(SPAN)) for _ in range(n_known))
        self.along = nn.ParameterList(torch.zeros(12) for _ in range(n_known))
        self.copy = nn.Parameter(torch.zeros(N_BUCKETS))
        for layer in (self.melodic, *self.harmonic):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        state: Tensor,
        own: Own,
        known: Sequence[Known],
        generator: torch.Generator | None,
        rows: Tensor | None,
    ) -> Tensor:
        """Return logits `[N, classes]`.

        Args:
            state: `[N, width]`.
            own: of this voice.
            known: of each voice drawn before.
            generator: draws the silenced units; None outside training.
            rows: piece of each row, `[N]`, for the generator.
        """
        x = self.from_state(state) + self.facts(self._columns(own, known), generator)
        x = self.dropout(F.gelu(x), generator, rows)
        x = self.dropout(x + F.gelu(self.hidden(x)), generator, rows)
        relative = self._relative(self.melodic(x).float(), own.previous, LEAP)
        for other, layer in zip(known, self.harmonic, strict=True):
            relative = relative + self._relative(layer(x).float(), other.code, SPAN)
        logits = self.out(x).float() + F.pad(relative, (1, 1))
        for n, other in enumerate(known):
            logits = self._with_motion(logits, own.previous, other, self.along[n])
        return self._with_copy(logits, own)

    def _columns(self, own: Own, known: Sequence[Known]) -> list[Tensor]:
        hold = self.config.hold
        columns = [own.previous, own.earlier, own.age, own.bucket]
        for other in known:
            columns.append(other.code)
            columns.append(interval(other.code, other.previous, LEAP, hold))
            columns.append(interval(other.code, own.previous, SPAN, hold))
            columns.append(interval(other.previous, own.previous, SPAN, hold))
        for n, upper in enumerate(known):
            columns += [interval(upper.code, other.code, SPAN, hold) for other in known[n + 1 :]]
        return columns

    def _relative(self, scores: Tensor, code: Tensor, reach: int) -> Tensor:
        """Turn scores of intervals from `code` into scores of pitches `[N, pitches]`."""
        pitches = torch.arange(1, self.config.n_pitches + 1)
        distance = pitches - code.unsqueeze(-1)
        index = torch.where(distance.abs() <= reach, distance + reach, 2 * reach + 1)
        silent = (code == 0) | (code == self.config.hold)
        index = torch.where(silent.unsqueeze(-1), 2 * reach + 1, index)
        return scores.gather(-1, index)

    def _with_motion(self, logits: Tensor, previous: Tensor, other: Known, gains: Tensor) -> Tensor:
        """Judge the pitch that moves along with another voice in the same interval."""
        hold, top = self.config.hold, self.config.n_pitches
        target = previous + other.code - other.previous
        silent = (previous == 0) | (previous == hold) | (other.code == 0)
        silent |= (other.previous == 0) | (other.previous == hold) | (other.code == other.previous)
        silent |= (target < 1) | (target > top)
        gain = torch.where(silent, 0.0, gains[(previous - other.previous) % 12])
        return logits.scatter_add(-1, target.clamp(1, top).unsqueeze(-1), gain.unsqueeze(-1))

    def _with_copy(self, logits: Tensor, own: Own) -> Tensor:
        """Favour what followed the similar place; forbid to write a hold as a new pitch."""
        hold = self.config.hold
        target = torch.where(own.earlier == own.previous, hold, own.earlier).unsqueeze(-1)
        gain = torch.where(own.bucket > 0, self.copy[own.bucket], 0.0).unsqueeze(-1)
        logits = logits.scatter_add(-1, target, gain)
        # Before the start `previous` is the hold class itself: then there is nothing to hold.
        return logits.scatter(-1, own.previous.unsqueeze(-1), float("-inf"))
