"""A song, down to the bottom level."""

from __future__ import annotations

from tasks.policies import durable_flow
from tasks.resources import working
from tasks.sampling import sample_song


@durable_flow(name="upsample-song", flow_run_name="upsample-song-{song}-of-{run_id}")
def upsample_song(run_id: str, song: int) -> None:
    """Sample the levels below the top for one song of a run.

    Args:
        run_id: a run of the store.
        song: number of the song, an upsampling of a take.
    """
    with working(run_id) as run:
        for level in reversed(range(run.config.levels - 1)):
            sample_song(run_id, song, level)
