"""Scores to sound."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from musiccore.scores.score import Reading
from musiccore.synth.render import Rendering
from tasks.artifacts import show_table
from tasks.midi import plan_rendering, render_file
from tasks.policies import durable_flow
from tasks.story import tell

AudioFormat = Literal["wav", "flac", "mp3", "ogg", "opus", "aiff", "caf", "au", "w64", "rf64"]


@durable_flow(name="midi", flow_run_name="play-scores")
def midi(
    source: str = "bwv66.6",
    destination: str = "",
    force: bool = False,
    target_format: AudioFormat = "wav",
    engine: Literal["auto", "own", "fluidsynth"] = "auto",
    loudness: Annotated[float, Field(ge=-70.0, le=-1.0)] = -16.0,
    transpose: Annotated[int, Field(ge=-127, le=127)] = 0,
    tempo_scale: Annotated[float, Field(ge=0.05, le=20.0)] = 1.0,
    reverb: bool = False,
    chorus: bool = False,
    encoding: str = "auto",
    strict: bool = False,
) -> list[dict[str, object]]:
    """Play a score, every one of a folder, or a Bach chorale by its name.

    Files that are there already are left alone, so it can be started again at any time.

    Args:
        source: a MIDI, MusicXML or ABC file, a folder of them, or a chorale such as bwv66.6.
        destination: an audio file or a folder; empty writes beside the score.
        force: write again what is there already.
        target_format: what to write where no file is named.
        engine: fluidsynth plays on a sound font of the worker, own on built-in instruments, auto
            on the first of the two that is there.
        loudness: in LUFS; -16 is usual for music.
        transpose: semitones up or down.
        tempo_scale: 2 plays twice as fast, 0.5 half as fast.
        reverb: add the sound of a room; fluidsynth alone can.
        chorus: add several players who are not quite together; fluidsynth alone can.
        encoding: of texts in MIDI files that are not UTF-8, such as shift_jis; auto finds it out.
        strict: refuse what is odd about a score, instead of saying it.

    Returns:
        One row per score: where it came from, where it went, how it ended.
    """
    rendering = Rendering(
        engine=engine,
        loudness=loudness,
        transpose=transpose,
        tempo_scale=tempo_scale,
        reverb=reverb,
        chorus=chorus,
        reading=Reading(encoding=encoding, strict=strict),
    )
    rows = [
        render_file(score, audio, force, rendering)
        for score, audio in plan_rendering(source, destination, target_format)
    ]
    tell(f"Played {len(rows)} score{'s' * (len(rows) != 1)}.")
    show_table(rows, key="played", description="What was played, and how it ended.")
    return rows
