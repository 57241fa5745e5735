"""Scores to sound."""

from __future__ import annotations

from tasks.editing import show_table
from tasks.policies import durable_flow
from tasks.rendering import render_file, scores


@durable_flow(name="midi", flow_run_name="play-scores")
def midi(
    source: str = "bwv66.6", destination: str = "", force: bool = False
) -> list[dict[str, object]]:
    """Play a MIDI file, every one of a folder, or a Bach chorale by its name.

    Files that are there already are left alone, so it can be started again at any time.

    Args:
        source: a MIDI file, a folder of them, or a chorale such as bwv66.6.
        destination: an audio file or a folder; empty writes beside the score.
        force: write again what is there already.

    Returns:
        One row per score: where it came from, where it went, how it ended.
    """
    rows = [render_file(score, audio, force) for score, audio in scores(source, destination)]
    show_table(rows, key="played", description="What was played, and how it ended.")
    return rows
