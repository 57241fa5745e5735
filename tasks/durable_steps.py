"""The steps of a run as Prefect sees them: retried, logged, and shown by name."""

from __future__ import annotations

import logging
from typing import Final

from musiccore.delivery import candidates, policy, publish, song_audio
from musiccore.delivery.carry_out import Steps, deliver_song
from musiccore.runs import conditioning, sample
from musiccore.runs.snapshot import Picture
from tasks.artifacts import show_song
from tasks.context import working
from tasks.policies import durable_flow, gpu_task, io_task
from tasks.story import story

log = logging.getLogger(__name__)


@io_task(task_run_name="publish-song-{song.song.number}")
def publish_song(song: song_audio.FinishedSong) -> bool:
    """Write everything a listener gets of a song, and show it in the Prefect UI if it is new.

    Args:
        song: of a claimed run.

    Returns:
        Whether it was written now.
    """
    written = publish.publish_song(song)
    if written:
        show(song)
    return written


def show(song: song_audio.FinishedSong) -> None:
    """Show a song in the Prefect UI, where there is one; a song that is finished never fails."""
    run, number = song.run, song.song.number
    try:
        if story() is not None:
            show_song(Picture.of_open(run), number)
    except Exception as error:
        log.warning("song %d is not shown in Prefect: %s", number, error)


say_waiting = io_task(task_run_name="wait-for-a-choice")(policy.say_waiting)


@durable_flow(name="deliver", flow_run_name="deliver-song-{song}-of-{run_id}")
def deliver(run_id: str, song: int) -> None:
    """Decode every level of a song and write audio, pictures, page and manifest.

    Args:
        run_id: a run of the store whose levels are finished.
        song: number of the song, an upsampling of a take.
    """
    with working(run_id) as run:
        deliver_song(run, song, STEPS)


STEPS: Final = Steps(
    deliver=lambda run, number, _: deliver(run.run_id, number),
    keep_score=io_task(task_run_name="score-of-{run.run_id}")(conditioning.keep_score),
    condition=gpu_task(task_run_name="condition-{run.run_id}")(conditioning.condition),
    begin_round=gpu_task(task_run_name="begin-round")(candidates.begin_round),
    sample_round=gpu_task(task_run_name="sample-round-{number}")(sample.sample_round),
    sample_song=gpu_task(task_run_name="sample-level-{level}")(sample.sample_song),
    sample_audition=gpu_task(task_run_name="audition-level-{level}")(sample.sample_audition),
    publish_round=gpu_task(task_run_name="publish-round-{number}")(candidates.publish_round),
    publish_audition=gpu_task(task_run_name="publish-audition")(candidates.publish_audition),
    publish_lost_takes=gpu_task(task_run_name="publish-lost-takes")(candidates.publish_lost_takes),
    write_lost_pages=io_task(task_run_name="write-lost-pages")(candidates.write_lost_pages),
    decode_song=gpu_task(task_run_name="decode-level-{level}")(song_audio.decode_song),
    publish_song=publish_song,
    lost_songs=io_task(task_run_name="find-lost-songs")(publish.lost_songs),
    next_choice=io_task(task_run_name="next-choice")(policy.next_choice),
    choose_by_policy=gpu_task(task_run_name="choose-by-policy")(policy.choose_by_policy),
)
