"""One window after the other, sampled with the prior of a level."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from musiccore.request.request import GenerationRequest
from musiccore.runs.conditioning import labels_of
from musiccore.runs.levels import CodeArray, Unit
from musiccore.runs.open_run import OpenRun
from musiccore.runs.packs import SongRows, place_of, sample_rows

if TYPE_CHECKING:
    from musiccore.sampling.sampler import CodeModel


class ModelSampler:
    """Samples windows with the prior of a level.

    The prior is loaded when the first window is asked for. Its caches stay for all windows with the
    same number of rows, and leave the memory with the `with` block. A run of a pack keeps its place
    in the pass when it goes on alone.

    Args:
        run: the claimed run.
        level: of the prior.
        request: conditioning and sampling.
        n_codes: codes of the piece at this level.
    """

    def __init__(self, run: OpenRun, level: int, request: GenerationRequest, n_codes: int) -> None:
        self._run = run
        self._level = level
        self._request = request
        factor = run.config.top.hop_length // run.config.priors[level].hop_length
        self._labels = labels_of(run, level, request, n_codes // factor)
        self._open = ExitStack()
        self._model: tuple[int, CodeModel] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._model = None
        self._open.close()
        self._run.drop_prior()

    def __call__(
        self,
        unit: Unit,
        codes: CodeArray,
        upper: CodeArray | None,
        on_step: Callable[[int], None],
    ) -> CodeArray:
        """Return the new codes of a window."""
        from musiccore.sampling.sampler import LevelOptions

        run, sampling = self._run, self._request.sampling
        labels = None
        if self._labels is not None:
            labeller, whole = self._labels
            vector, _ = labeller.window_labels(whole, unit.window.start)
            labels = np.repeat(vector[None], len(unit.takes), axis=0)
        options = LevelOptions(
            temperature=self._request.temperatures(run.config)[self._level],
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            dtype=run.models.dtype,
        )
        song = SongRows(
            level=self._level,
            group=unit.group,
            place=place_of(run.journal.record, self._level, len(unit.takes)),
            window=unit.window,
            codes=codes,
            upper=upper,
            labels=labels,
            options=options,
            seed=run.journal.record.seed,
            takes=unit.takes,
            on_step=on_step,
        )
        if run.passes is not None:
            return run.passes.sample(song)
        return sample_rows(self._model_for(song.place.rows), [song])[0]

    def _model_for(self, batch: int) -> CodeModel:
        from musiccore.sampling.sampler import open_model

        if self._model is None or self._model[0] != batch:
            self._open.close()
            models = self._run.models
            opened = open_model(models.prior(self._level), batch, models.dtype)
            self._model = (batch, self._open.enter_context(opened))
        return self._model[1]
