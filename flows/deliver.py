"""Codes to what a listener gets."""

from __future__ import annotations

from tasks.codec import decode_song
from tasks.policies import durable_flow
from tasks.publishing import publish_song
from tasks.resources import working


@durable_flow(name="deliver", flow_run_name="deliver-song-{song}-of-{run_id}")
def deliver(run_id: str, song: int) -> dict[str, object]:
    """Decode every level of a song and write audio, pictures, page and manifest.

    Args:
        run_id: a run of the store whose levels are finished.
        song: number of the song, an upsampling of a take.

    Returns:
        The song and its master file.
    """
    with working(run_id) as run:
        for level in reversed(range(run.config.levels)):
            decode_song(run_id, song, level)
        return publish_song(run_id, song)
