"""Scores as tasks: played, composed, learned from, turned into tokens, heard in a recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musiccore.composer import midi_files
from musiccore.composer.compose_options import ComposeOptions
from musiccore.composer.corpus import GridName
from musiccore.runs import audible
from musiccore.scores import tokenise
from musiccore.scores.score import AS_PLAYERS_DO, Reading
from musiccore.scores.score_files import ScoreFile
from musiccore.scores.tokenise import PerQuarter, Tokenised
from musiccore.scores.tokens import Form, TokenFile
from musiccore.scores.transcribe import Transcription
from musiccore.synth import render
from musiccore.synth.render import Rendering
from tasks.context import shared_store, task_reporter
from tasks.policies import io_task
from tasks.settings import process_settings

if TYPE_CHECKING:
    from musiccore.composer.schedule import TrainingOptions


@io_task(task_run_name="list-scores")
def plan_rendering(source: str, destination: str, kind: str) -> list[tuple[str, str]]:
    """List the scores to play, and where each goes; see `musiccore.synth.render`."""
    return render.plan_rendering(source, destination, kind)


@io_task(task_run_name="render-{source}")
def render_file(
    source: str, destination: str, force: bool, rendering: Rendering
) -> dict[str, object]:
    """Play one score on what this machine has; one that fails is a row that says so."""
    here = process_settings()
    rendering = rendering.on(library=here.fluidsynth, soundfont=here.soundfont)
    say = task_reporter().say
    return render.render_file(source, destination, rendering, force=force, say=say)


@io_task(task_run_name="compose-{destination}")
def compose_file(options: ComposeOptions, destination: str, force: bool) -> dict[str, object]:
    """Compose one piece and write it as a MIDI file; see `musiccore.composer.midi_files`."""
    return midi_files.compose_file(options, destination, force=force)


@io_task(task_run_name="train-{source}")
def train_composer(
    source: str, out: str, options: TrainingOptions, grid: GridName, n_voices: int
) -> dict[str, object]:
    """Train a model of voices; what an earlier call did is not done again."""
    from musiccore.composer import assessment

    say = task_reporter().say
    return assessment.train_composer(source, out, options, grid, n_voices, say=say)


@io_task(task_run_name="list-scores")
def list_scores(sources: Sequence[str], legacy: bool) -> list[ScoreFile]:
    """List the pieces to read; see `musiccore.scores.tokenise`."""
    return tokenise.list_scores(sources, legacy)


@io_task(task_run_name="tokenise-{form}")
def tokenise_scores(
    pieces: Sequence[ScoreFile],
    form: Form,
    per_quarter: PerQuarter = 4,
    legacy: bool = False,
    reading: Reading = AS_PLAYERS_DO,
) -> Tokenised:
    """Turn pieces into tokens; one that fails is a row that says so, and the next one goes on."""
    return tokenise.tokenise_scores(pieces, form, per_quarter, legacy, reading)


@io_task(task_run_name="write-tokens")
def write_tokens(tokens: TokenFile, target: Path, force: bool) -> list[str]:
    """Write tokens; every file appears whole or not at all."""
    return tokenise.write_tokens(tokens, target, force=force)


@io_task(task_run_name="transcribe-{source}")
def transcribe_source(source: str, take: int | None, program: str, strict: bool) -> Transcription:
    """Write down the melody of a recording or of a run; see `musiccore.runs.audible`."""
    return audible.transcribe_source(shared_store, source, take, program, strict=strict)


@io_task(task_run_name="write-{destination}")
def write_transcription(found: Transcription, destination: str, force: bool) -> str:
    """Write what was heard as a MIDI file; see `Transcription.write`."""
    return found.write(destination, force=force)
