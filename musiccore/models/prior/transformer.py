"""The stack of layers, and the autoregressive wrapper around it.

Paper: "Music priors and upsamplers".
`docs/model.md`, "One layer", "The sequence", "Precision", "First weights".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiccore.models.attention_kinds import AttentionKind
from musiccore.models.config import TransformerConfig
from musiccore.models.prior.attention import Attention, Projection


class Norm(nn.LayerNorm):
    """Layer norm evaluated in float32 and cast back to the input's type."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        if x.dtype == torch.float32:
            return super().forward(x)
        return super().forward(x.float()).to(x.dtype)


def quick_gelu(x: Tensor) -> Tensor:
    """Return `x * sigmoid(1.702 x)`."""
    return x * torch.sigmoid(1.702 * x)


class MLP(nn.Module):
    """Two projections with quick GELU between them, W to W."""

    def __init__(self, config: TransformerConfig, *, zero_output: bool) -> None:
        super().__init__()
        std = 0.02 * config.init_scale
        self.input = Projection(config.width, config.mlp_width, std)
        self.output = Projection(config.mlp_width, config.width, 0.0 if zero_output else std)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., W] to [..., W]."""
        out: Tensor = self.output(quick_gelu(self.input(x)))
        return out


class Layer(nn.Module):
    """Pre-norm attention, then an MLP that reads the sum: `h + a + MLP(norm(h + a))`."""

    def __init__(self, config: TransformerConfig, kind: AttentionKind) -> None:
        super().__init__()
        self.attention = Attention(config, kind)
        self.norm_attention = Norm(config.width)
        self.norm_mlp = Norm(config.width)
        self.mlp = MLP(config, zero_output=kind == "cross")
        self.scale = 1.0 / config.depth if config.res_scale else 1.0

    def combine(self, h: Tensor, a: Tensor) -> Tensor:
        """Return the layer's output from its input h and its attention output a, [B, L, W]."""
        m = self.mlp(self.norm_mlp(h + a))
        out: Tensor = h + a + m if self.scale == 1.0 else h + self.scale * (a + m)
        return out

    def forward(self, h: Tensor, encoder_states: Tensor | None = None) -> Tensor:
        """Map h [B, L, W] to [B, L, W]."""
        return self.combine(h, self.attention(self.norm_attention(h), encoder_states))


class Transformer(nn.Module):
    """Token embedding, shifted by one and started by `start`, the layers, and the output matrix.

    Attributes:
        embed: [vocabulary, W].
        positions: [n_ctx, W].
        start: learned start vector [1, W]; None when labels supply it.
        head: output matrix [vocabulary, W]; None for an encoder.
    """

    def __init__(
        self,
        config: TransformerConfig,
        n_vocabulary: int,
        *,
        learned_start: bool,
        head: bool,
        tied_head: bool,
        readd_conditioning: bool,
    ) -> None:
        super().__init__()
        self.config = config
        std = 0.02 * config.init_scale
        self.embed = nn.Embedding(n_vocabulary, config.width)
        nn.init.normal_(self.embed.weight, std=std)
        self.positions = nn.Parameter(torch.randn(config.n_ctx, config.width) * std / 2)
        self.start = nn.Parameter(torch.randn(1, config.width) * std / 2) if learned_start else None
        self.layers = nn.ModuleList(Layer(config, kind) for kind in config.kinds)
        self.head = nn.Linear(config.width, n_vocabulary, bias=False) if head else None
        if self.head is not None and tied_head:
            self.head.weight = self.embed.weight
        self.readd_conditioning = readd_conditioning

    def start_vector(self, start: Tensor | None, batch: int) -> Tensor:
        """Return [B, 1, W]: the given start vector, else the learned one."""
        if start is not None:
            return start
        assert self.start is not None, "a transformer without labels has a learned start"
        return self.start.expand(batch, 1, -1)

    def inputs(self, tokens: Tensor, start: Tensor | None, conditioning: Tensor | None) -> Tensor:
        """Embed tokens [B, L], shift them right by one, add positions and conditioning: [B, L, W].

        Args:
            start: [B, 1, W] or None for the learned start.
            conditioning: [B, >= L, W] or [B, 1, W], not shifted.
        """
        length = tokens.shape[1]
        first = self.start_vector(start, len(tokens))
        h = torch.cat([first, self.embed(tokens[:, :-1])], dim=1) + self.positions[:length]
        return h if conditioning is None else h + _upto(conditioning, length)

    def outputs(self, h: Tensor, conditioning: Tensor | None) -> Tensor:
        """Map the stack's output [B, L, W] to logits [B, L, vocabulary], or to states."""
        h = h.float()
        if self.readd_conditioning and conditioning is not None:
            h = h + _upto(conditioning, h.shape[1])
        return h if self.head is None else F.linear(h, self.head.weight)

    def forward(
        self,
        tokens: Tensor,
        start: Tensor | None = None,
        conditioning: Tensor | None = None,
        encoder_states: Tensor | None = None,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Evaluate the whole sequence; the output at position i predicts token i.

        Args:
            tokens: [B, L] int64.
            start, conditioning: see `inputs`.
            encoder_states: [B, E, W] for `cross` layers.
            dtype: of the arithmetic inside the stack.

        Returns:
            Logits [B, L, vocabulary], or states [B, L, W] without a head; float32.
        """
        h = self.inputs(tokens, start, conditioning).to(dtype)
        states = None if encoder_states is None else encoder_states.to(dtype)
        for layer in self.layers:
            h = layer(h, states)
        return self.outputs(h, conditioning)

    @torch.no_grad()
    def attention_weights(
        self,
        layer_index: int,
        tokens: Tensor,
        start: Tensor | None = None,
        conditioning: Tensor | None = None,
        encoder_states: Tensor | None = None,
    ) -> Tensor:
        """Return the softmax [B, H, L, keys] of one `cross` or `lyrics` layer."""
        h = self.inputs(tokens, start, conditioning)
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            if index == layer_index:
                return layer.attention.weights(layer.norm_attention(h), encoder_states)
            h = layer(h, encoder_states)
        raise AssertionError(f"layer {layer_index} of {len(self.layers)}")


def _upto(conditioning: Tensor, length: int) -> Tensor:
    """Cut per-position conditioning [B, n, W] to `length`; [B, 1, W] broadcasts."""
    return conditioning if conditioning.shape[1] == 1 else conditioning[:, :length]
