"""Encoders and decoders of the VQ-VAE, one pair per level.

Paper: "VQ-VAE", "Separated autoencoders".
`docs/model.md`, "Encoder and decoder".
"""

from __future__ import annotations

from torch import Tensor, nn

from musiccore.models.config import VQVAEConfig
from musiccore.models.convolution import residual_stack


def _stack(config: VQVAEConfig, level: int, *, reverse: bool) -> nn.Sequential:
    return residual_stack(
        config.level_width(level),
        config.level_depth(level),
        m_conv=config.m_conv,
        growth_rate=config.dilation_growth_rate,
        cycle=config.dilation_cycle,
        reverse=reverse,
    )


class DownUnit(nn.Module):
    """Strided convolution, then a residual stack: [B, C, T] to [B, W, T // stride]."""

    def __init__(self, config: VQVAEConfig, level: int, stride: int, n_in: int) -> None:
        super().__init__()
        width = config.level_width(level)
        self.conv = nn.Conv1d(n_in, width, 2 * stride, stride=stride, padding=stride // 2)
        self.stack = _stack(config, level, reverse=False)

    def forward(self, h: Tensor) -> Tensor:
        """Halve (stride 2) the time axis."""
        out: Tensor = self.stack(self.conv(h))
        return out


class UpUnit(nn.Module):
    """Residual stack, then a transposed convolution: [B, W, T] to [B, C, T * stride]."""

    def __init__(self, config: VQVAEConfig, level: int, stride: int, n_out: int) -> None:
        super().__init__()
        width = config.level_width(level)
        self.stack = _stack(config, level, reverse=config.reverse_decoder_dilation)
        self.conv = nn.ConvTranspose1d(width, n_out, 2 * stride, stride=stride, padding=stride // 2)

    def forward(self, h: Tensor) -> Tensor:
        """Double (stride 2) the time axis."""
        out: Tensor = self.conv(self.stack(h))
        return out


class EncoderStage(nn.Module):
    """Down units of one stage, then a convolution to the codebook width."""

    def __init__(self, config: VQVAEConfig, level: int, stage: int) -> None:
        super().__init__()
        width, stride = config.level_width(level), config.strides_t[stage]
        n_in = 1 if stage == 0 else config.emb_width
        self.units = nn.ModuleList(
            DownUnit(config, level, stride, n_in if u == 0 else width)
            for u in range(config.downs_t[stage])
        )
        self.leave = nn.Conv1d(width, config.emb_width, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """Map [B, C, T] to [B, E, T // stride**units]."""
        for unit in self.units:
            h = unit(h)
        out: Tensor = self.leave(h)
        return out


class DecoderStage(nn.Module):
    """Convolution from the codebook width, then the up units of one stage."""

    def __init__(self, config: VQVAEConfig, level: int, stage: int) -> None:
        super().__init__()
        width, stride = config.level_width(level), config.strides_t[stage]
        n_units = config.downs_t[stage]
        self.enter = nn.Conv1d(config.emb_width, width, 3, padding=1)
        self.units = nn.ModuleList(
            UpUnit(config, level, stride, config.emb_width if u == n_units - 1 else width)
            for u in range(n_units)
        )

    def forward(self, h: Tensor) -> Tensor:
        """Map [B, E, T] to [B, E, T * stride**units]."""
        h = self.enter(h)
        for unit in self.units:
            h = unit(h)
        return h


class Encoder(nn.Module):
    """Encoder of one level: stages 0 to `level` in order."""

    def __init__(self, config: VQVAEConfig, level: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(EncoderStage(config, level, i) for i in range(level + 1))

    def forward(self, audio: Tensor) -> Tensor:
        """Map audio [B, 1, T] to latents [B, E, T // hop_length]."""
        h = audio
        for stage in self.stages:
            h = stage(h)
        return h


class Decoder(nn.Module):
    """Decoder of one level: stages `level` down to 0, then a convolution to one channel."""

    def __init__(self, config: VQVAEConfig, level: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(DecoderStage(config, level, i) for i in range(level + 1))
        self.leave = nn.Conv1d(config.emb_width, 1, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents [B, E, L] to audio [B, 1, L * hop_length]; not clipped."""
        h = latents
        for stage in reversed(self.stages):
            h = stage(h)
        out: Tensor = self.leave(h)
        return out
