"""Scores: played, composed, learned from, turned into tokens, and heard in a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from prefect.client.schemas.objects import State
from pydantic import Field

from musiccore.composer import ComposeOptions
from musiccore.composer.midi_files import given_score, targets, variants
from musiccore.errors import AudioError
from musiccore.scores.score import Reading
from musiccore.scores.tokenise import TokenRow
from musiccore.synth.render import Rendering
from tasks.artifacts import show_table
from tasks.outcome import outcome, rows_flow
from tasks.policies import durable_flow
from tasks.scores import (
    compose_file,
    list_scores,
    plan_rendering,
    render_file,
    tokenise_scores,
    train_composer,
    transcribe_source,
    write_tokens,
    write_transcription,
)
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
    from musiccore.composer.schedule import TrainingOptions

    tell(f"Trains a model of {voices} voices on {source} for {minutes:g} min.")
    made = train_composer(source, out, TrainingOptions(minutes=minutes, seed=seed), grid, voices)
    tell(f"The model lies in {out}.")
    show_table([made], key="trained", description=f"The model in {out}, in nats per note.")
    return made


@rows_flow(name="midi-tokenise", flow_run_name="tokenise-{form}")
def midi_tokenise(
    source: str,
    form: Literal["seed", "events", "grid"] = "events",
    destination: str = "",
    steps: Literal[1, 2, 4] = 4,
    legacy: bool = False,
    force: bool = False,
    encoding: str = "auto",
    strict: bool = False,
) -> list[TokenRow] | State[list[TokenRow]]:
    """Turn a score, or every one of a folder, into tokens that a model can learn from.

    A score that cannot be read is a row that says so; the others are written.

    Args:
        source: a folder with everything below it, or one score, on the machine that does the work.
        form: events hold all of the music in time, grid holds voices in steps, seed holds the names
            of notes and chords without time.
        destination: a .json file for all, or a folder for one file per score; empty writes
            tokens-events.json (or -seed, -grid) into the folder.
        steps: of a quarter note, for the grid; 4 are 16th notes.
        legacy: for the seed; the first part of the first three MIDI files alone.
        force: write over what is there already.
        encoding: of texts in MIDI files that are not UTF-8, such as shift_jis; auto finds it out.
        strict: refuse what is odd about a score, instead of saying it.

    Returns:
        One row per score: how many tokens it became, or what is wrong with it.
    """
    pieces = list_scores([source], legacy)
    reading = Reading(encoding=encoding, strict=strict)
    made = tokenise_scores(pieces, form, steps, legacy, reading)
    if made.tokens.pieces:
        write_tokens(made.tokens, _tokens_file(source, form, destination), force)
    n = len(made.rows)
    tell(f"{n} score{'s' * (n != 1)}, {n - made.failed} became tokens, {made.failed} failed.")
    show_table(made.rows, key="tokenised", description="What became tokens, and how it ended.")
    if not made.failed:
        return made.rows
    first = next(row["error"] for row in made.rows if row["error"])
    total = len(made.rows)
    if made.failed == total:
        raise AudioError(f"{made.failed} of {total} scores failed; the first: {first}")
    return outcome(made.rows, failed=made.failed, total=total, what="scores", first=str(first))


def _tokens_file(source: str, form: str, destination: str) -> Path:
    if destination:
        return Path(destination).expanduser()
    path = Path(source).expanduser()
    return (path if path.is_dir() else path.parent) / f"tokens-{form}.json"


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
