"""A recurrent model of several voices on a grid: an exact, causal likelihood of every note.

Two LSTM layers read the past step by step. The voices of the next step are drawn one after the
other (the outer ones first), each by a small network that knows those already drawn. A voice holds
its pitch, rests, or takes a new one; pitches are counted from the first bass note, so that all keys
look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musiccore.composing.features import MAX_AGE, N_BUCKETS, UNKNOWN_REFERENCE
from musiccore.errors import ConfigError

_BAR = 16  # quarter-note bars of four and three, in sixteenths: positions a step may have
_WALTZ = 12
_LEAP = 12  # melodic intervals told apart, in semitones each way
_SPAN = 28  # harmonic intervals told apart

State = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposerConfig:
    """Sizes of a model.

    Attributes:
        n_voices: voices of the grid, highest first.
        steps_per_quarter: steps of a quarter note.
        low: lowest pitch it knows, counted from the reference.
        high: highest.
        width: of each recurrent layer.
        n_layers: recurrent layers.
        head_width: of the network of a voice.
        dropout: share of units silenced in training.
    """

    n_voices: int = 4
    steps_per_quarter: int = 4
    low: int = 28
    high: int = 91
    width: int = 256
    n_layers: int = 2
    head_width: int = 256
    dropout: float = 0.3

    def __post_init__(self) -> None:
        for name in ("n_voices", "steps_per_quarter", "width", "n_layers", "head_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, want at least 1")
        if self.high <= self.low:
            raise ConfigError(f"high is {self.high}, want more than low, {self.low}")

    @property
    def n_pitches(self) -> int:
        """Pitches a voice can take."""
        return self.high - self.low + 1

    @property
    def n_classes(self) -> int:
        """Rest, pitches, hold."""
        return self.n_pitches + 2

    @property
    def hold(self) -> int:
        """Class of a voice that keeps its pitch or rest; as an input: before the start."""
        return self.n_pitches + 1

    @property
    def order(self) -> tuple[int, ...]:
        """Order in which voices are drawn: highest, lowest, then the inner ones downwards."""
        if self.n_voices == 1:
            return (0,)
        return (0, self.n_voices - 1, *range(1, self.n_voices - 1))


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


class VoiceHead(nn.Module):
    """Logits of one voice, given the state and the voices drawn before it."""

    def __init__(self, config: ComposerConfig, n_known: int) -> None:
        super().__init__()
        self.config = config
        width, classes = config.head_width, config.n_classes
        self.from_state = nn.Linear(config.width, width)
        # One table, summed over its columns: previous, earlier, age, bucket, then the voices known.
        sizes = [classes, classes, MAX_AGE + 1, N_BUCKETS, *[classes, 2] * n_known]
        starts = torch.tensor([0, *sizes]).cumsum(0)
        self.starts: Tensor
        self.register_buffer("starts", starts[:-1], persistent=False)
        self.facts = nn.EmbeddingBag(int(starts[-1]), width, mode="sum")
        self.hidden = nn.Linear(width, width)
        self.dropout = Dropout(config.dropout)
        self.out = nn.Linear(width, classes)
        self.melodic = nn.Linear(width, 2 * _LEAP + 2)
        self.harmonic = nn.ModuleList(nn.Linear(width, 2 * _SPAN + 2) for _ in range(n_known))
        self.copy = nn.Parameter(torch.zeros(N_BUCKETS))
        nn.init.normal_(self.facts.weight, std=0.1)
        for layer in (self.melodic, *self.harmonic):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        state: Tensor,
        own: tuple[Tensor, Tensor, Tensor, Tensor],
        known: list[tuple[Tensor, Tensor]],
        generator: torch.Generator | None,
        rows: Tensor | None,
    ) -> Tensor:
        """Return logits `[N, classes]`.

        Args:
            state: `[N, width]`.
            own: previous code, age, earlier code and bucket of this voice, each `[N]`.
            known: new code and whether it moved, of each voice drawn before, each `[N]`.
            generator: draws the silenced units; None outside training.
            rows: piece of each row, `[N]`, for the generator.
        """
        previous, age, earlier, bucket = own
        columns = [previous, earlier, age, bucket]
        for code, moved in known:
            columns += [code, moved]
        x = self.from_state(state) + self.facts(torch.stack(columns, -1) + self.starts)
        x = self.dropout(F.gelu(x), generator, rows)
        x = self.dropout(x + F.gelu(self.hidden(x)), generator, rows)
        logits = self.out(x).float()
        relative = self._relative(self.melodic(x).float(), previous, _LEAP)
        for (code, _), layer in zip(known, self.harmonic, strict=True):
            relative = relative + self._relative(layer(x).float(), code, _SPAN)
        logits = logits + F.pad(relative, (1, 1))
        return self._with_copy(logits, previous, earlier, bucket)

    def _relative(self, scores: Tensor, code: Tensor, reach: int) -> Tensor:
        """Turn scores of intervals from `code` into scores of pitches `[N, pitches]`."""
        pitches = torch.arange(1, self.config.n_pitches + 1)
        interval = pitches - code.unsqueeze(-1)
        index = torch.where(interval.abs() <= reach, interval + reach, 2 * reach + 1)
        silent = (code == 0) | (code == self.config.hold)
        index = torch.where(silent.unsqueeze(-1), 2 * reach + 1, index)
        return scores.gather(-1, index)

    def _with_copy(
        self, logits: Tensor, previous: Tensor, earlier: Tensor, bucket: Tensor
    ) -> Tensor:
        """Favour what followed the similar place; forbid to write a hold as a new pitch."""
        hold = self.config.hold
        target = torch.where(earlier == previous, hold, earlier).unsqueeze(-1)
        gain = (self.copy[bucket] * (bucket > 0)).unsqueeze(-1)
        logits = logits.scatter_add(-1, target, gain)
        # Before the start `previous` is the hold class itself: then there is nothing to hold.
        return logits.scatter(-1, previous.unsqueeze(-1), float("-inf"))


class Composer(nn.Module):
    """The model."""

    def __init__(self, config: ComposerConfig) -> None:
        super().__init__()
        self.config = config
        voices, classes = config.n_voices, config.n_classes
        self.pitch = nn.ModuleList(nn.Embedding(classes, 48) for _ in range(voices))
        self.age = nn.ModuleList(nn.Embedding(MAX_AGE + 1, 12) for _ in range(voices))
        self.earlier = nn.ModuleList(nn.Embedding(classes, 24) for _ in range(voices))
        self.bucket = nn.Embedding(N_BUCKETS, 16)
        self.bar = nn.Embedding(_BAR * config.steps_per_quarter // 4, 24)
        self.waltz = nn.Embedding(_WALTZ * config.steps_per_quarter // 4, 12)
        self.reference = nn.Embedding(UNKNOWN_REFERENCE + 1, 16)
        n_inputs = voices * (48 + 12 + 24) + 16 + 24 + 12 + 16
        self.enter = nn.Linear(n_inputs, config.width)
        self.layers = nn.ModuleList(
            nn.LSTM(config.width, config.width, batch_first=True) for _ in range(config.n_layers)
        )
        self.dropout = Dropout(config.dropout)
        self.heads = nn.ModuleList(VoiceHead(config, n) for n in range(voices))
        self.marks_in = nn.Linear(config.width, 96)
        self.marks_known = nn.EmbeddingBag(voices * classes, 96, mode="sum")
        self.marks = nn.Linear(96, voices + 2)  # struck again for each voice; fermata; last step
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
        parts = []
        for v in range(self.config.n_voices):
            parts.append(self.pitch[v](inputs.previous[..., v]))
            parts.append(self.age[v](inputs.ages[..., v]))
            parts.append(self.earlier[v](inputs.earlier[..., v]))
        parts.append(self.bucket(inputs.bucket))
        parts.append(self.bar(inputs.position % self.bar.num_embeddings))
        parts.append(self.waltz(inputs.position % self.waltz.num_embeddings))
        parts.append(self.reference(inputs.reference))
        x = F.gelu(self.enter(torch.cat(parts, -1)))
        after: State = []
        for n, layer in enumerate(self.layers):
            x = self.dropout(x, generator)
            y, last = layer(x, None if state is None else state[n])
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
        known = [(codes[:, v], (codes[:, v] != inputs.previous[:, v]).long()) for v in order[:n]]
        own = (
            inputs.previous[:, voice],
            inputs.ages[:, voice],
            inputs.earlier[:, voice],
            inputs.bucket,
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
        return torch.stack(nats, -1), self.mark_logits(read, codes)

    def mark_logits(self, read: Tensor, codes: Tensor) -> Tensor:
        """Return logits of the marks `[N, V + 2]`, given all voices of the step."""
        facts = codes + torch.arange(self.config.n_voices) * self.config.n_classes
        x = F.gelu(self.marks_in(read) + self.marks_known(facts))
        marks: Tensor = self.marks(x).float()
        return marks
