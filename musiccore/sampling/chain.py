"""Whole levels and whole chains in memory: every way to sample, without a store.

Flows drive `sample_window` themselves and keep each window; this is for tests, parity and use as a
library.

Paper: "Sampling". `docs/model.md`, "Windows".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from musiccore.errors import CodesError
from musiccore.models.labels import Labeller, Labels
from musiccore.models.prior import Prior
from musiccore.sampling.sampler import CodeArray, CodeModel, LevelOptions, open_model, sample_window
from musiccore.sampling.windows import (
    Window,
    partial_window,
    pieces,
    plan_windows,
    upper_span,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSampler:
    """Everything that sampling one level needs besides codes.

    Attributes:
        prior: of the level.
        window_hop: codes between window starts.
        options: how codes are drawn.
        labeller, labels: labels of each take; None for a prior without labels.
        max_batch: takes that share a pass.
        seed: of the run.
    """

    prior: Prior | CodeModel
    window_hop: int
    options: LevelOptions
    labeller: Labeller | None = None
    labels: Sequence[Labels] = ()
    max_batch: int = 16
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowDone:
    """A finished window of some takes.

    Attributes:
        takes: rows of the batch.
        codes: the new codes, int64 [takes, window.new].
    """

    level: int
    window: Window
    takes: range
    codes: CodeArray


OnWindow = Callable[[WindowDone], None]


def complete_level(
    sampler: LevelSampler,
    known: CodeArray,
    n_codes: int,
    *,
    upper: CodeArray | None = None,
    on_window: OnWindow | None = None,
) -> CodeArray:
    """Take a level from its known codes to `n_codes`: ancestral, primed, continued or upsampled.

    Args:
        sampler: the prior and how to sample.
        known: codes [B, P]; P may be 0.
        n_codes: codes wanted.
        upper: all codes [B, M] of the level above; None at the top.
        on_window: told each finished window.

    Returns:
        int64 [B, n_codes], or `known` if it is as long already.

    Raises:
        CodesError: if shapes do not fit.
    """
    windows = plan_windows(
        n_codes, sampler.prior.config.n_ctx, sampler.window_hop, n_known=known.shape[1]
    )
    return _sample(sampler, known, windows, upper, on_window)


def extend_level(
    sampler: LevelSampler,
    known: CodeArray,
    n_new: int,
    *,
    upper: CodeArray | None = None,
    on_window: OnWindow | None = None,
) -> CodeArray:
    """Add `n_new` codes on top of what is there: one step of co-composition.

    Returns:
        int64 [B, known + n_new].

    Raises:
        CodesError: if the new codes do not fit one window.

    Paper: the published notebook on co-composition.
    """
    window = partial_window(known.shape[1], n_new, sampler.prior.config.n_ctx)
    return _sample(sampler, known, [window], upper, on_window)


def complete_chain(
    samplers: Sequence[LevelSampler | None],
    known: Sequence[CodeArray],
    n_codes: Sequence[int],
    *,
    on_window: OnWindow | None = None,
) -> list[CodeArray]:
    """Sample all levels from the top down.

    Args:
        samplers: one per level, level 0 first; None keeps what is known of that level.
        known: codes [B, P] per level; empty for ancestral sampling, those of a primer for primed
            sampling, those of an earlier run for continuation and upsampling.
        n_codes: codes wanted per level.

    Returns:
        int64 [B, n_codes] per level, level 0 first.
    """
    done = list(known)
    for level in reversed(range(len(samplers))):
        sampler = samplers[level]
        if sampler is None:
            continue
        upper = done[level + 1] if level + 1 < len(done) else None
        if sampler.prior.config.conditioner is None:
            upper = None
        done[level] = complete_level(
            sampler, done[level], n_codes[level], upper=upper, on_window=on_window
        )
    return done


def window_labels(sampler: LevelSampler, rows: range, start: int) -> CodeArray | None:
    """Return the label vectors [rows, label_length] of the window that starts at a code."""
    if sampler.labeller is None:
        return None
    labeller = sampler.labeller
    return np.stack([labeller.window_labels(sampler.labels[b], start)[0] for b in rows])


def _sample(
    sampler: LevelSampler,
    known: CodeArray,
    windows: Sequence[Window],
    upper: CodeArray | None,
    on_window: OnWindow | None,
) -> CodeArray:
    groups: list[CodeArray] = []
    first = 0
    for size in pieces(len(known), sampler.max_batch):
        rows = range(first, first + size)
        groups.append(
            _sample_group(sampler, rows, known[rows.start : rows.stop], windows, upper, on_window)
        )
        first += size
    return np.concatenate(groups)


def _sample_group(
    sampler: LevelSampler,
    rows: range,
    codes: CodeArray,
    windows: Sequence[Window],
    upper: CodeArray | None,
    on_window: OnWindow | None,
) -> CodeArray:
    config = sampler.prior.config
    with open_model(sampler.prior, len(rows), sampler.options.dtype) as model:
        for window in windows:
            part: CodeArray | None = None
            if upper is not None:
                begin, end = upper_span(window.start, config.n_ctx, config.upper_factor)
                part = upper[rows.start : rows.stop, begin:end]
                if part.shape[1] < end - begin:
                    raise CodesError(
                        f"a window of level {config.level} needs upper codes {begin} to {end}; "
                        f"there are {upper.shape[1]}",
                        hint="an upsampler cannot work on less than one whole window",
                    )
            new = sample_window(
                model,
                window,
                codes,
                part,
                window_labels(sampler, rows, window.start),
                sampler.options,
                seed=sampler.seed,
                takes=rows,
            )
            codes = np.concatenate([codes, new], axis=1)
            if on_window is not None:
                on_window(WindowDone(level=config.level, window=window, takes=rows, codes=new))
    return codes
