"""What decides the codes of a run: of its rounds, songs and auditions; and those that are finished.

Nothing here samples: codes that are not there yet are an error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from musiccore.errors import NotFound
from musiccore.request.request import GenerationRequest
from musiccore.runs.conditioning import known_codes, piece_samples
from musiccore.runs.levels import CodeArray, LevelResult, LevelWork, codes_sha256, stored_level
from musiccore.runs.open_run import OpenRun
from musiccore.sampling.windows import Window, island_windows, pieces, plan_holes
from musiccore.storage.sealed import Json
from musiccore.takes.takes import Audition, Rendition, Round


class RunCodes:
    """The finished codes of a run, each read once, and what decides those that are to come.

    What is read stays in memory, so that one lives as long as one step of the work.

    Args:
        run: whose log is open.
    """

    def __init__(self, run: OpenRun) -> None:
        self._run = run
        self._takes: dict[int, CodeArray] = {}
        self._songs: dict[tuple[int, int], CodeArray] = {}
        self._auditions: dict[tuple[int, int], CodeArray] = {}
        self._primer: dict[int, CodeArray] = {}

    # ------------------------------------------------------------------------- takes and rounds

    def take(self, number: int) -> CodeArray:
        """Return the top-level codes [n] of a take.

        Raises:
            NotFound: if it is not finished.
        """
        if number not in self._takes:
            tree = self._run.tree()
            one = tree.rounds[tree.take(number).round]
            if one.sampled:
                result = self._stored(self.round_work(one), f"round {one.number}")
                self._takes |= {row + 1: codes for row, codes in result.codes.items()}
            else:
                parts = [self.take(part.take)[part.start : part.end] for part in one.parts]
                self._takes[number] = np.concatenate(parts)
        return self._takes[number]

    def round_work(self, one: Round) -> LevelWork:
        """Return everything that decides the takes of a round.

        Raises:
            NotFound: if the take it goes on from is not finished.
        """
        run = self._run
        top = run.config.levels - 1
        request = run.tree().request(one.changes)
        rows = tuple(take - 1 for take in one.takes)
        ends = np.cumsum(pieces(len(rows), request.batch_limits(run.config)[top])).tolist()
        begins = [0, *ends[:-1]]
        known = self.take(one.parent)[: one.known] if one.parent else self._known(top)
        return LevelWork(
            level=top,
            n_codes=one.n_codes,
            windows=one.windows(run.facts),
            groups=tuple(rows[a:b] for a, b in zip(begins, ends, strict=True)),
            identity=_identity(run, top, request, one.n_codes),
            known=known,
        )

    # ------------------------------------------------------------------------------------ songs

    def song(self, song: Rendition, level: int) -> CodeArray:
        """Return the codes [n] of a finished level of a song.

        Raises:
            NotFound: if it is not finished.
        """
        if level == self._run.config.levels - 1:
            return self.take(song.take)
        key = song.number, level
        if key not in self._songs:
            work = self.song_work(song, level)
            result = self._stored(work, f"level {level} of song {song.number}")
            self._songs[key] = result.codes[song.row]
        return self._songs[key]

    def song_work(self, song: Rendition, level: int) -> LevelWork:
        """Return everything that decides one level of a song.

        What was sampled for an audition of the take is there already, and what the song keeps of
        one that it goes on from. A song that redoes a stretch of another one has all of its other
        codes.

        Raises:
            NotFound: if the level above is not finished, or what is there already is lost.
        """
        run = self._run
        tree, prior = run.tree(), run.config.priors[level]
        n_codes = run.codes_at(level, tree.take(song.take).n_codes)
        given: list[tuple[int, CodeArray]] = []
        if song.base:
            base = self.song(tree.rendition(song.base), level)
            first, last = run.codes_at(level, song.start), run.codes_at(level, song.end)
            known, given, holes = base[:first], [(last, base[last:])], [(first, min(last, n_codes))]
        else:
            known = self._beginning(song, level)
            given = [part for one in reused(run, song) for part in self._island(one, level, known)]
            islands = [(start, start + len(codes)) for start, codes in given]
            holes = _without([(len(known), n_codes)], islands)
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
            upper={song.row: self.song(song, level + 1)},
            upper_factor=prior.upper_factor,
        )

    def _island(
        self, audition: Audition, level: int, known: CodeArray
    ) -> list[tuple[int, CodeArray]]:
        """Return what an audition has of a level beyond its beginning: place and codes, if any."""
        windows = self.audition_work(audition, level).windows
        if not windows:  # all of it is the primer's
            return []
        start, end = max(windows[0].first_new, len(known)), _end(windows)
        return [(start, self.audition(audition, level)[start:end])] if start < end else []

    def _beginning(self, song: Rendition, level: int) -> CodeArray:
        """Return the codes [n] of a level that are there before a song is sampled.

        Raises:
            NotFound: if the song whose beginning it keeps is not finished.
        """
        run, primer = self._run, self._primer_codes(song.take, level)
        if song.kept is None:
            return primer
        first = run.codes_at(level, song.kept.start)
        last = run.codes_at(level, song.kept.start + song.kept.n_codes)
        older = self.song(run.tree().rendition(song.kept.song), level)
        return older[first:last] if last - first > len(primer) else primer

    # -------------------------------------------------------------------------------- auditions

    def audition(self, audition: Audition, level: int) -> CodeArray:
        """Return the codes [n] of a level of an audition, 0 where it has none.

        Raises:
            NotFound: if they are not finished.
        """
        key = audition.choice, level
        if key not in self._auditions:
            work = self.audition_work(audition, level)
            result = self._stored(work, f"level {level} of a stretch of take {audition.take}")
            self._auditions[key] = result.codes[audition.take - 1]
        return self._auditions[key]

    def audition_work(self, audition: Audition, level: int) -> LevelWork:
        """Return everything that decides one level of an audition: the windows under its stretch.

        Raises:
            NotFound: if the level above is not finished.
        """
        run = self._run
        tree, prior = run.tree(), run.config.priors[level]
        take = tree.take(audition.take)
        n_codes = run.codes_at(level, take.n_codes)
        first, last = _audition_span(run, audition, level)
        hop = run.request.window_hops(run.config)[level]
        known = self._primer_codes(audition.take, level)
        windows = tuple(
            replace(window, known=max(window.known, len(known) - window.start))
            for window in island_windows(n_codes, prior.n_ctx, hop, first, last)
            if window.end > len(known)
        )
        row, above = audition.take - 1, level + 1
        whole = above == run.config.levels - 1
        upper = self.take(audition.take) if whole else self.audition(audition, above)
        return LevelWork(
            level=level,
            n_codes=n_codes,
            windows=windows,
            groups=((row,),),
            identity=_identity(run, level, tree.work_request(audition), take.n_codes),
            known=known,
            label="audition",
            upper={row: upper},
            upper_factor=prior.upper_factor,
        )

    # ---------------------------------------------------------------------------------- reading

    def _stored(self, work: LevelWork, what: str) -> LevelResult:
        result = stored_level(work, self._run.journal)
        if result is None:
            raise NotFound(f"run {self._run.run_id}: {what} is not finished")
        return result

    def _known(self, level: int) -> CodeArray:
        if level not in self._primer:
            self._primer[level] = known_codes(self._run, level)
        return self._primer[level]

    def _primer_codes(self, take: int, level: int) -> CodeArray:
        """Return the codes [n] that a take has from the primer; a cut may have lost them."""
        run = self._run
        return self._known(level)[: run.codes_at(level, run.tree().primer_codes(take))]


class SongCodes:
    """The finished codes of one song, read once for everything that is made of them.

    Args:
        run: whose log is open.
        song: whose levels are finished.
    """

    def __init__(self, run: OpenRun, song: Rendition) -> None:
        self.run = run
        self.song = song
        self.finished = RunCodes(run)
        self._digests: dict[int, str] = {}

    def level(self, level: int) -> CodeArray:
        """Return the codes [n] of a level.

        Raises:
            NotFound: if it is not finished.
        """
        return self.finished.song(self.song, level)

    def digest(self, level: int) -> str:
        """Return the sha256 of the codes of a level."""
        if level not in self._digests:
            self._digests[level] = codes_sha256(self.level(level))
        return self._digests[level]

    def digests(self, lowest: int = 0) -> dict[int, str]:
        """Return level → sha256, from the lowest level of interest on."""
        return {level: self.digest(level) for level in range(lowest, self.run.config.levels)}


def reused(run: OpenRun, song: Rendition) -> tuple[Audition, ...]:
    """Return the auditions whose codes a song begins with: same take, same conditions."""
    if song.base or song.version:
        return ()
    wanted = (song.take, song.changes)
    return tuple(
        one
        for one in run.tree().auditions
        if (one.take, one.changes) == wanted and one.choice < song.choice
    )


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
