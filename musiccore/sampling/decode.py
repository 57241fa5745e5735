"""Decoding: prime the caches of a window in one pass, then one position per step.

A `StepDecoder` is a `with` block around one prior. It prepares the weights once and allocates the
caches once; windows of a level follow each other in it. Nothing inside a step waits for the device
or allocates a cache.

Rows that share one position take the sliced path (`_step_together`), the fastest in plain PyTorch.
Rows at positions of their own take the masked path (`_step_each`): fixed shapes and addresses, the
position a tensor. That function is where graph capture, compilation and other forms of the weights
find their place.

Paper: "Sampling"; cached evaluation. `docs/model.md`, "Step by step", "Precision".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import torch
import torch.nn.functional as F
from torch import Tensor

from musiccore.errors import CodesError
from musiccore.models.prior import Prior
from musiccore.models.prior.attention import Attention, Projection
from musiccore.models.prior.cache import BatchPosition, Cache, make_cache
from musiccore.models.prior.transformer import Layer

_GELU = 1.702
_EPS = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """Weights of one layer, ready for the arithmetic of decoding.

    Norms stay float32, everything else is in the working type; a tensor that is so already is not
    copied, save narrow ones (`_laid_out`). Other storage (packed, 8 bits) takes the place of this
    class.
    """

    norm_attention: tuple[Tensor, Tensor]
    norm_mlp: tuple[Tensor, Tensor]
    attention_input: tuple[Tensor, Tensor]
    attention_output: tuple[Tensor, Tensor]
    mlp_input: tuple[Tensor, Tensor]
    mlp_output: tuple[Tensor, Tensor]
    scale: float
    cross: bool

    @classmethod
    def of(cls, layer: Layer, dtype: torch.dtype) -> LayerWeights:
        """Take the weights of a layer."""

        def pair(projection: Projection) -> tuple[Tensor, Tensor]:
            weight = projection.weight.detach().to(dtype)
            return _laid_out(weight), projection.bias.detach().to(dtype)

        return cls(
            norm_attention=(
                layer.norm_attention.weight.detach(),
                layer.norm_attention.bias.detach(),
            ),
            norm_mlp=(layer.norm_mlp.weight.detach(), layer.norm_mlp.bias.detach()),
            attention_input=pair(layer.attention.input),
            attention_output=pair(layer.attention.output),
            mlp_input=pair(layer.mlp.input),
            mlp_output=pair(layer.mlp.output),
            scale=layer.scale,
            cross=layer.attention.kind == "cross",
        )

    def finish(self, h: Tensor, heads: Tensor | None) -> Tensor:
        """Return the layer's output [B, W] from its input and the heads [B, S], None for zeros."""
        weight, bias = self.attention_output
        a = bias if heads is None else torch.addmm(bias, heads, weight)
        middle = h + a
        weight, bias = self.mlp_input
        x = _norm(middle, self.norm_mlp)
        x = F.silu(torch.addmm(bias, x, weight, beta=_GELU, alpha=_GELU))
        weight, bias = self.mlp_output
        m = torch.addmm(bias, x, weight, alpha=1 / _GELU)
        return middle + m if self.scale == 1.0 else h + self.scale * (a + m)


def _laid_out(weight: Tensor) -> Tensor:
    """Return a matrix [in, out] with the longer side contiguous, which one row of input likes.

    Only a matrix with fewer outputs than inputs is copied; the released models have none.
    """
    narrow = weight.shape[1] < weight.shape[0]
    return weight.t().contiguous().t() if narrow and weight.is_contiguous() else weight


