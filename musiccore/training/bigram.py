"""Bigram tables: the baseline every prior is judged against, and where its training starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from musiccore.models.prior import Prior
from musiccore.models.prior.transformer import Layer

_BACKOFF = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bigram:
    """Smoothed log probabilities (nats).

    Attributes:
        log_unigram: [K].
        log_bigram: [K, K], row = previous code.
    """

    log_unigram: Tensor
    log_bigram: Tensor

    def bits(self, codes: Tensor) -> float:
        """Return bits per code of windows [B, L]; the first code of each by the unigram."""
        first = self.log_unigram[codes[:, 0]].sum()
        rest = self.log_bigram[codes[:, :-1], codes[:, 1:]].sum()
        return float(-(first + rest) / codes.numel() / math.log(2))

    def unigram_bits(self, codes: Tensor) -> float:
        """Return bits per code when codes are independent."""
        return float(-self.log_unigram[codes].mean() / math.log(2))


def fit_bigram(sequences: list[npt.NDArray[np.int64]], size: int) -> Bigram:
    """Count bigrams, backed off to unigrams; the back-off is chosen on every tenth sequence."""
    kept = [s for i, s in enumerate(sequences) if i % 10]
    tested = [s for i, s in enumerate(sequences) if i % 10 == 0]
    counts = _counts(kept, size)
    trial = _counts(tested, size)
    best = min(_BACKOFF, key=lambda b: -float((trial * _smooth(counts, b).log_bigram).sum()))
    return _smooth(counts + trial, best)


def _counts(sequences: list[npt.NDArray[np.int64]], size: int) -> Tensor:
    pairs = np.zeros((size, size), dtype=np.float32)
    for codes in sequences:
        np.add.at(pairs, (codes[:-1], codes[1:]), 1.0)
    return torch.from_numpy(pairs)


def _smooth(counts: Tensor, backoff: float) -> Bigram:
    unigram = counts.sum(dim=0) + 0.5
    unigram = unigram / unigram.sum()
    rows = counts.sum(dim=1, keepdim=True)
    bigram = (counts + backoff * unigram) / (rows + backoff)
    return Bigram(log_unigram=unigram.log(), log_bigram=bigram.log())


@torch.no_grad()
def start_from_bigram_(prior: Prior, bigram: Bigram) -> None:
    """Make an untrained prior predict (nearly) the bigram table.

    The centred log table, weighted by how often each row occurs, is factorised into the embedding
    and the output matrix; the layers start as identities.
    """
    table = bigram.log_bigram - bigram.log_bigram.mean(dim=1, keepdim=True)
    weight = bigram.log_unigram.exp().clamp(min=0.1 / len(table)).sqrt().unsqueeze(1)
    u, s, v = torch.linalg.svd(weight * table, full_matrices=False)
    width = prior.config.width
    root = s[:width].sqrt()
    head = prior.decoder.head
    assert head is not None
    prior.decoder.embed.weight.copy_(u[:, :width] * root / weight)
    head.weight.copy_(v[:width].t() * root)
    # balance, so that both matrices move at the same pace
    scale = (head.weight.norm() / prior.decoder.embed.weight.norm()).sqrt()
    prior.decoder.embed.weight.mul_(scale)
    head.weight.div_(scale)
    for layer in prior.decoder.layers:
        assert isinstance(layer, Layer)
        layer.attention.output.weight.zero_()
        layer.mlp.output.weight.zero_()
