"""A recurrent model of several voices on a grid: an exact, causal likelihood of every note.

Two LSTM layers read the past step by step. The voices of the next step are drawn one after the
other (the outer ones first), each by a small network that knows those already drawn. A voice holds
its pitch, rests, or takes a new one; pitches are counted from the first bass note, so that all keys
look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musiccore.composer.features import MAX_AGE, N_BUCKETS, UNKNOWN_REFERENCE
from musiccore.composer.heads import (
    SPAN,
    Dropout,
    Known,
    NoteContext,
    Own,
    VoiceHead,
    interval,
    n_intervals,
)
from musiccore.composer.sizes import ComposerConfig

_BAR = 16  # quarter-note bars of four and three, in sixteenths: positions a step may have
_WALTZ = 12
_MARKS_WIDTH = 96

State = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What is known before each step, as `[B, T]` or `[B, T, V]` integers.

    Attributes:
        previous: codes of the step before.
        ages: see `features.Past`.
        earlier: codes of the step that followed a similar place; `hold` where there is none.
        bucket: how similar that place is.
        position: number of the step from the beginning.
        reference: 0 to 11, or `UNKNOWN_REFERENCE` before the first step.
    """

    previous: Tensor
    ages: Tensor
    earlier: Tensor
    bucket: Tensor
    position: Tensor
    reference: Tensor

    def at(self, mask: Tensor) -> Inputs:
        """Return the steps of a mask `[B, T]` in one row."""
        return Inputs(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})

    def flat(self) -> Inputs:
        """Return all steps in one row."""
        return self.at(torch.ones_like(self.bucket, dtype=torch.bool))


def _advance(
    layer: nn.LSTM, x: Tensor, state: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Run a layer; a single step goes round the machinery for sequences, which costs more."""
    if x.shape[1] > 1:
        y, last = layer(x, state)
        return y, last
    nothing = x.new_zeros(len(x), layer.hidden_size)
    before = (nothing, nothing) if state is None else (state[0][0], state[1][0])
    h, c = torch.lstm_cell(x[:, 0], before, *layer.parameters())
    return h[:, None], (h[None], c[None])


class Composer(nn.Module):
    """The model."""

    def __init__(self, config: ComposerConfig) -> None:
        super().__init__()
        self.config = config
        voices, classes = config.n_voices, config.n_classes
        spq = config.steps_per_quarter
        sizes = [classes, MAX_AGE + 1, classes] * voices
        sizes += [n_intervals(SPAN)] * (voices * (voices - 1) // 2)
        sizes += [N_BUCKETS, _BAR * spq // 4, _WALTZ * spq // 4, UNKNOWN_REFERENCE + 1]
        self.enter = NoteContext(sizes, config.width, config.unheard)
        self.bar, self.waltz = _BAR * spq // 4, _WALTZ * spq // 4
        self.layers = nn.ModuleList(
            nn.LSTM(config.width, config.width, batch_first=True) for _ in range(config.n_layers)
        )
        self.dropout = Dropout(config.dropout)
        self.heads = nn.ModuleList(VoiceHead(config, n) for n in range(voices))
        self.marks_in = nn.Linear(config.width, _MARKS_WIDTH)
        self.marks_known = NoteContext([classes] * voices, _MARKS_WIDTH, config.unheard)
        self.marks = nn.Linear(
            _MARKS_WIDTH, voices + 2
        )  # struck again for each voice; fermata; last step
        for layer in self.layers:
            for name, tensor in layer.named_parameters():
                if "weight_hh" in name:
                    nn.init.orthogonal_(tensor)
                elif "bias_ih" in name:
                    tensor.data[config.width : 2 * config.width].fill_(1.0)  # remember at first

    def read(
        self, inputs: Inputs, state: State | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Return what is known before each step `[B, T, width]`, and the state after the last."""
        shape, steps = inputs.bucket.shape, inputs.flat()
        columns: list[Tensor] = []
        for v in range(self.config.n_voices):
            columns += [steps.previous[:, v], steps.ages[:, v], steps.earlier[:, v]]
        for upper, lower in combinations(range(self.config.n_voices), 2):
            before = steps.previous
            columns.append(interval(before[:, upper], before[:, lower], SPAN, self.config.hold))
        columns += [steps.bucket, steps.position % self.bar, steps.position % self.waltz]
        x = F.gelu(self.enter([*columns, steps.reference], generator)).view(*shape, -1)
        after: State = []
        for n, layer in enumerate(self.layers):
            x = self.dropout(x, generator)
            assert isinstance(layer, nn.LSTM)
            y, last = _advance(layer, x, None if state is None else state[n])
            after.append(last)
            x = y if n == 0 else x + y
        return self.dropout(x, generator), after

    def voice_logits(
        self,
        n: int,
        read: Tensor,
        inputs: Inputs,
        codes: Tensor,
        generator: torch.Generator | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Return logits `[N, classes]` of the n-th voice in order, `codes` of others given."""
        order = self.config.order
        voice = order[n]
        known = [Known(previous=inputs.previous[:, v], code=codes[:, v]) for v in order[:n]]
        own = Own(
            previous=inputs.previous[:, voice],
            age=inputs.ages[:, voice],
            earlier=inputs.earlier[:, voice],
            bucket=inputs.bucket,
        )
        logits: Tensor = self.heads[n](read, own, known, generator, rows)
        return logits

    def losses(
        self,
        inputs: Inputs,
        codes: Tensor,
        counts: Tensor,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return nats of every note `[N, V]` and logits of the marks `[N, V + 2]`.

        Args:
            inputs: `[B, T, ...]`.
            codes: `[B, T, V]`.
            counts: `[B, T]`, which steps are music: N of them.
            generator: draws the silenced units; None outside training.
        """
        read, _ = self.read(inputs, None, generator)
        read, inputs, codes = read[counts], inputs.at(counts), codes[counts]
        rows = counts.nonzero()[:, 0]
        # A voice that keeps what it had holds.
        classes = torch.where(codes == inputs.previous, self.config.hold, codes)
        nats = [torch.empty(0)] * self.config.n_voices
        for n, voice in enumerate(self.config.order):
            logits = self.voice_logits(n, read, inputs, codes, generator, rows)
            nats[voice] = F.cross_entropy(logits, classes[:, voice], reduction="none")
        return torch.stack(nats, -1), self.mark_logits(read, codes, generator)

    def mark_logits(
        self, read: Tensor, codes: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return logits of the marks `[N, V + 2]`, given all voices of the step."""
        x = F.gelu(self.marks_in(read) + self.marks_known(codes.unbind(-1), generator))
        marks: Tensor = self.marks(x).float()
        return marks
