"""Vector quantisation with a moving-average codebook and random restarts.

Paper: "VQ-VAE" and "Random restarts for embeddings".
`docs/model.md`, "Bottleneck".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class CodebookMetrics:
    """What one training step did to a codebook.

    Attributes:
        fit: mean squared distance of an encoder row to its code.
        spread: `||x - mean(x)|| / sqrt(numel)` of the rows.
        entropy: of the code usage in this batch, in nats.
        used_now: codes assigned at least `threshold` rows in this batch.
        usage: codes whose moving count is at least `threshold`.
        movement: `||k_new - k_old|| / sqrt(numel)`.
    """

    fit: Tensor
    spread: Tensor
    entropy: Tensor
    used_now: Tensor
    usage: Tensor
    movement: Tensor


def tile_rows(rows: Tensor, n_rows: int, noise: Tensor | None = None) -> Tensor:
    """Repeat rows [R, E] until there are at least `n_rows`, with a little noise when repeated.

    Args:
        noise: standard normal numbers of the tiled shape; drawn here when None.
    """
    if len(rows) >= n_rows:
        return rows
    repeats = -(-n_rows // len(rows))
    tiled = rows.repeat(repeats, 1)
    drawn = torch.randn_like(tiled) if noise is None else noise
    scale: float = 0.01 / rows.shape[1] ** 0.5
    return tiled + drawn * scale


class Codebook(nn.Module):
    """The codebook of one level, K rows of width E.

    Only `codes` is part of the state dict; the moving sums live beside it while training.
    """

    codes: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randn(size, width))
        self.register_buffer("sums", torch.zeros(size, width), persistent=False)
        self.register_buffer("counts", torch.ones(size), persistent=False)

    def quantise(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Assign the nearest code to each row [R, E].

        Returns:
            Codes [R] int64 (the first one on a tie) and squared distances [R].
        """
        k = self.codes
        distance = rows.pow(2).sum(dim=1, keepdim=True) - 2 * rows @ k.t() + k.pow(2).sum(dim=1)
        smallest, codes = distance.min(dim=1)
        return codes, smallest

    def dequantise(self, codes: Tensor) -> Tensor:
        """Look codes [...] up: [..., E]."""
        return F.embedding(codes, self.codes)

    @torch.no_grad()
    def initialise_(self, rows: Tensor, permutation: Tensor) -> None:
        """Take the first K rows under `permutation` as the codebook."""
        chosen = tile_rows(rows, len(self.codes))[permutation][: len(self.codes)]
        self.codes.copy_(chosen)
        self.sums.copy_(chosen)
        self.counts.fill_(1.0)

    @torch.no_grad()
    def restore_(self, count: float) -> None:
        """Start the moving averages from a loaded codebook, `count` rows per code."""
        self.counts.fill_(count)
        self.sums.copy_(self.codes * count)

    @torch.no_grad()
    def update_(
        self,
        rows: Tensor,
        codes: Tensor,
        restart_rows: Tensor,
        *,
        decay: float,
        threshold: float,
        distances: Tensor,
    ) -> CodebookMetrics:
        """Move the codebook towards the rows assigned to it; restart codes that fell out of use.

        Args:
            rows: encoder outputs [R, E] of this batch.
            codes: their codes [R].
            restart_rows: K rows [K, E] that replace rarely used codes.
            decay: of the moving averages.
            threshold: a code with a smaller moving count restarts.
            distances: squared distances [R] from `quantise`.

        Paper: "Random restarts for embeddings". The moving sums of a restarted code stay.
        """
        size = len(self.codes)
        old = self.codes.clone()
        n = torch.bincount(codes, minlength=size).to(rows)
        s = torch.zeros_like(self.sums).index_add_(0, codes, rows)
        self.sums.mul_(decay).add_(s, alpha=1 - decay)
        self.counts.mul_(decay).add_(n, alpha=1 - decay)
        alive = (self.counts >= threshold).unsqueeze(1)
        self.codes.copy_(torch.where(alive, self.sums / self.counts.unsqueeze(1), restart_rows))
        share = n / n.sum()
        centred = rows - rows.mean()
        return CodebookMetrics(
            fit=distances.mean(),
            spread=centred.norm() / centred.numel() ** 0.5,
            entropy=-(share * torch.log(share + 1e-8)).sum(),
            used_now=(n >= threshold).sum(),
            usage=(self.counts >= threshold).sum(),
            movement=(self.codes - old).norm() / old.numel() ** 0.5,
        )
