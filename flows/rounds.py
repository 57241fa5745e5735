"""From choices to what they ask for: the heart of every run."""

from __future__ import annotations

from flows.deliver import deliver
from flows.song import upsample_song
from tasks.candidates import (
    begin_round,
    publish_audition,
    publish_lost_takes,
    publish_round,
    write_lost_pages,
)
from tasks.choosing import choose_by_policy, next_choice
from tasks.conditioning import condition, keep_score
from tasks.policies import durable_flow
from tasks.publishing import lost_songs
from tasks.resources import working
from tasks.sampling import sample_audition, sample_round


@durable_flow(name="round", flow_run_name="round-{number}-of-{run_id}")
def make_round(run_id: str, number: int, publish: bool = True) -> None:
    """Sample the takes of a round, and publish them for a person to choose from.

    Args:
        run_id: a run of the store.
        number: number of the round.
        publish: make audio, pictures and a page of every take.
    """
    with working(run_id):
        sample_round(run_id, number)
        if publish:
            publish_round(run_id, number)


@durable_flow(name="audition", flow_run_name="audition-of-{run_id}")
def audition(run_id: str, choice: int) -> None:
    """Upsample a stretch of a take; the work is used again if the take is chosen.

    Args:
        run_id: a run of the store.
        choice: number of the choice that asked for it.
    """
    with working(run_id) as run:
        for level in reversed(range(run.config.levels - 1)):
            sample_audition(run_id, choice, level)
        publish_audition(run_id, choice)


def carry_out(run_id: str) -> None:
    """Carry out everything that was chosen, in order, and make again what was lost of it.

    Never waits for a person.

    Args:
        run_id: a run of the store.
    """
    with working(run_id) as run:
        keep_score(run_id)
        condition(run_id)
        publish_lost_takes(run_id)
        if not run.tree(fresh=True).rounds[1].done:
            make_round(run_id, 1, publish=run.asks_a_person)
        choose_by_policy(run_id)
        while (made := next_choice(run_id)) is not None:
            if made.choice.action == "audition":
                audition(run_id, made.seq)
            elif made.choice.action in ("upsample", "redo"):
                for song in run.tree().renditions_of(made):
                    upsample_song(run_id, song.number)
                    deliver(run_id, song.number)
            else:
                make_round(run_id, begin_round(run_id, made.seq))
            choose_by_policy(run_id)
        for number in lost_songs(run_id):
            deliver(run_id, number)
        write_lost_pages(run_id)
