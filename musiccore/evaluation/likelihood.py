"""Gates of the priors: bits per code on held-out windows, against a bigram table."""

from __future__ import annotations

from dataclasses import replace

import torch

from musiccore.evaluation.gates import Gate
from musiccore.models.nano import GENRES
from musiccore.models.prior import Prior
from musiccore.training.bigram import Bigram
from musiccore.training.code_windows import WindowBatch
from musiccore.training.priors import held_out_bits

_LEVEL_NAMES = ("bottom upsampler", "middle upsampler", "top prior")
_BELOW_BIGRAM = (0.0, 0.0, 0.5)
_BELOW_BIGRAM_AIM = (1.0, 1.0, 0.5)
WRONG_UPPER_BITS = 2.0


def wrong_labels(windows: WindowBatch) -> WindowBatch:
    """Return the windows with major and minor exchanged."""
    labels = windows.labels.clone()
    genres = labels[:, 4:]
    major, minor = genres == GENRES["major"], genres == GENRES["minor"]
    genres[major], genres[minor] = GENRES["minor"], GENRES["major"]
    return replace(windows, labels=labels)


def wrong_upper(windows: WindowBatch) -> WindowBatch:
    """Return the windows with the upper codes of windows of other pieces."""
    assert windows.upper is not None
    return replace(windows, upper=torch.roll(windows.upper, 7, dims=0))


def likelihood_gates(prior: Prior, windows: WindowBatch, bigram: Bigram, level: int) -> list[Gate]:
    """Judge one prior on held-out windows."""
    name = _LEVEL_NAMES[level]
    bits = held_out_bits(prior, windows)
    table = bigram.bits(windows.codes)
    gates = [
        Gate(
            gate=f"{name}: bits per code below the bigram table",
            value=table - bits,
            comparison=">=",
            bound=_BELOW_BIGRAM[level],
            controls={
                "bits per code": bits,
                "bigram bits": table,
                "unigram bits": bigram.unigram_bits(windows.codes),
            },
            unit="bits",
            aim=_BELOW_BIGRAM_AIM[level],
        )
    ]
    if windows.upper is not None:
        gates.append(
            Gate(
                gate=f"{name}: cost of wrong upper codes",
                value=held_out_bits(prior, wrong_upper(windows)) - bits,
                comparison=">=",
                bound=WRONG_UPPER_BITS,
                unit="bits",
                aim=3.0,
            )
        )
    else:
        gates.append(
            Gate(
                gate=f"{name}: cost of wrong labels",
                value=held_out_bits(prior, wrong_labels(windows)) - bits,
                comparison=">=",
                bound=0.1,
                unit="bits",
            )
        )
    return gates
