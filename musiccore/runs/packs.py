"""Packs: rows of several songs in one pass of the model.

Where a song's rows lie in a pass, and how many rows a pass has, is written into the song's record.
Rows whose song is not there are filled with copies, so that a song gives the same codes whoever its
neighbours are, and also when it goes on alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from musiccore.journal.manifest import RunRecord
from musiccore.models.config import ModelConfig
from musiccore.models.loading import Models
from musiccore.request.plan import LevelPlan, level_plan
from musiccore.request.request import GenerationRequest
from musiccore.runs.levels import CodeArray
from musiccore.sampling.windows import Window
from musiccore.storage.sealed import Json
from musiccore.work.turns import Outcome, Turns

if TYPE_CHECKING:
    from musiccore.sampling.sampler import CodeModel, LevelOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PackPlace:
    """Where a song's rows lie in the passes of one level.

    Attributes:
        rows: rows of a pass.
        first: the song's first row.
    """

    rows: int
    first: int

    def to_json(self) -> dict[str, Json]:
        """Return the form of the run record."""
        return {"rows": self.rows, "first": self.first}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SongRows:
    """What one song wants of one window: the arguments of `sample_window`, for its own rows.

    Attributes:
        level: level of the codes.
        group: number of the song's group of takes; groups are sampled one after the other.
        place: where the rows lie.
        codes: [B, window.first_new] codes known so far.
        upper: [B, n] codes of the level above, None at the top.
        labels: [B, label_length], None for a model without labels.
    """

    level: int
    group: int
    place: PackPlace
    window: Window
    codes: CodeArray
    upper: CodeArray | None
    labels: CodeArray | None
    options: LevelOptions
    seed: int
    takes: tuple[int, ...]
    on_step: Callable[[int], None]

    @property
    def span(self) -> range:
        """The rows of the pass that belong to the song."""
        return range(self.place.first, self.place.first + len(self.takes))


def place_of(record: RunRecord, level: int, n_rows: int) -> PackPlace:
    """Return where a run's rows lie in the passes of a level; a run of its own fills its pass.

    Args:
        record: of the run.
        level: level of the codes.
        n_rows: takes that share the pass.
    """
    pack = record.numerics.get("pack")
    if isinstance(pack, list) and level < len(pack):
        entry = pack[level]
        assert isinstance(entry, dict)
        place = PackPlace(rows=int(str(entry["rows"])), first=int(str(entry["first"])))
        if place.first + n_rows <= place.rows:
            return place
    return PackPlace(rows=n_rows, first=0)


def sample_rows(model: CodeModel, songs: Sequence[SongRows]) -> list[CodeArray]:
    """Sample one window for the rows of one or more songs in one pass.

    Args:
        model: with caches for `place.rows` rows.
        songs: same level, window and number of rows; their spans do not overlap.

    Returns:
        int64 [B, window.new] for each song.
    """
    from musiccore.sampling.sampler import sample_window

    first = songs[0]
    owner = [(first, 0)] * first.place.rows  # rows of nobody are copies of the first row there is
    for song in songs:
        for row, at in enumerate(song.span):
            owner[at] = (song, row)

    def stacked(of: Callable[[SongRows], CodeArray | None]) -> CodeArray | None:
        if of(first) is None:
            return None
        rows = [(of(song), row) for song, row in owner]
        return np.stack([array[row] for array, row in rows if array is not None])

    def on_step(done: int) -> None:
        for song in songs:
            song.on_step(done)

    codes = stacked(lambda song: song.codes[:, : song.window.first_new])
    assert codes is not None
    new = sample_window(
        model,
        first.window,
        codes,
        stacked(lambda song: song.upper),
        stacked(lambda song: song.labels),
        [song.options for song, _ in owner],
        seed=[song.seed for song, _ in owner],
        takes=[song.takes[row] for song, row in owner],
        on_step=on_step,
    )
    return [new[song.span.start : song.span.stop] for song in songs]


class SharedPasses:
    """One loaded model that serves the songs of a pack; also the `Stop` that each of them asks.

    Args:
        models: the networks, one prior in memory at a time.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self.turns: Turns[SongRows, CodeArray] = Turns(choose_songs, self._serve)
        self._open = ExitStack()
        self._model: tuple[tuple[int, int], CodeModel] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self.models.drop_prior()

    def sample(self, song: SongRows) -> CodeArray:
        """Return the new codes [B, window.new] of a song; called inside one of the jobs."""
        return self.turns.meet(song)

    def between_units(self) -> None:
        """Let every song keep its new codes before one of them goes on to something long."""
        self.turns.pause()

    def inside_unit(self, fraction: float) -> None:
        """Go on."""

    def _serve(self, songs: Sequence[SongRows]) -> list[Outcome[CodeArray]]:
        model = self._model_for(songs[0].level, songs[0].place.rows)
        try:
            return [Outcome(value=codes) for codes in sample_rows(model, songs)]
        except Exception as error:
            if len(songs) == 1:
                return [Outcome(error=error)]
        return [self._serve([song])[0] for song in songs]  # whose fault it is shows when alone

    def _model_for(self, level: int, rows: int) -> CodeModel:
        from musiccore.sampling.sampler import open_model

        if self._model is None or self._model[0] != (level, rows):
            self._close()
            opened = open_model(self.models.prior(level), rows, self.models.dtype)
            self._model = ((level, rows), self._open.enter_context(opened))
        return self._model[1]

    def _close(self) -> None:
        self._model = None
        self._open.close()


