"""Sampling of rounds, songs and auditions, window by window; every finished window is kept."""

from __future__ import annotations

from musiccore.request.request import GenerationRequest
from musiccore.runs.levels import LevelWork, finish_level, stored_level
from musiccore.runs.model_sampler import ModelSampler
from musiccore.runs.open_run import OpenRun
from musiccore.runs.outlook import Telling
from musiccore.runs.preview import Sounding
from musiccore.runs.run_codes import RunCodes, reused
from musiccore.takes.lineage import needed_songs
from musiccore.takes.takes import Audition, Rendition, takes_in_words
from musiccore.timecode import length


def sample_round(run: OpenRun, number: int) -> dict[str, object]:
    """Sample what is missing of the takes of a round.

    Args:
        run: the claimed run.
        number: of the round.

    Returns:
        Digest of the takes and how many windows this call sampled.
    """
    one = run.tree().rounds[number]
    if not one.sampled:
        return {"round": number, "sampled": 0}
    request = run.tree().request(one.changes)
    done = _finish(run, RunCodes(run).round_work(one), request)
    if done["sampled"]:
        each = "each " if len(one.takes) > 1 else ""
        seconds = length(run.facts.seconds(one.n_codes))
        run.tell(f"Made {takes_in_words(one.takes)}, {each}{seconds} long.")
    return done


def sample_song(run: OpenRun, number: int, level: int) -> dict[str, object]:
    """Sample what is missing of one level of a song.

    Args:
        run: the claimed run.
        number: of the song (rendition).
        level: level of the codes, 0 is the bottom.

    Returns:
        Digest of the level and how many windows this call sampled.
    """
    tree = run.tree()
    song = tree.rendition(number)
    _heal_older(run, song, level)
    work = RunCodes(run).song_work(song, level)
    if song.kept is not None and level == run.config.levels - 2:
        seconds = length(run.facts.seconds(song.kept.n_codes))
        run.tell(f"Song {number} keeps the first {seconds} of song {song.kept.song}.")
    done = _finish(run, work, tree.work_request(song), Sounding(run, song, level, work))
    if done["sampled"]:
        run.tell(f"Level {level} of song {number} is made.")
    return done


def sample_audition(run: OpenRun, choice: int, level: int) -> dict[str, object]:
    """Sample the windows of one level under an audition.

    Args:
        run: the claimed run.
        choice: number of the choice that asked for it.
        level: level of the codes, 0 is the bottom.

    Returns:
        Digest of the stretch and how many windows this call sampled.
    """
    tree = run.tree()
    audition = next(a for a in tree.auditions if a.choice == choice)
    _heal_audition(run, audition, level + 1)
    return _finish(run, RunCodes(run).audition_work(audition, level), tree.work_request(audition))


def _heal_older(run: OpenRun, song: Rendition, level: int) -> None:
    """Make codes again that were damaged in songs and auditions whose codes a song has."""
    tree = run.tree()
    for older in needed_songs(tree, song.number):
        for audition in reused(run, older):
            _heal_audition(run, audition, level)
        if older.number != song.number:
            work = RunCodes(run).song_work(older, level)
            if stored_level(work, run.journal) is None:
                _finish(run, work, tree.work_request(older))


def _heal_audition(run: OpenRun, audition: Audition, lowest: int) -> None:
    """Make codes of an audition again that were damaged, from the top down to a level."""
    for level in reversed(range(lowest, run.config.levels - 1)):
        work = RunCodes(run).audition_work(audition, level)
        if stored_level(work, run.journal) is None:
            _finish(run, work, run.tree().work_request(audition))


def _finish(
    run: OpenRun, work: LevelWork, request: GenerationRequest, after: Sounding | None = None
) -> dict[str, object]:
    level = work.level
    with run.safe_stop() as stop, ModelSampler(run, level, request, work.n_codes) as sample:
        show = Telling(run.reporter, run.journal, work.takes)
        result = finish_level(work, run.journal, sample, show=show, stop=stop, after=after)
    return {"level": level, "codes_sha256": result.sha256, "sampled": result.sampled}
