"""Sampling of rounds, songs and auditions, window by window."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from musiccore.errors import NotFound
from musiccore.request.request import GenerationRequest
from musiccore.sampling.windows import (
    Window,
    island_windows,
    pieces,
    plan_holes,
)
from musiccore.storage.sealed import Json
from musiccore.takes.lineage import needed_songs
from musiccore.takes.takes import Audition, Rendition, Round, takes_in_words
from musiccore.timecode import length
from tasks.conditioning import known_codes, labels_of, piece_samples
from tasks.levels import (
    CodeArray,
    LevelWork,
    Unit,
    finish_level,
    stored_level,
)
from tasks.outlook import Telling
from tasks.packs import SongRows, place_of, sample_rows, shared_passes
from tasks.policies import gpu_task
from tasks.resources import OpenRun, safe_stop, task_reporter, working
from tasks.sounding import Sounding
from tasks.story import tell

if TYPE_CHECKING:
    from musiccore.sampling.sampler import CodeModel


@gpu_task(task_run_name="sample-round-{number}")
def sample_round(run_id: str, number: int) -> dict[str, object]:
    """Sample what is missing of the takes of a round; every finished window is kept.

    Args:
        run_id: the run.
        number: of the round.

    Returns:
        Digest of the takes and how many windows this call sampled.
    """
    with working(run_id) as run:
        one = run.tree().rounds[number]
        if not one.sampled:
            return {"round": number, "sampled": 0}
        request = run.tree().request(one.changes)
        level = run.config.levels - 1
        done = _finish(run, round_work(run, one), level, request)
        if done["sampled"]:
            each = "each " if len(one.takes) > 1 else ""
            seconds = length(run.facts.seconds(one.n_codes))
            tell(f"Made {takes_in_words(one.takes)}, {each}{seconds} long.")
        return done


@gpu_task(task_run_name="sample-level-{level}")
def sample_song(run_id: str, number: int, level: int) -> dict[str, object]:
    """Sample what is missing of one level of a song; every finished window is kept.

    Args:
        run_id: the run.
        number: of the song (rendition).
        level: level of the codes, 0 is the bottom.

    Returns:
        Digest of the level and how many windows this call sampled.
    """
    with working(run_id) as run:
        tree = run.tree()
        song = tree.rendition(number)
        _heal_older(run, song, level)
        work = song_work(run, song, level)
        if song.kept is not None and level == run.config.levels - 2:
            seconds = length(run.facts.seconds(song.kept.n_codes))
            tell(f"Song {number} keeps the first {seconds} of song {song.kept.song}.")
        request = tree.work_request(song)
        done = _finish(run, work, level, request, Sounding(run, song, level, work))
        if done["sampled"]:
            tell(f"Level {level} of song {number} is made.")
        return done


@gpu_task(task_run_name="audition-level-{level}")
def sample_audition(run_id: str, choice: int, level: int) -> dict[str, object]:
    """Sample the windows of one level under an audition.

    Args:
        run_id: the run.
        choice: number of the choice that asked for it.
        level: level of the codes, 0 is the bottom.

    Returns:
        Digest of the stretch and how many windows this call sampled.
    """
    with working(run_id) as run:
        tree = run.tree()
        audition = next(a for a in tree.auditions if a.choice == choice)
        request = tree.work_request(audition)
        return _finish(run, audition_work(run, audition, level), level, request)


def _heal_older(run: OpenRun, song: Rendition, level: int) -> None:
    """Make codes again that were damaged in songs whose codes a song has."""
    tree = run.tree()
    for older in needed_songs(tree, song.number)[:-1]:
        work = song_work(run, older, level)
        if stored_level(work, run.journal) is None:
            _finish(run, work, level, tree.work_request(older))


def _finish(
    run: OpenRun,
    work: LevelWork,
    level: int,
    request: GenerationRequest,
    after: Sounding | None = None,
) -> dict[str, object]:
    with safe_stop() as stop, ModelSampler(run, level, request, work.n_codes) as sample:
        show = Telling(task_reporter(), run.journal, work.takes)
        result = finish_level(work, run.journal, sample, show=show, stop=stop, after=after)
    return {"level": level, "codes_sha256": result.sha256, "sampled": result.sampled}


# -------------------------------------------------------------------- what decides the codes


def round_work(run: OpenRun, one: Round) -> LevelWork:
    """Return everything that decides the takes of a round.

    Raises:
        NotFound: if the take it goes on from is not finished.
    """
    top = run.config.levels - 1
    request = run.tree().request(one.changes)
    rows = tuple(take - 1 for take in one.takes)
    ends = np.cumsum(pieces(len(rows), request.batch_limits(run.config)[top])).tolist()
    begins = [0, *ends[:-1]]
    known = take_codes(run, one.parent)[: one.known] if one.parent else known_codes(run, top)
    return LevelWork(
        level=top,
        n_codes=one.n_codes,
        windows=one.windows(run.facts),
        groups=tuple(rows[a:b] for a, b in zip(begins, ends, strict=True)),
        identity=_identity(run, top, request, one.n_codes),
        known=known,
    )


def take_codes(run: OpenRun, take: int) -> CodeArray:
    """Return the top-level codes [n] of a take.

    Raises:
        NotFound: if it is not finished.
    """
    tree = run.tree()
    one = tree.rounds[tree.take(take).round]
    if not one.sampled:
        return np.concatenate([take_codes(run, p.take)[p.start : p.end] for p in one.parts])
    result = stored_level(round_work(run, one), run.journal)
    if result is None:
        raise NotFound(f"run {run.run_id}: round {one.number} is not finished")
    return result.codes[take - 1]


def song_work(run: OpenRun, song: Rendition, level: int) -> LevelWork:
    """Return everything that decides one level of a song.

    What was sampled for an audition of the take is there already, and what the song keeps of one
    that it goes on from. A song that redoes a stretch of another one has all of its other codes.

    Raises:
        NotFound: if the level above is not finished.
    """
    prior = run.config.priors[level]
    tree = run.tree()
    n_codes = run.codes_at(level, tree.take(song.take).n_codes)
    given: list[tuple[int, CodeArray]] = []
    if song.base:
        base = song_codes(run, tree.rendition(song.base), level)
        first, last = run.codes_at(level, song.start), run.codes_at(level, song.end)
        known, given, holes = base[:first], [(last, base[last:])], [(first, min(last, n_codes))]
    else:
        known = _beginning(run, song, level)
        holes = [(len(known), n_codes)]
        if song.version == 0:
            for audition in tree.auditions:
                if _reused(audition, song):
                    work = audition_work(run, audition, level)
                    if work.windows:  # none where all of it is the primer's
                        start, end = max(work.windows[0].first_new, len(known)), _end(work.windows)
                        if start < end:
                            codes = _audition_codes(run, audition, level)[start:end]
                            given.append((start, codes))
        holes = _without(holes, [(start, start + len(codes)) for start, codes in given])
    hop = run.request.window_hops(run.config)[level]
    request = tree.work_request(song)
    return LevelWork(
        level=level,
        n_codes=n_codes,
        windows=tuple(plan_holes(n_codes, prior.n_ctx, hop, holes)),
        groups=((song.row,),),
        identity=_identity(run, level, request, tree.take(song.take).n_codes),
        known=known,
        given=tuple(given),
        upper={song.row: song_codes(run, song, level + 1)},
        upper_factor=prior.upper_factor,
    )


def _beginning(run: OpenRun, song: Rendition, level: int) -> CodeArray:
    """Return the codes [n] of a level that are there before a song is sampled.

    Raises:
        NotFound: if the song whose beginning it keeps is not finished.
    """
    primer = _primer_codes(run, song.take, level)
    if song.kept is None:
        return primer
    first = run.codes_at(level, song.kept.start)
    last = run.codes_at(level, song.kept.start + song.kept.n_codes)
    older = song_codes(run, run.tree().rendition(song.kept.song), level)
    return older[first:last] if last - first > len(primer) else primer


def song_codes(run: OpenRun, song: Rendition, level: int) -> CodeArray:
    """Return the codes [n] of a finished level of a song.

    Raises:
        NotFound: if it is not finished.
    """
    if level == run.config.levels - 1:
        return take_codes(run, song.take)
    result = stored_level(song_work(run, song, level), run.journal)
    if result is None:
        raise NotFound(f"run {run.run_id}: level {level} of song {song.number} is not finished")
    return result.codes[song.row]


def audition_work(run: OpenRun, audition: Audition, level: int) -> LevelWork:
    """Return everything that decides one level of an audition: the windows under its stretch.

    Raises:
        NotFound: if the level above is not finished.
    """
    tree, prior = run.tree(), run.config.priors[level]
    take = tree.take(audition.take)
    n_codes = run.codes_at(level, take.n_codes)
    first, last = _audition_span(run, audition, level)
    hop = run.request.window_hops(run.config)[level]
    known = _primer_codes(run, audition.take, level)
    windows = tuple(
        replace(window, known=max(window.known, len(known) - window.start))
        for window in island_windows(n_codes, prior.n_ctx, hop, first, last)
        if window.end > len(known)
    )
    row = audition.take - 1
    if level == run.config.levels - 2:
        upper = take_codes(run, audition.take)
    else:
        upper = _audition_codes(run, audition, level + 1)
    request = tree.work_request(audition)
    return LevelWork(
        level=level,
        n_codes=n_codes,
        windows=windows,
        groups=((row,),),
        identity=_identity(run, level, request, take.n_codes),
        known=known,
        label="audition",
        upper={row: upper},
        upper_factor=prior.upper_factor,
    )


def _audition_codes(run: OpenRun, audition: Audition, level: int) -> CodeArray:
    """Return the codes [n] of a level of an audition; what is damaged is made again."""
    work, row = audition_work(run, audition, level), audition.take - 1
    stored = stored_level(work, run.journal)
    if stored is None:
        _finish(run, work, level, run.tree().work_request(audition))
        stored = stored_level(work, run.journal)
        assert stored is not None
    return stored.codes[row]


def _audition_span(run: OpenRun, audition: Audition, level: int) -> tuple[int, int]:
    """Return the codes that an audition needs at a level: those under the windows below it."""
    if level == 0:
        return run.codes_at(0, audition.start), run.codes_at(0, audition.end)
    below = run.config.priors[level - 1]
    hop = run.request.window_hops(run.config)[level - 1]
    n_codes = run.codes_at(level - 1, run.tree().take(audition.take).n_codes)
    first, last = _audition_span(run, audition, level - 1)
    windows = island_windows(n_codes, below.n_ctx, hop, first, last)
    factor = below.upper_factor
    return windows[0].start // factor, -(-_end(tuple(windows)) // factor)


def _primer_codes(run: OpenRun, take: int, level: int) -> CodeArray:
    """Return the codes [n] of a level that a take has from the primer; a cut may have lost them."""
    return known_codes(run, level)[: run.codes_at(level, run.tree().primer_codes(take))]


def _reused(audition: Audition, song: Rendition) -> bool:
    """Return whether a song begins with the codes of an audition: same take, same conditions."""
    same = (audition.take, audition.changes) == (song.take, song.changes)
    return same and audition.choice < song.choice


def _end(windows: tuple[Window, ...]) -> int:
    return max(window.end for window in windows)


def _without(holes: list[tuple[int, int]], islands: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return holes less what is there already."""
    for first, last in sorted(islands):
        left: list[tuple[int, int]] = []
        for start, end in holes:
            left += [
                (a, b) for a, b in ((start, min(end, first)), (max(start, last), end)) if a < b
            ]
        holes = left
    return holes


def _identity(
    run: OpenRun, level: int, request: GenerationRequest, top_codes: int
) -> dict[str, Json]:
    record, sampling, words = run.journal.record, request.sampling, request.conditioning
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
        "total_samples": piece_samples(run, request, top_codes),
    }


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
        passes = shared_passes()
        if passes is not None:
            return passes.sample(song)
        return sample_rows(self._model_for(song.place.rows), [song])[0]

    def _model_for(self, batch: int) -> CodeModel:
        from musiccore.sampling.sampler import open_model

        if self._model is None or self._model[0] != batch:
            self._open.close()
            models = self._run.models
            opened = open_model(models.prior(self._level), batch, models.dtype)
            self._model = (batch, self._open.enter_context(opened))
        return self._model[1]
