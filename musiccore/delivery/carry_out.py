"""From choices to what they ask for: the heart of every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from musiccore.delivery.candidates import (
    begin_round,
    publish_audition,
    publish_lost_takes,
    publish_round,
    write_lost_pages,
)
from musiccore.delivery.policy import choose_by_policy, next_choice
from musiccore.delivery.publish import lost_songs, publish_song
from musiccore.delivery.song_audio import FinishedSong, decode_song
from musiccore.runs.conditioning import condition, keep_score
from musiccore.runs.open_run import OpenRun
from musiccore.runs.sample import sample_audition, sample_round, sample_song
from musiccore.takes.choice import MadeChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What a run is made by: each step finds what is done in the store, and does the rest.

    Whoever retries, logs or shows them puts other callables around the same functions.
    """

    keep_score: Callable[[OpenRun], object] = keep_score
    condition: Callable[[OpenRun], object] = condition
    begin_round: Callable[[OpenRun, int], int] = begin_round
    sample_round: Callable[[OpenRun, int], object] = sample_round
    sample_song: Callable[[OpenRun, int, int], object] = sample_song
    sample_audition: Callable[[OpenRun, int, int], object] = sample_audition
    publish_round: Callable[[OpenRun, int], object] = publish_round
    publish_audition: Callable[[OpenRun, int], object] = publish_audition
    publish_lost_takes: Callable[[OpenRun], object] = publish_lost_takes
    write_lost_pages: Callable[[OpenRun], object] = write_lost_pages
    decode_song: Callable[[FinishedSong, int], object] = decode_song
    publish_song: Callable[[FinishedSong], object] = publish_song
    lost_songs: Callable[[OpenRun], list[int]] = lost_songs
    next_choice: Callable[[OpenRun], MadeChoice | None] = next_choice
    choose_by_policy: Callable[[OpenRun], object] = choose_by_policy
    deliver: Callable[[OpenRun, int, Steps], object] | None = None  # `deliver_song` by default


HERE: Final = Steps()
"""The steps themselves, with nothing around them."""


def carry_out(run: OpenRun, steps: Steps = HERE) -> None:
    """Carry out everything that was chosen, in order, and make again what was lost of it.

    Never waits for a person.

    Args:
        run: the claimed run.
        steps: by which it is done.
    """
    steps.keep_score(run)
    steps.condition(run)
    steps.publish_lost_takes(run)
    if not run.tree(fresh=True).rounds[1].done:
        steps.sample_round(run, 1)
        if run.asks_a_person:
            steps.publish_round(run, 1)
    steps.choose_by_policy(run)
    while (made := steps.next_choice(run)) is not None:
        _follow(run, made, steps)
        steps.choose_by_policy(run)
    for number in steps.lost_songs(run):
        make_song(run, number, steps)
    steps.write_lost_pages(run)


def _follow(run: OpenRun, made: MadeChoice, steps: Steps) -> None:
    """Do what a choice asks for."""
    if made.choice.action == "audition":
        for level in reversed(range(run.config.levels - 1)):
            steps.sample_audition(run, made.seq, level)
        steps.publish_audition(run, made.seq)
    elif made.choice.action in ("upsample", "redo"):
        for song in run.tree().renditions_of(made):
            make_song(run, song.number, steps)
    else:
        number = steps.begin_round(run, made.seq)
        steps.sample_round(run, number)
        steps.publish_round(run, number)


def make_song(run: OpenRun, number: int, steps: Steps = HERE) -> None:
    """Take a song down to the bottom level, and write what a listener gets of it.

    Args:
        run: the claimed run.
        number: of the song (rendition).
        steps: by which it is done.
    """
    for level in reversed(range(run.config.levels - 1)):
        steps.sample_song(run, number, level)
    (steps.deliver or deliver_song)(run, number, steps)


def deliver_song(run: OpenRun, number: int, steps: Steps = HERE) -> None:
    """Decode every level of a song that is sampled, and write what a listener gets.

    Args:
        run: the claimed run.
        number: of the song (rendition).
        steps: by which it is done.
    """
    song = FinishedSong(run, run.tree().rendition(number))
    for level in reversed(range(run.config.levels)):
        steps.decode_song(song, level)
    steps.publish_song(song)
