"""Random numbers without state: each is a function of seed, level, window, take and position.

Nothing has to be saved to resume, and neither the batch a take shares nor the order of the work
changes a number (durable and deterministic sampling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from musiccore.errors import CodesError, ConfigError

if TYPE_CHECKING:
    import torch

RNG_SCHEME = "philox4x64/v1"
MAX_SEED = 2**63 - 1
_DOMAIN = 0x6A756B65666C6F77  # separates these numbers from any other use of the same seed
_WORDS = 4  # words of one Philox block; the first one is used
_TOP_BITS = 53


def uniforms(
    seed: int, level: int, window: int, take: int, start: int, n: int
) -> npt.NDArray[np.float64]:
    """Return uniform numbers in [0, 1), float64 [n], for `n` positions from `start` on.

    The number of one position depends on its own coordinates only:
    `uniforms(..., start, n)[i] == uniforms(..., start + i, 1)[0]`.

    Args:
        seed: seed of the run, 0 to 2**63 - 1.
        level: level of the codes.
        window: index of the window in the plan of its level.
        take: stable number of the take.
        start: absolute position of the first code.
        n: how many.

    Raises:
        ConfigError: if the seed is out of range.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed is {seed}; it must be 0 to {MAX_SEED}")
    bits = np.random.Philox(
        key=np.array([seed, _DOMAIN], dtype=np.uint64),
        counter=np.array([start, window, level, take], dtype=np.uint64),
    )
    words = bits.random_raw(_WORDS * n)[::_WORDS]
    return (words >> np.uint64(64 - _TOP_BITS)).astype(np.float64) * 2.0**-_TOP_BITS


def choose(logits: torch.Tensor, u: npt.NDArray[np.float64] | torch.Tensor) -> torch.Tensor:
    """Choose one code per row by the inverse of its cumulative distribution.

    In float64 on the CPU, wherever the logits come from.

    Args:
        logits: [B, V] float; -inf means never.
        u: [B] uniform numbers in [0, 1).

    Returns:
        int64 [B] on the CPU.

    Raises:
        CodesError: if a row holds NaN or allows no code.
    """
    import torch

    rows = logits.detach().to(device="cpu", dtype=torch.float64).numpy()
    best = rows.max(axis=-1, keepdims=True)  # NaN if the row holds one
    if not np.isfinite(best).all():
        bad = int(np.flatnonzero(~np.isfinite(best[:, 0]))[0])
        raise CodesError(
            f"the logits of batch row {bad} hold NaN or infinity, or allow no code",
            hint="the weights are damaged, or the number format is too narrow; try float32",
        )
    cumulative = np.exp(rows - best).cumsum(axis=-1)  # [B, V]
    target = np.asarray(u, dtype=np.float64) * cumulative[:, -1]
    chosen = (cumulative <= target[:, None]).sum(axis=-1)
    reachable = (cumulative < cumulative[:, -1:]).sum(axis=-1)  # last code that has any weight
    return torch.from_numpy(np.minimum(chosen, reachable).astype(np.int64))
