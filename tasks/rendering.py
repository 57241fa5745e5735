"""Steps that play scores on our own synthesiser."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from musiccore.audio import Audio, limit_peak, write
from musiccore.editing import format_of, write_file
from musiccore.errors import AudioError, ConfigError, MusicCoreError
from musiccore.midi import SUFFIXES, read_midi
from musiccore.symbolic import Note, chorale_names, read_chorale
from musiccore.synthesis import Performance, render
from tasks.policies import io_task
from tasks.resources import safe_stop

SAMPLE_RATE = 44_100
_CHORALE_QUARTER_SECONDS = 0.75
_RING_SECONDS = 1.0
_LONGEST_SECONDS = 3600.0


@io_task(task_run_name="list-scores")
def scores(source: str, destination: str) -> list[tuple[str, str]]:
    """List the scores to play, and where each goes.

    Args:
        source: a score, a folder with everything below it, or the name of a chorale.
        destination: a file or a folder; empty is beside the score, or here for a chorale.

    Returns:
        Pairs of score and audio file.

    Raises:
        ConfigError: if there is nothing to play, or the destination names no audio format.
    """
    path, target = Path(source).expanduser(), Path(destination or ".").expanduser()
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES]
        if not found:
            raise ConfigError(
                f"source: no score is in {source!r}",
                hint=f"files that end with {', '.join(SUFFIXES)} are scores",
            )
        root = target if destination else path
        return [
            (str(file), str(root / file.relative_to(path).with_suffix(".wav"))) for file in found
        ]
    if path.suffix.lower() in SUFFIXES:
        if not path.is_file():
            raise ConfigError(f"source: {source!r} does not exist", hint="check the path")
        beside = path.parent if not destination else target
        stem = path.stem
    else:
        if source not in chorale_names():
            raise ConfigError(
                f"source: {source!r} is neither a score nor a chorale",
                hint=f"give a file that ends with {', '.join(SUFFIXES)}, or such as bwv66.6",
            )
        beside, stem = target, source
    goal = beside / f"{stem}.wav" if beside.is_dir() or not beside.suffix else beside
    format_of(goal)
    return [(source, str(goal))]


@io_task(task_run_name="render-{source}")
def render_file(source: str, destination: str, force: bool) -> dict[str, object]:
    """Play one score; one that fails is a row that says so, and the next one goes on.

    Args:
        source: a score, or the name of a chorale.
        destination: the audio file.
        force: write over a file that exists.

    Returns:
        `source`, `destination`, `result` (`written`, `exists` or `failed`), `seconds` of sound
        and `error`, None where there is none.
    """
    row: dict[str, object] = {
        "source": source,
        "destination": destination,
        "seconds": None,
        "error": None,
    }
    target = Path(destination)
    if target.exists() and not force:
        return {**row, "result": "exists"}
    try:
        with safe_stop():  # the encoder would lose the exception of a signal
            audio = play(*_performance(source))
            write_file(target, write(audio, format_of(target)), force=force)
    except MusicCoreError as error:
        return {**row, "result": "failed", "error": error.message}
    return {**row, "result": "written", "seconds": round(audio.seconds, 3)}


def _performance(source: str) -> tuple[tuple[Note, ...], float]:
    """Return notes, and the seconds of their unit of time."""
    path = Path(source).expanduser()
    if path.suffix.lower() in SUFFIXES:
        heard = [note for note in read_midi(path).sounding() if not note.is_drums and note.duration]
        if not heard:
            raise AudioError(f"MIDI file {source!r} holds no notes that can be played")
        return tuple(
            Note(onset=note.onset, duration=note.duration, pitch=note.pitch, part=note.part)
            for note in heard
        ), 1.0
    return read_chorale(source).notes, _CHORALE_QUARTER_SECONDS


def play(notes: tuple[Note, ...], unit_seconds: float) -> Audio:
    """Play notes on our own synthesiser.

    Args:
        notes: onsets and durations in some unit of time.
        unit_seconds: seconds of one unit.

    Returns:
        Mono audio at 44.1 kHz, at most an hour, that ends when the last note has rung.
    """
    end = max(note.onset + note.duration for note in notes) * unit_seconds + _RING_SECONDS
    performance = Performance(quarter_seconds=unit_seconds)
    samples = render(notes, performance, SAMPLE_RATE, seconds=min(end, _LONGEST_SECONDS))
    return limit_peak(Audio(samples=np.ascontiguousarray(samples[None]), sample_rate=SAMPLE_RATE))
