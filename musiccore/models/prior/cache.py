"""Key and value caches for step-by-step evaluation: one class per attention kind.

Every cache is allocated once, for all windows of a level, and never moves. Each row of the batch
has its own position. Two ways to read: `attend` for rows at one common position, which slices, and
`attend_each` for rows at positions of their own, which masks and has fixed shapes, so that it can
be captured or compiled. Slots that a row has not reached hold old numbers; neither way lets one of
them reach a result.

| kind         | slots                     | position p is written to | p reads                  |
| ------------ | ------------------------- | ------------------------ | ------------------------ |
| dense        | n_ctx                     | p                        | 0 to p                   |
| row          | C, a ring                 | p % C                    | 0 to p % C               |
| column       | C columns of n_ctx / C    | column p % C, row p // C | its column to row p // C |
| previous_row | two halves of C           | half (p // C) % 2, p % C | the whole other half     |
| lyrics       | span, and one never read  | p while below the span   | 0 to p within the span   |
| cross        | encoder states            | once per window          | all                      |

Shapes: B batch rows, H heads, D/H = d width of a head, C positions per block.

Paper: "Factorized attention" (cached sampling).
`docs/model.md`, "Attention kinds", "Step by step".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from musiccore.errors import ConfigError
from musiccore.models.attention_kinds import AttentionKind
from musiccore.models.config import TransformerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPosition:
    """Where the rows of a batch are.

    Attributes:
        positions: position of each row, int64 [B].
        rows: 0 to B - 1, int64 [B].
    """

    positions: Tensor
    rows: Tensor


class Cache:
    """Keys and values of one layer, and how a new position reads them.

    Args:
        batch: rows at most.
        heads: H.
        width: d, width of one head.
        slots: places per row and head.
        dtype, device: of keys and values.
    """

    def __init__(
        self,
        batch: int,
        heads: int,
        width: int,
        slots: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.heads, self.width, self.slots = heads, width, slots
        self.storage = torch.zeros(2, batch, heads, slots, width, dtype=dtype, device=device)
        self.scale = float(width) ** -0.5
        self._nothing = torch.zeros((), dtype=dtype, device=device)
        self.use_rows_(batch)

    def use_rows_(self, batch: int) -> None:
        """Work with the first `batch` rows from now on."""
        self.batch = batch
        self.kv = self.storage[:, :batch]  # [2, B, H, slots, d]
        flat = (batch * self.heads, self.slots, self.width)
        self.k, self.v = self.kv[0].view(flat), self.kv[1].view(flat)
        self.by_slot = self.kv.permute(1, 3, 0, 2, 4)  # [B, slots, 2, H, d]
        self.slot_numbers = torch.arange(self.slots, device=self.storage.device)

    def begin_(self) -> None:
        """Prepare for a new window."""

    def fill_(self, kv: Tensor, lengths: Sequence[int]) -> None:
        """Store known positions; row b has `lengths[b]` of them, what follows is padding.

        Args:
            kv: keys and values [2, B, H, L, d] of positions 0 to L - 1.
        """
        raise NotImplementedError

    def attend(self, q: Tensor, kv: Tensor, position: int) -> Tensor | None:
        """Store one new position, common to all rows, and attend from it.

        Args:
            q: queries [B * H, 1, d].
            kv: keys and values [2, B, H, d].

        Returns:
            [B * H, 1, d]; None where the result is exactly zero.
        """
        raise NotImplementedError

    def attend_each(self, q: Tensor, kv: Tensor, place: BatchPosition) -> Tensor:
        """Store one new position per row and attend from it.

        Args:
            q: queries [B, H, 1, d].
            kv: keys and values [B, 2, H, d].

        Returns:
            [B, H, 1, d].
        """
        raise NotImplementedError

    def _attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from q [N, 1, d] to all of k and v [N, n, d]."""
        scores = torch.baddbmm(self._nothing, q, k.transpose(1, 2), beta=0, alpha=self.scale)
        if scores.dtype == torch.float32:
            return torch.bmm(scores.softmax(dim=2), v)
        return torch.bmm(scores.softmax(dim=2, dtype=torch.float32).to(v.dtype), v)

    def _masked(self, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        """Attend from q [B, H, 1, d] to the visible [B, n] of k and v [B, H, n, d]."""
        scores = (q @ k.transpose(2, 3)).float() * self.scale
        if visible is not None:
            scores = scores.masked_fill(~visible[:, None, None, :], float("-inf"))
        out: Tensor = scores.softmax(dim=3).to(v.dtype) @ v
        return out


class DenseCache(Cache):
    """All earlier positions."""

    def fill_(self, kv: Tensor, lengths: Sequence[int]) -> None:
        """Store all positions; padding is overwritten before it becomes visible."""
        del lengths
        self.kv[:, :, :, : kv.shape[3]] = kv

    def attend(self, q: Tensor, kv: Tensor, position: int) -> Tensor:
        """Read slots 0 to `position`."""
        self.kv.select(3, position).copy_(kv)
        end = position + 1
        return self._attention(q, self.k[:, :end], self.v[:, :end])

    def attend_each(self, q: Tensor, kv: Tensor, place: BatchPosition) -> Tensor:
        """Read slots up to each row's position."""
        self.by_slot.index_put_((place.rows, place.positions), kv)
        visible = self.slot_numbers <= place.positions.unsqueeze(1)
        return self._masked(q, self.kv[0], self.kv[1], visible)


class LyricsCache(Cache):
    """The first `span` positions; later ones go to a slot that is never read."""

    def __init__(
        self,
        batch: int,
        heads: int,
        width: int,
        span: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.span = span
        super().__init__(batch, heads, width, span + 1, dtype=dtype, device=device)

    def fill_(self, kv: Tensor, lengths: Sequence[int]) -> None:
        """Store the positions inside the span."""
        del lengths
        inside = kv[:, :, :, : self.span]
        self.kv[:, :, :, : inside.shape[3]] = inside

    def attend(self, q: Tensor, kv: Tensor, position: int) -> Tensor:
        """Read what there is of the span."""
        end = min(position + 1, self.span)
        if position < self.span:
            self.kv.select(3, position).copy_(kv)
        return self._attention(q, self.k[:, :end], self.v[:, :end])

    def attend_each(self, q: Tensor, kv: Tensor, place: BatchPosition) -> Tensor:
        """Read what each row has of the span."""
        self.by_slot.index_put_((place.rows, place.positions.clamp(max=self.span)), kv)
        visible = self.slot_numbers[: self.span] <= place.positions.unsqueeze(1)
        k, v = self.kv[0, :, :, : self.span], self.kv[1, :, :, : self.span]
        return self._masked(q, k, v, visible)


class RowCache(Cache):
    """The positions of the current block, a ring of C slots."""

    def fill_(self, kv: Tensor, lengths: Sequence[int]) -> None:
        """Store each row's unfinished block."""
        for b, length in enumerate(lengths):
            first = length - length % self.slots
            self.kv[:, b, :, : length - first] = kv[:, b, :, first:length]

    def attend(self, q: Tensor, kv: Tensor, position: int) -> Tensor:
        """Read the block up to `position`."""
        slot = position % self.slots
        self.kv.select(3, slot).copy_(kv)
        return self._attention(q, self.k[:, : slot + 1], self.v[:, : slot + 1])

    def attend_each(self, q: Tensor, kv: Tensor, place: BatchPosition) -> Tensor:
        """Read each row's block up to its position."""
        slot = place.positions % self.slots
        self.by_slot.index_put_((place.rows, slot), kv)
        return self._masked(q, self.kv[0], self.kv[1], self.slot_numbers <= slot.unsqueeze(1))


class ColumnCache(Cache):
    """All positions, stored [column][row] so that the column of a position is contiguous.

    Args:
        block_ctx: C; slots are C columns of `slots / C` rows.
    """

    def __init__(
        self,
        batch: int,
        heads: int,
        width: int,
        slots: int,
        block_ctx: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.block_ctx, self.n_rows = block_ctx, slots // block_ctx
        super().__init__(batch, heads, width, slots, dtype=dtype, device=device)

    def use_rows_(self, batch: int) -> None:
        """Work with the first `batch` rows from now on."""
        super().use_rows_(batch)
        self.grid = self.kv.unflatten(3, (self.block_ctx, self.n_rows))  # [2, B, H, C, rows, d]
        self.by_column = self.grid.permute(1, 3, 0, 2, 4, 5)  # [B, C, 2, H, rows, d]
        self.row_numbers = self.slot_numbers[: self.n_rows]

    def fill_(self, kv: Tensor, lengths: Sequence[int]) -> None:
        """Store all positions; padding is overwritten before it becomes visible."""
        del lengths
        whole, rest = divmod(kv.shape[3], self.block_ctx)
        blocks = kv[:, :, :, : whole * self.block_ctx].unflatten(3, (whole, self.block_ctx))
        self.grid[:, :, :, :, :whole] = blocks.transpose(3, 4)
        if rest:
            self.grid[:, :, :, :rest, whole] = kv[:, :, :, whole * self.block_ctx :]

    def attend(self, q: Tensor, kv: Tensor, position: int) -> Tensor:
        """Read the column of `position` down to its row."""
        row, column = divmod(position, self.block_ctx)
        first = column * self.n_rows
        self.kv.select(3, first + row).copy_(kv)
        end = first + row + 1
        return self._attention(q, self.k[:, first:end], self.v[:, first:end])

    def attend_each(self, q: Tensor, kv: Tensor, place: BatchPosition) -> Tensor:
        """Read each row's column down to its position."""
        column = place.positions % self.block_ctx
        row = torch.div(place.positions, self.block_ctx, rounding_mode="floor")
        self.by_slot.index_put_((place.rows, column * self.n_rows + row), kv)
        k, v = self.by_column[place.rows, column].unbind(1)  # each [B, H, rows, d]
        return self._masked(q, k, v, self.row_numbers <= row.unsqueeze(1))


class PreviousRowCache(Cache):
    """Two blocks, the current one and the one before, which swap halves at a block boundary.

    In block 0 the other half holds zeros, so that the result is exactly zero.
    """

    def __init__(
        self,
        batch: int,
        heads: int,
        width: int,
        block_ctx: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.block_ctx = block_ctx
        super().__init__(batch, heads, width, 2 * block_ctx, dtype=dtype, device=device)

    def use_rows_(self, batch: int) -> None:
        """Work with the first `batch` rows from now on."""
        super().use_rows_(batch)
        halves = self.kv.unflatten(3, (2, self.block_ctx))  # [2, B, H, 2, C, d]
        self.by_half = halves.permute(1, 3, 0, 2, 4, 5)  # [B, 2, 2, H, C, d]

    def begin_(self) -> None:
        """Zero both halves: block 0 must read zeros where the previous window left numbers."""
        self.kv.zero_()

    def fill_(self, kv: Tensor, lengths: Sequence[int]) -> None:
        """Store each row's unfinished block and the one before."""
        size = self.block_ctx
        for b, length in enumerate(lengths):
            block = length // size
            for stored in range(max(block - 1, 0), block + 1):
                first, end = stored * size, min((stored + 1) * size, length)
                slot = stored % 2 * size
                self.kv[:, b, :, slot : slot + end - first] = kv[:, b, :, first:end]

    def attend(self, q: Tensor, kv: Tensor, position: int) -> Tensor | None:
        """Read the whole previous block; nothing in block 0."""
        block, place = divmod(position, self.block_ctx)
        half = block % 2
        self.kv.select(3, half * self.block_ctx + place).copy_(kv)
        if block == 0:
            return None
        first = (1 - half) * self.block_ctx
        end = first + self.block_ctx
        return self._attention(q, self.k[:, first:end], self.v[:, first:end])

    def attend_each(self, q: Tensor, kv: Tensor, place: BatchPosition) -> Tensor:
        """Read each row's previous block."""
        block = torch.div(place.positions, self.block_ctx, rounding_mode="floor")
        half = block % 2
        slot = half * self.block_ctx + place.positions % self.block_ctx
        self.by_slot.index_put_((place.rows, slot), kv)
        k, v = self.by_half[place.rows, 1 - half].unbind(1)  # each [B, H, C, d]
        return self._masked(q, k, v, None)


class CrossCache(Cache):
    """Keys and values of the encoder states, computed once per window."""

    def fill_(self, kv: Tensor, lengths: Sequence[int]) -> None:
        """Store the keys and values of all encoder states."""
        del lengths
        self.kv.copy_(kv)

    def attend(self, q: Tensor, kv: Tensor, position: int) -> Tensor:
        """Read all encoder states; there is nothing to store."""
        del kv, position
        return self._attention(q, self.k, self.v)

    def attend_each(self, q: Tensor, kv: Tensor, place: BatchPosition) -> Tensor:
        """Read all encoder states; there is nothing to store."""
        del kv, place
        return self._masked(q, self.kv[0], self.kv[1], None)


def make_cache(
    kind: AttentionKind,
    config: TransformerConfig,
    batch: int,
    *,
    n_encoder: int = 0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Cache:
    """Allocate the cache of one layer.

    Args:
        kind: of the layer.
        config: of the stack.
        batch: rows at most.
        n_encoder: encoder states that `cross` layers read.
        dtype: of the arithmetic inside the stack.
        device: the CPU by default.

    Raises:
        ConfigError: if the kind cannot be sampled from.
    """
    where = device or torch.device("cpu")
    heads, width = config.heads, config.state_width // config.heads
    n_ctx, block = config.n_ctx, config.block_ctx
    if kind == "dense":
        return DenseCache(batch, heads, width, n_ctx, dtype=dtype, device=where)
    if kind == "row":
        return RowCache(batch, heads, width, block, dtype=dtype, device=where)
    if kind == "column":
        return ColumnCache(batch, heads, width, n_ctx, block, dtype=dtype, device=where)
    if kind == "previous_row":
        return PreviousRowCache(batch, heads, width, block, dtype=dtype, device=where)
    if kind == "lyrics":
        span = min(config.lyrics_span, n_ctx)
        return LyricsCache(batch, heads, width, span, dtype=dtype, device=where)
    if kind == "cross":
        return CrossCache(batch, heads, width, n_encoder, dtype=dtype, device=where)
    raise ConfigError(f"attention kind {kind!r} has no step-by-step evaluation")