def choose_songs(wanted: Sequence[SongRows]) -> list[int]:
    """Return which songs are served in one pass: those that are furthest behind, and their like."""
    order = sorted(range(len(wanted)), key=lambda i: _progress(wanted[i]))
    chosen: list[int] = []
    for i in order:
        song, first = wanted[i], wanted[order[0]]
        alike = _pass_of(song) == _pass_of(first)
        if alike and all(_apart(song.span, wanted[j].span) for j in chosen):
            chosen.append(i)
    return chosen


def _progress(song: SongRows) -> tuple[int, int, int, int]:
    return -song.level, song.group, song.window.first_new, song.place.first


def _pass_of(song: SongRows) -> tuple[object, ...]:
    return (
        song.level,
        song.window,
        song.place.rows,
        song.options.dtype,
        song.labels is None,
        song.upper is None,
    )


def _apart(one: range, other: range) -> bool:
    return one.stop <= other.start or other.stop <= one.start


# --------------------------------------------------------------------------------- who is with whom


def form_packs(
    requests: Mapping[int, tuple[GenerationRequest, ModelConfig]],
    primers: Mapping[int, int] | None = None,
) -> list[dict[int, list[PackPlace]]]:
    """Put songs that can share passes together, as many as fit the widest level.

    Args:
        requests: key of each song, in the order of the queue → its request and model.
        primers: key of a song → samples of its primer; 0 where it is not here.

    Returns:
        Packs in the order of their first songs: key of a song → its place at each level.
    """
    alike: dict[tuple[object, ...], list[int]] = {}
    plans: dict[int, list[LevelPlan]] = {}
    for key, (request, config) in requests.items():
        plans[key] = level_plan(config, request, primer_samples=(primers or {}).get(key, 0))
        shape = tuple((plan.n_codes, plan.windows, plan.batches) for plan in plans[key])
        limits = request.batch_limits(config)
        alike.setdefault((config.name, limits, shape), []).append(key)
    packs = []
    for keys in alike.values():
        request, config = requests[keys[0]]
        slots = [max(plan.batches) for plan in plans[keys[0]]]
        limits = request.batch_limits(config)
        fits = [max(1, limit // slot) for limit, slot in zip(limits, slots, strict=True)]
        for begin in range(0, len(keys), max(fits)):
            part = keys[begin : begin + max(fits)]
            packs.append({key: _places(n, len(part), slots, fits) for n, key in enumerate(part)})
    position = {key: n for n, key in enumerate(requests)}
    return sorted(packs, key=lambda pack: min(position[key] for key in pack))


def _places(n: int, n_songs: int, slots: Sequence[int], fits: Sequence[int]) -> list[PackPlace]:
    places = []
    for slot, fit in zip(slots, fits, strict=True):
        songs_here = min(fit, n_songs - n // fit * fit)
        places.append(PackPlace(rows=songs_here * slot, first=n % fit * slot))
    return places
