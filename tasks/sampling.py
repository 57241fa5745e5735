"""Sampling of one level, window by window; and the choice of the take that goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from musiccore.errors import ConfigError, NotFound
from musiccore.records import Json
from tasks.conditioning import known_codes, labels_of
from tasks.levels import CodeArray, LevelWork, Unit, finish_level, stored_level
from tasks.policies import gpu_task
from tasks.resources import OpenRun, safe_stop, task_reporter, working
from tasks.runs import chosen_take

if TYPE_CHECKING:
    from musiccore.sampling.sampler import CodeModel


@gpu_task(task_run_name="sample-level-{level}")
def sample_level(run_id: str, level: int) -> dict[str, object]:
    """Sample what is missing of one level; every finished window is kept.

    Args:
        run_id: the run.
        level: level of the codes, 0 is the bottom.

    Returns:
        Digest of the level and how many windows this call sampled.
    """
    with working(run_id) as run, safe_stop() as stop, ModelSampler(run, level) as sample:
        work = level_work(run, level)
        result = finish_level(work, run.journal, sample, show=task_reporter(), stop=stop)
        return {"level": level, "codes_sha256": result.sha256, "sampled": result.sampled}


@gpu_task(task_run_name="choose-take-{run_id}")
def choose_take(run_id: str) -> int:
    """Choose the take that goes on, unless that has been done.

    Args:
        run_id: the run.

    Returns:
        The number of the take, from 1.
    """
    with working(run_id) as run:
        take = chosen_take(run.journal)
        if take is None:
            take = _best_take(run) if run.request.choose == "best" else 0
            run.journal.acknowledge("selection", take=take, by=run.request.choose)
        return take + 1


def select_take(run: OpenRun, number: int) -> None:
    """Record a person's choice.

    Args:
        run: the run.
        number: number of the take, from 1.

    Raises:
        ConfigError: if there is no such take.
    """
    if not 1 <= number <= run.request.takes:
        raise ConfigError(f"take is {number}; the run has takes 1 to {run.request.takes}")
    if chosen_take(run.journal) != number - 1:
        run.journal.acknowledge("selection", take=number - 1, by="person")


def level_work(run: OpenRun, level: int) -> LevelWork:
    """Return everything that decides the codes of a level.

    Raises:
        NotFound: if the level above is not finished, or no take is chosen.
    """
    plan = run.plan(level)
    prior = run.config.priors[level]
    top = level == run.config.levels - 1
    upper: Mapping[int, CodeArray] | None = None
    if top:
        groups = takes_in_groups(plan.batches)
    else:
        take = chosen_take(run.journal)
        if take is None:
            raise NotFound(f"run {run.run_id}: no take is chosen yet")
        groups = ((take,),)
        upper = level_codes(run, level + 1)
    return LevelWork(
        level=level,
        n_codes=plan.n_codes,
        windows=tuple(plan.windows),
        groups=groups,
        identity=_identity(run, level),
        known=known_codes(run, level),
        upper=upper,
        upper_factor=prior.upper_factor,
    )


def level_codes(run: OpenRun, level: int) -> Mapping[int, CodeArray]:
    """Return the codes of a finished level, take → [n].

    Raises:
        NotFound: if it is not finished.
    """
    result = stored_level(level_work(run, level), run.journal)
    if result is None:
        raise NotFound(f"run {run.run_id}: level {level} is not finished")
    return result.codes


def takes_in_groups(batches: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the takes of each batch, in order."""
    ends = np.cumsum(batches).tolist()
    return tuple(tuple(range(end - n, end)) for end, n in zip(ends, batches, strict=True))


def _identity(run: OpenRun, level: int) -> dict[str, Json]:
    request, record = run.request, run.journal.record
    sampling, words = request.sampling, request.conditioning
    return {
        "rng": record.rng,
        "seed": record.seed,
        "weights": record.models[run.config.priors[level].name],
        "temperature": request.temperatures(run.config)[level],
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "artist": words.artist,
        "genre": words.genre,
        "lyrics": words.lyrics,
        "total_samples": request.total_samples(run.config),
    }


def _best_take(run: OpenRun) -> int:
    """Return the take whose rough decode is most in tune, silence counted against it."""
    from musiccore.analysis import longest_silence, tuned
    from tasks.codec import decode_codes

    codes = level_codes(run, run.config.levels - 1)
    if len(codes) == 1:
        return next(iter(codes))
    task_reporter().say(f"listening to {len(codes)} takes")
    scores = {}
    for take, one in codes.items():
        sound = decode_codes(run, run.config.levels - 1, one)
        silence = longest_silence(sound.samples, sound.sample_rate)
        scores[take] = tuned(sound.samples, sound.sample_rate) - max(0.0, silence - 1.0)
    return max(scores, key=lambda take: (scores[take], -take))


class ModelSampler:
    """Samples windows with the prior of a level.

    The prior is loaded when the first window is asked for. Its caches stay for all windows with the
    same number of takes, and leave the memory with the `with` block.
    """

    def __init__(self, run: OpenRun, level: int) -> None:
        self._run = run
        self._level = level
        self._labels = labels_of(run, level)
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
        from musiccore.sampling.sampler import LevelOptions, sample_window

        run, sampling = self._run, self._run.request.sampling
        labels = None
        if self._labels is not None:
            labeller, whole = self._labels
            vector, _ = labeller.window_labels(whole, unit.window.start)
            labels = np.repeat(vector[None], len(unit.takes), axis=0)
        options = LevelOptions(
            temperature=run.request.temperatures(run.config)[self._level],
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            dtype=run.models.dtype,
        )
        return sample_window(
            self._model_for(len(unit.takes)),
            unit.window,
            codes,
            upper,
            labels,
            options,
            seed=run.journal.record.seed,
            takes=unit.takes,
            on_step=on_step,
        )

    def _model_for(self, batch: int) -> CodeModel:
        from musiccore.sampling.sampler import open_model

        if self._model is None or self._model[0] != batch:
            self._open.close()
            models = self._run.models
            opened = open_model(models.prior(self._level), batch, models.dtype)
            self._model = (batch, self._open.enter_context(opened))
        return self._model[1]
