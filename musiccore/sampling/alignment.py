"""Lyrics ↔ codes: where in the music each character is sung, from one attention head.

Paper: "Lyrics-to-singing alignment". `docs/model.md`, "Alignment".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from musiccore.errors import ConfigError
from musiccore.models.labels import Labeller, Labels
from musiccore.models.prior import Prior
from musiccore.sampling.windows import window_starts

FloatArray = npt.NDArray[np.float32]


def align(
    prior: Prior,
    codes: npt.NDArray[np.int64],
    labeller: Labeller,
    labels: Sequence[Labels],
    window_hop: int,
) -> list[FloatArray]:
    """Return, for each take, how much each code attends to each character of the whole lyrics.

    Windows overlap; the earliest window that covers a code decides.

    Args:
        prior: a top-level prior with lyrics and an alignment head.
        codes: top-level codes [B, L].
        labeller, labels: labels of each take.
        window_hop: codes between window starts.

    Returns:
        float32 [L, number of lyrics tokens] per take.

    Raises:
        ConfigError: if the prior has no alignment head.

    Paper: the released program; one full pass per window and take.
    """
    config = prior.config
    if config.alignment is None or config.lyrics is None:
        raise ConfigError(f"prior {config.name} has no attention head that follows lyrics")
    total, n_ctx = codes.shape[1], config.n_ctx
    padded = np.pad(codes, ((0, 0), (0, max(0, n_ctx - total))))  # code 0
    starts = window_starts(padded.shape[1], n_ctx, window_hop)
    out: list[FloatArray] = []
    for row, label in zip(padded, labels, strict=True):
        n_tokens = len(label.all_lyrics_tokens)
        matrix = np.zeros((len(row), n_tokens + 1), dtype=np.float32)  # the last column: padding
        for start in reversed(starts):
            vector, indices = labeller.window_labels(label, start)
            window = torch.from_numpy(row[start : start + n_ctx]).unsqueeze(0)
            weights = lyrics_attention(prior, window, torch.from_numpy(vector).unsqueeze(0))
            matrix[start : start + n_ctx, list(indices)] = weights[0].cpu().numpy()
        out.append(matrix[:total, :-1])
    return out


@torch.inference_mode()
def lyrics_attention(prior: Prior, codes: Tensor, labels: Tensor) -> Tensor:
    """Return the attention [B, n_ctx, n_tokens] of codes to lyrics in the alignment head.

    Args:
        prior: a top-level prior with lyrics.
        codes: one whole window [B, n_ctx].
        labels: its label vectors [B, label_length].

    Raises:
        ConfigError: if the layer of the alignment head does not read lyrics.
    """
    config = prior.config
    assert config.alignment is not None
    layer, head = config.alignment
    kinds = prior.decoder.config.kinds
    if layer >= len(kinds) or kinds[layer] not in ("cross", "lyrics"):
        raise ConfigError(f"layer {layer} of prior {config.name} does not read lyrics")
    device = prior.decoder.positions.device
    codes, labels = codes.to(device), labels.to(device)
    known = prior.condition(labels, None)
    weights = prior.decoder.attention_weights(
        layer, prior.sequence(codes, labels), known.start, known.per_position, known.lyrics_states
    )[:, head]
    return weights[:, config.lyrics_prefix :, : config.n_lyrics_tokens]
