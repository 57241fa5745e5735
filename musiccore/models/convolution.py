"""Dilated residual convolutions, used by the VQ-VAE and by the upper-code conditioner.

Paper: "VQ-VAE", dilated residual convolutions. `docs/model.md`, "Residual stacks".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """`h + scale * Conv1x1(ReLU(Conv3(ReLU(h))))` with a dilated first convolution, [B, W, T]."""

    def __init__(self, width: int, hidden: int, dilation: int, scale: float = 1.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, hidden, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(hidden, width, 1)
        self.scale = scale

    def forward(self, h: Tensor) -> Tensor:
        """Map [B, W, T] to [B, W, T]."""
        branch: Tensor = self.conv2(torch.relu(self.conv1(torch.relu(h))))
        return h + branch if self.scale == 1.0 else h + self.scale * branch


def residual_stack(
    width: int,
    depth: int,
    *,
    m_conv: float,
    growth_rate: int,
    cycle: int | None,
    reverse: bool,
    scale: float = 1.0,
) -> nn.Sequential:
    """Build `depth` residual blocks whose dilations grow by `growth_rate`.

    Args:
        cycle: the dilations start again after this many blocks; None: never.
        reverse: largest dilation first, as in the decoders.
    """
    exponents = [r if cycle is None else r % cycle for r in range(depth)]
    dilations = [growth_rate**e for e in exponents]
    if reverse:
        dilations.reverse()
    hidden = int(m_conv * width)
    return nn.Sequential(*(ResidualBlock(width, hidden, d, scale) for d in dilations))
