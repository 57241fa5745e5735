"""Attention kinds over a whole sequence. Step-by-step evaluation is in `cache.py`.

Shapes: B batch, H heads, L positions, D/H width of a head, S all heads together, W model width.

Paper: "Factorized attention" (row, column, previous row).
`docs/model.md`, "Attention kinds".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiccore.models.attention_kinds import AttentionKind
from musiccore.models.config import TransformerConfig


class Projection(nn.Module):
    """Affine map with weight [in, out], the layout of the published checkpoints.

    The weight may be half precision; it is cast to the input's type when used.
    """

    def __init__(self, n_in: int, n_out: int, init_std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_in, n_out) * init_std)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        flat = torch.addmm(bias, x.reshape(-1, x.shape[-1]), weight)
        return flat.view(*x.shape[:-1], -1)


class Attention(nn.Module):
    """One attention layer of a given kind."""

    def __init__(self, config: TransformerConfig, kind: AttentionKind) -> None:
        super().__init__()
        self.kind = kind
        self.heads = config.heads
        self.block_ctx = config.block_ctx
        self.n_blocks = config.blocks or 1
        self.lyrics_span = config.lyrics_span
        state, std = config.state_width, 0.02 * config.init_scale
        cross = kind == "cross"
        self.input = Projection(config.width, state if cross else 3 * state, std)
        if cross:
            self.encoder_input = Projection(config.encoder_width or config.width, 2 * state, std)
        self.output = Projection(state, config.width, 0.0 if cross else std)

    def split_heads(self, x: Tensor) -> Tensor:
        """[B, L, S] to [B, H, L, S/H]."""
        batch, length, _ = x.shape
        return x.view(batch, length, self.heads, -1).transpose(1, 2)

    def query_key_value(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Project x [B, L, W] to query, key and value, each [B, H, L, S/H]; not for `cross`."""
        q, k, v = self.input(x).chunk(3, dim=2)
        return self.split_heads(q), self.split_heads(k), self.split_heads(v)

    def encoder_key_value(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Project encoder states [B, E, W] to key and value, each [B, H, E, S/H]."""
        k, v = self.encoder_input(states).chunk(2, dim=2)
        return self.split_heads(k), self.split_heads(v)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend over a whole sequence that starts at position 0.

        Args:
            q, k, v: [B, H, L, S/H]; for `cross`, k and v are [B, H, E, S/H].

        Returns:
            [B, H, L, S/H].
        """
        if self.kind == "dense":
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if self.kind == "cross":
            return F.scaled_dot_product_attention(q, k, v)
        if self.kind == "lyrics":
            k, v = k[:, :, : self.lyrics_span], v[:, :, : self.lyrics_span]
            return F.scaled_dot_product_attention(q, k, v, attn_mask=self.lyrics_mask(q, k))
        if self.kind == "summary":
            return self._summary(q, k, v)
        length = q.shape[2]
        q, k, v = self._blocks(q), self._blocks(k), self._blocks(v)  # [B, H, blocks, C, S/H]
        if self.kind == "row":
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif self.kind == "column":
            q, k, v = q.transpose(2, 3), k.transpose(2, 3), v.transpose(2, 3)
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(2, 3)
        else:
            later = F.scaled_dot_product_attention(q[:, :, 1:], k[:, :, :-1], v[:, :, :-1])
            out = torch.cat([torch.zeros_like(q[:, :, :1]), later], dim=2)
        return out.flatten(2, 3)[:, :, :length]

    def finish(self, heads: Tensor) -> Tensor:
        """Merge heads [B, H, L, S/H] and project to [B, L, W]."""
        out: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return out

    def forward(self, x: Tensor, encoder_states: Tensor | None = None) -> Tensor:
        """Map x [B, L, W] to [B, L, W]."""
        if self.kind == "cross":
            assert encoder_states is not None, "cross layers read encoder states"
            k, v = self.encoder_key_value(encoder_states)
            return self.finish(self.attend(self.split_heads(self.input(x)), k, v))
        return self.finish(self.attend(*self.query_key_value(x)))

    def weights(self, x: Tensor, encoder_states: Tensor | None = None) -> Tensor:
        """Return the softmax [B, H, L, keys] of a `cross` or `lyrics` layer, for alignment."""
        mask: Tensor | None = None
        if self.kind == "cross":
            assert encoder_states is not None, "cross layers read encoder states"
            q = self.split_heads(self.input(x))
            k, _ = self.encoder_key_value(encoder_states)
        else:
            q, k, _ = self.query_key_value(x)
            k = k[:, :, : self.lyrics_span]
            mask = self.lyrics_mask(q, k)
        scores = (q @ k.transpose(2, 3)).float() * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights: Tensor = scores.softmax(dim=-1)
        return weights

    @staticmethod
    def lyrics_mask(q: Tensor, k: Tensor) -> Tensor:
        """Return the boolean mask [L, keys]: key position at most the query position."""
        rows = torch.arange(q.shape[2], device=q.device).unsqueeze(1)
        return rows >= torch.arange(k.shape[2], device=q.device)

    def _blocks(self, x: Tensor) -> Tensor:
        """[B, H, L, S/H] to [B, H, blocks, C, S/H], padded on the right to whole blocks."""
        missing = -x.shape[2] % self.block_ctx
        blocks: Tensor = F.pad(x, (0, 0, 0, missing)).unflatten(2, (-1, self.block_ctx))
        return blocks

    def _summary(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend to a zero slot and to the last position of each earlier block."""
        ends = torch.arange(1, self.n_blocks, device=q.device) * self.block_ctx - 1
        ends = ends[ends < k.shape[2]]
        k, v = F.pad(k[:, :, ends], (0, 0, 1, 0)), F.pad(v[:, :, ends], (0, 0, 1, 0))
        rows = torch.arange(q.shape[2], device=q.device).unsqueeze(1)
        mask = F.pad(rows >= ends, (1, 0), value=True)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
