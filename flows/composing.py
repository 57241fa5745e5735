"""Scores of the recurrent model, and the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from musiccore.composer import ComposeOptions
from musiccore.composer.files import given_score, targets, variants
from tasks.artifacts import show_table
from tasks.midi import compose_file, train_composer
from tasks.policies import durable_flow
from tasks.story import tell


@durable_flow(name="midi-compose", flow_run_name="compose-{count}-scores")
def midi_compose(
    destination: str = "composed",
    count: Annotated[int, Field(ge=1, le=100)] = 1,
    seed: Annotated[int, Field(ge=0, le=4_000_000_000)] = 0,
    seconds: Annotated[float, Field(ge=3, le=600)] = 30.0,
    key: str = "",
    mode: Literal["as drawn", "major", "minor"] = "as drawn",
    tempo: Annotated[float, Field(ge=0, le=240)] = 0.0,
    temperature: Annotated[float, Field(ge=0.1, le=2)] = 0.95,
    instruments: Literal["choir", "strings", "organ", "piano"] = "choir",
    continued: str = "",
    melody: str = "",
    model: str = "",
    force: bool = False,
) -> list[dict[str, object]]:
    """Compose chorales as MIDI files, continue music, or find voices for a melody.

    Args:
        destination: a folder or a MIDI file, on the machine that does the work.
        count: how many pieces; the seed counts on.
        seed: same seed, same piece.
        seconds: length; the piece ends with a cadence near it.
        key: such as A, Bb or F# minor; empty is as drawn.
        mode: major or minor.
        tempo: quarter notes a minute, 30 to 240; 0 is near 84, so that the seconds are met.
        temperature: 1 draws as Bach's chorales are; less is safer, more is bolder.
        instruments: who plays.
        continued: a score that the piece begins with; empty is none.
        melody: a score whose highest voice is kept and given other voices; empty is none.
        model: folder of a trained model; empty is the one of the package.
        force: write over files that exist.

    Returns:
        One row per piece.
    """
    if destination and not Path(destination).suffix:
        Path(destination).expanduser().mkdir(parents=True, exist_ok=True)
    harmonised = given_score(melody)
    asked = ComposeOptions(
        seed=seed,
        seconds=None if harmonised else seconds,
        key=key,
        mode=None if mode == "as drawn" else mode,
        tempo=tempo or None,
        temperature=temperature,
        instruments=instruments,
        continued=given_score(continued),
        harmonised=harmonised,
        model=Path(model).expanduser() if model else None,
    )
    files = targets(destination, seed, count)
    rows = [
        compose_file(each, str(file), force)
        for each, file in zip(variants(asked, count), files, strict=True)
    ]
    tell(f"Composed {len(rows)} score{'s' * (len(rows) != 1)}, into {files[0].parent}.")
    show_table(rows, key="composed", description="What was composed.")
    return rows


@durable_flow(name="midi-train", flow_run_name="train-on-{source}")
def midi_train(
    source: str = "chorales",
    out: str = "training/chorales",
    minutes: Annotated[float, Field(gt=0, le=1440)] = 12.0,
    grid: Literal["1/16", "1/8", "1/4"] = "1/16",
    voices: Annotated[int, Field(ge=1, le=8)] = 4,
    seed: Annotated[int, Field(ge=0, le=4_000_000_000)] = 0,
) -> dict[str, object]:
    """Train the model that composes; a training that was stopped goes on where it stopped.

    Args:
        source: chorales (J. S. Bach's), or a folder of MIDI files on the machine that works.
        out: folder of the model, on that machine.
        minutes: CPU minutes to spend.
        grid: length of a step.
        voices: voices that each piece of a folder is brought to.
        seed: same seed, same model.

    Returns:
        Figures of the model, in nats per note.
    """
    from musiccore.composer.training import TrainingOptions

    tell(f"Trains a model of {voices} voices on {source} for {minutes:g} min.")
    made = train_composer(source, out, TrainingOptions(minutes=minutes, seed=seed), grid, voices)
    tell(f"The model lies in {out}.")
    show_table([made], key="trained", description=f"The model in {out}, in nats per note.")
    return made
