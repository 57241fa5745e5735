"""Sound to score: the melody of a recording."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.artifacts import show_table
from tasks.midi import transcribe_source, write_transcription
from tasks.policies import durable_flow
from tasks.story import tell


@durable_flow(name="midi-transcribe", flow_run_name="transcribe-{source}")
def midi_transcribe(
    source: str,
    take: Annotated[int, Field(ge=0)] = 0,
    destination: str = "",
    program: str = "0",
    force: bool = False,
    strict: bool = False,
) -> dict[str, object]:
    """Write the melody of a recording or of a run as MIDI: experimental, one voice at a time.

    Args:
        source: an audio file of the machine that does the work, or the name of a run.
        take: of the run; 0 is its finished song.
        destination: a MIDI file or a folder; empty writes into the folder of the work.
        program: instrument of the MIDI file: a General MIDI number from 0, or a name such as organ.
        force: write over a file that is there already.
        strict: refuse audio that is damaged or ends early, instead of saying it.

    Returns:
        Where it is, and how many notes it holds.
    """
    found = transcribe_source(source, take or None, program, strict)
    row: dict[str, object] = {
        "source": source,
        "destination": write_transcription(found, destination, force),
        "notes": found.score.n_notes,
        "seconds": round(found.seconds, 3),
        "warnings": "; ".join(found.warnings),
    }
    for words in found.warnings:
        tell(words)
    tell(f"Heard {found.score.n_notes} notes, written to {row['destination']}.")
    show_table([row], key="transcribed", description="An experimental transcription.")
    return row
