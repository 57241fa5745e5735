"""Sampling one window: prime, then draw one code per step and row.

Paper: "Sampling". `docs/model.md`, "Windows", "Choosing a code".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from musiccore.errors import CodesError, DeviceError
from musiccore.models.config import PriorConfig
from musiccore.models.prior import Prior
from musiccore.sampling.decode import StepDecoder
from musiccore.sampling.logits import filter_logits
from musiccore.sampling.randomness import choose, uniforms
from musiccore.sampling.windows import Window

CodeArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelOptions:
    """How the codes of one level are drawn.

    Attributes:
        temperature: above 0; below 1 is safer, above 1 wilder.
        top_k: draw from the k likeliest codes only; 0: from all. 1 is greedy.
        top_p: draw from the likeliest codes up to this probability; 0 or 1: from all.
        dtype: of the arithmetic inside the stack.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    dtype: torch.dtype = torch.float32

    @property
    def plain(self) -> bool:
        """Whether the logits are drawn from as they are."""
        return self.temperature == 1.0 and not self.top_k and not 0.0 < self.top_p < 1.0


GREEDY = LevelOptions(top_k=1)
"""The likeliest code every time."""


class CodeModel(Protocol):
    """What sampling needs of a model: `StepDecoder`, and the test kit's `CountingPrior`."""

    @property
    def config(self) -> PriorConfig:
        """The configuration of the prior."""
        ...

    def start_window(
        self, known: Tensor, *, labels: Tensor | None = None, upper: Tensor | None = None
    ) -> None:
        """Condition on labels and upper codes, and prime with known codes [B, P]."""
        ...

    def step(self, tokens: Tensor | None = None) -> Tensor:
        """Take the tokens [B] chosen last (None at first); return the next logits [B, V]."""
        ...


@contextmanager
def open_model(
    prior: Prior | CodeModel, batch: int, dtype: torch.dtype = torch.float32
) -> Iterator[CodeModel]:
    """Give a prior caches for `batch` rows; a model that has its own passes through.

    Raises:
        DeviceError: if the caches do not fit the device.
    """
    if not isinstance(prior, Prior):
        yield prior
        return
    with _translated(prior.config, batch), StepDecoder(prior, batch, dtype=dtype) as decoder:
        yield decoder


@contextmanager
def _translated(config: PriorConfig, batch: int) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = f"set max_batch of level {config.level} to {batch // 2}" if batch > 1 else None
        raise DeviceError(
            f"level {config.level} does not fit the device with {batch} takes at a time", hint=hint
        ) from error


def sample_window(
    prior: Prior | CodeModel,
    window: Window,
    codes: CodeArray,
    upper: CodeArray | None,
    labels: CodeArray | None,
    options: LevelOptions | Sequence[LevelOptions],
    *,
    seed: int | Sequence[int],
    takes: Sequence[int],
    window_index: int | None = None,
    on_step: Callable[[int], None] | None = None,
) -> CodeArray:
    """Sample the new codes of one window.

    A draw is a function of the seed, the level, the window, the take and the position. It does not
    depend on which takes share the batch.

    Args:
        prior: the model; pass a `StepDecoder` to keep its caches over several windows.
        window: which codes.
        codes: codes [B, at least window.first_new] of the level from its beginning.
        upper: codes [B, n_ctx / factor] of the level above that condition this window.
        labels: label vectors [B, label_length] of this window.
        options: temperature and filters; a sequence gives each row its own, of one dtype.
        seed: of the run; a sequence gives each row its own.
        takes: stable number of each batch row.
        window_index: number of the window in the draw; `window.index` by default.
        on_step: told the number of positions sampled so far, after each; may raise to stop.

    Returns:
        int64 [B, window.new].

    Raises:
        CodesError: if shapes do not fit.
        DeviceError: if the window does not fit the device.

    Paper: "Sampling". In one sequence with lyrics, ids of characters are not masked at music
    positions: they are fed back as they are, and become code 0 in the result.
    """
    config = prior.config
    _check(config, window, codes, takes)
    index = window.index if window_index is None else window_index
    n, first = window.new, window.first_new
    seeds = [seed] * len(takes) if isinstance(seed, int) else seed
    each = (options,) if isinstance(options, LevelOptions) else tuple(options)
    draws = np.stack(
        [
            uniforms(of_row, config.level, index, take, first, n)
            for of_row, take in zip(seeds, takes, strict=True)
        ]
    )
    shift = config.vocabulary_shift
    chosen = torch.empty(len(takes), n, dtype=torch.int64)  # ids of the decoder's vocabulary
    with open_model(prior, len(takes), each[0].dtype) as model, _translated(config, len(takes)):
        known = np.ascontiguousarray(codes[:, window.start : first], dtype=np.int64)
        model.start_window(torch.from_numpy(known), labels=_tensor(labels), upper=_tensor(upper))
        logits = model.step()
        for i in range(n):
            token = choose(_filtered(logits, each), draws[:, i])
            chosen[:, i] = token
            if on_step is not None:
                on_step(i + 1)
            if i + 1 < n:
                logits = model.step(token)
    result: CodeArray = (chosen - shift).clamp(min=0).numpy()
    return result


def _filtered(logits: Tensor, each: tuple[LevelOptions, ...]) -> Tensor:
    """Return the logits that are drawn from, with one set of options or one per row."""
    if all(options.plain for options in each):
        return logits
    if any(options != each[0] for options in each):
        rows = zip(logits.split(1), each, strict=True)
        return torch.cat([_filtered(row, (options,)) for row, options in rows])
    options = each[0]
    return filter_logits(
        logits, temperature=options.temperature, top_k=options.top_k, top_p=options.top_p
    )


def _tensor(array: CodeArray | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))


def _check(config: PriorConfig, window: Window, codes: CodeArray, takes: Sequence[int]) -> None:
    if window.new < 1 or window.known < 0 or window.end - window.start > config.n_ctx:
        raise CodesError(
            f"window {window.start} to {window.end} with {window.known} known codes does not fit "
            f"the context length {config.n_ctx} of {config.name}"
        )
    if codes.ndim != 2 or codes.shape[0] != len(takes) or codes.shape[1] < window.first_new:
        raise CodesError(
            f"codes of level {config.level} have shape {list(codes.shape)}; the window needs "
            f"[{len(takes)}, at least {window.first_new}]"
        )