def _norm(x: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
    weight, bias = weights
    if x.dtype == weight.dtype:
        return torch.native_layer_norm(x, weight.shape, weight, bias, _EPS)[0]
    return torch.native_layer_norm(x.float(), weight.shape, weight, bias, _EPS)[0].to(x.dtype)


class StepDecoder:
    """Caches and weights of one prior while a level is sampled; use it as a `with` block.

    Rows of a batch are independent: each has its own labels, upper codes and number of known codes.

    Args:
        prior: the model, in evaluation mode.
        batch: rows at most.
        dtype: of the arithmetic inside the stack.
    """

    def __init__(self, prior: Prior, batch: int = 1, *, dtype: torch.dtype = torch.float32) -> None:
        self.prior = prior
        self.batch = batch
        self.dtype = dtype
        self.config = prior.config
        self._n_positions = prior.config.n_positions
        self._device = prior.decoder.positions.device
        self._layers: list[tuple[LayerWeights, Cache]] = []
        self._modules: list[Layer] = []
        self._open = False

    def __enter__(self) -> StepDecoder:
        with torch.inference_mode():
            for layer, kind in zip(
                self.prior.decoder.layers, self.prior.decoder.config.kinds, strict=True
            ):
                assert isinstance(layer, Layer)
                cache = make_cache(
                    kind,
                    self.prior.decoder.config,
                    self.batch,
                    n_encoder=self.config.n_lyrics_tokens,
                    dtype=self.dtype,
                    device=self._device,
                )
                self._layers.append((LayerWeights.of(layer, self.dtype), cache))
                self._modules.append(layer)
            decoder = self.prior.decoder
            self._embedding = decoder.embed.weight.detach()
            assert decoder.head is not None
            head = decoder.head.weight.detach().t()  # [W, vocabulary]
            self._head = head.contiguous() if head.shape[1] > head.shape[0] else head
            self._readd = decoder.readd_conditioning
        self._open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._layers.clear()
        self._modules.clear()
        self._open = False

    @property
    def caches(self) -> tuple[Cache, ...]:
        """The cache of each layer; none outside the `with` block."""
        return tuple(cache for _, cache in self._layers)

    @property
    def positions(self) -> tuple[int, ...]:
        """Position that each row samples next; the lyrics prefix counts."""
        return tuple(self._positions)

    @torch.inference_mode()
    def start_window(
        self,
        known: Tensor,
        *,
        labels: Tensor | None = None,
        upper: Tensor | None = None,
        lengths: Sequence[int] | None = None,
    ) -> None:
        """Evaluate the conditioners and prime the caches with the known codes, in one pass.

        Args:
            known: codes [B, P] int64 at the start of the window; P may be 0.
            labels: label vectors [B, label_length].
            upper: upper codes [B, n_ctx / factor].
            lengths: known codes of each row, at most P; what follows them is padding. All P by
                default.

        Raises:
            CodesError: if shapes do not fit, or a window has no room for a new code.
        """
        assert self._open, "start_window is called inside the with block"
        rows, width = known.shape
        counts = [width] * rows if lengths is None else list(lengths)
        self._check(known, counts)
        place = self._device
        known = known.to(place)
        labels = None if labels is None else labels.to(place)
        upper = None if upper is None else upper.to(place)
        conditioned = self.prior.condition(labels, upper, dtype=self.dtype)
        decoder = self.prior.decoder
        tokens = self.prior.sequence(known, labels)
        self._rows = rows
        self._positions = [self.config.lyrics_prefix + n for n in counts]
        self._together = len(set(self._positions)) == 1
        self._where = torch.tensor(self._positions, device=place)
        self._row_numbers = torch.arange(rows, device=place)
        self._start = decoder.start_vector(conditioned.start, rows)[:, 0]  # [B, W]
        self._cond = conditioned.per_position
        table = decoder.positions.detach().unsqueeze(0)
        self._base = table if self._cond is None else table + self._cond  # [B or 1, n, W]
        states = conditioned.lyrics_states
        for _, cache in self._layers:
            cache.use_rows_(rows)
            cache.begin_()
        self._prime(tokens, states)
        last = (self._where - 1).clamp(min=0).unsqueeze(1)
        if tokens.shape[1]:
            self._last = tokens.gather(1, last)[:, 0]
        else:
            self._last = torch.zeros(rows, dtype=torch.int64, device=place)

    def _check(self, known: Tensor, counts: list[int]) -> None:
        rows, width = known.shape
        n_ctx, size = self.config.n_ctx, self.config.codebook_size
        if not 1 <= rows <= self.batch:
            raise CodesError(f"a window of {rows} rows; the caches hold 1 to {self.batch}")
        if len(counts) != rows or any(not 0 <= n <= width for n in counts) or max(counts) >= n_ctx:
            raise CodesError(
                f"known codes per row are {counts} in an array of {width}; "
                f"a window of {n_ctx} needs room for a new code"
            )
        if known.numel() and not 0 <= int(known.min()) <= int(known.max()) < size:
            raise CodesError(
                f"known codes span {int(known.min())} to {int(known.max())}; "
                f"the codebook holds 0 to {size - 1}"
            )

    def _prime(self, tokens: Tensor, states: Tensor | None) -> None:
        """Evaluate positions 0 to L - 1 with the code for whole sequences, keeping keys, values."""
        decoder = self.prior.decoder
        length = tokens.shape[1]
        encoded = None if states is None else states.to(self.dtype)
        counts = self._positions
        h: Tensor | None = None
        if length:
            h = decoder.inputs(tokens, self._start.unsqueeze(1), self._cond).to(self.dtype)
        for number, (module, (_, cache)) in enumerate(
            zip(self._modules, self._layers, strict=True)
        ):
            attention = module.attention
            if attention.kind == "cross":
                assert encoded is not None
                k, v = attention.encoder_key_value(encoded)
                cache.fill_(torch.stack((k, v)), counts)
                if h is not None:
                    q = attention.split_heads(attention.input(module.norm_attention(h)))
                    h = self._finish(module, h, attention, q, k, v)
            elif h is not None:
                q, k, v = attention.query_key_value(module.norm_attention(h))
                cache.fill_(torch.stack((k, v)), counts)
                if number + 1 < len(self._modules):
                    h = self._finish(module, h, attention, q, k, v)

    @staticmethod
    def _finish(
        module: Layer, h: Tensor, attention: Attention, q: Tensor, k: Tensor, v: Tensor
    ) -> Tensor:
        return module.combine(h, attention.finish(attention.attend(q, k, v)))

    @torch.inference_mode()
    def step(self, tokens: Tensor | None = None) -> Tensor:
        """Return the logits [B, vocabulary] of the next position of each row, float32.

        Args:
            tokens: what was chosen from the logits of the previous step, int64 [B], as ids of the
                decoder's vocabulary; None in the first step of a window. A row that is full stays
                at its last position; its logits mean nothing from then on.
        """
        if tokens is not None:
            self._last = tokens.to(self._device)
            end = self._n_positions - 1
            self._positions = [min(p + 1, end) for p in self._positions]
            if not self._together:
                self._where = (self._where + 1).clamp(max=end)
        if self._together:
            return self._step_together(self._last, self._positions[0])
        return self._step_each(self._last, self._where)

    def _step_together(self, tokens: Tensor, position: int) -> Tensor:
        """One step of rows that share a position: plain slices, nothing is masked."""
        rows = self._rows
        first = self._start if position == 0 else F.embedding(tokens, self._embedding)
        h = first + self._base.select(1, position)  # [B, W]
        if h.dtype != self.dtype:
            h = h.to(self.dtype)
        for weights, cache in self._layers:
            weight, bias = weights.attention_input
            x = torch.addmm(bias, _norm(h, weights.norm_attention), weight)
            if weights.cross:
                q, kv = x.view(-1, 1, cache.width), x
            else:
                parts = x.view(rows, 3, cache.heads, cache.width)
                q = parts.select(1, 0).reshape(-1, 1, cache.width)
                kv = parts[:, 1:].transpose(0, 1)  # [2, B, H, d]
            heads = cache.attend(q, kv, position)
            h = weights.finish(h, None if heads is None else heads.view(rows, -1))
        return self._logits(h, None if self._cond is None else self._cond.select(1, position))

    def _step_each(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """One step of rows at positions [B] of their own: fixed shapes, no host synchronisation."""
        rows = self._rows
        place = BatchPosition(positions=positions, rows=self._row_numbers)
        embedded = F.embedding(tokens, self._embedding)
        first = torch.where((positions == 0).unsqueeze(1), self._start, embedded)
        h = (first + self._at(self._base, place)).to(self.dtype)
        for weights, cache in self._layers:
            weight, bias = weights.attention_input
            x = torch.addmm(bias, _norm(h, weights.norm_attention), weight)
            if weights.cross:
                q, kv = x.view(rows, cache.heads, 1, cache.width), x
            else:
                parts = x.view(rows, 3, cache.heads, cache.width)
                q, kv = parts[:, 0].unsqueeze(2), parts[:, 1:]
            heads = cache.attend_each(q, kv, place)
            h = weights.finish(h, heads.reshape(rows, -1))
        return self._logits(h, None if self._cond is None else self._at(self._cond, place))

    @staticmethod
    def _at(table: Tensor, place: BatchPosition) -> Tensor:
        """Return the entry [B, W] of a table [B or 1, n, W] at each row's position."""
        if table.shape[0] == 1:
            return table[0].index_select(0, place.positions)
        return table[place.rows, place.positions]

    def _logits(self, h: Tensor, conditioning: Tensor | None) -> Tensor:
        h = h.float()
        if self._readd and conditioning is not None:
            h = h + conditioning
        return h @ self._head
