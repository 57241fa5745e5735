"""Steps that write the melody of a recording, or of a run, as MIDI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from musiccore.audio.sound import Audio
from musiccore.conversion import SUFFIXES, write_file
from musiccore.conversion.hearing import heard_all
from musiccore.conversion.memory import read
from musiccore.errors import ConfigError
from musiccore.runs.snapshot import Picture
from musiccore.scores.midi import write_midi
from musiccore.scores.score import Score
from musiccore.scores.transcribe import transcribe
from musiccore.storage.store import Store, validate_run_id
from musiccore.synth.programs import program_of
from tasks.context import shared_store
from tasks.policies import io_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcription:
    """What was written down.

    Attributes:
        score: one part.
        seconds: length of the recording.
        name: of the recording: its stem, or run and take.
        warnings: what was odd about it, or is missing.
    """

    score: Score
    seconds: float
    name: str
    warnings: tuple[str, ...] = ()


@io_task(task_run_name="transcribe-{source}")
def transcribe_source(
    source: str, take: int | None = None, program: str = "0", strict: bool = False
) -> Transcription:
    """Write down the melody of a recording or of a run.

    Args:
        source: an audio file, or the name of a run.
        take: of the run; None is its finished song.
        program: number or name of the instrument of the result.
        strict: refuse a recording that is damaged or ends early.

    Raises:
        ConfigError: if there is neither such a file nor such a run, or nothing of it can be heard.
        AudioError: if the recording cannot be read.
    """
    wanted = program_of(program)
    path = Path(source).expanduser()
    if path.is_file() or path.suffix.lower().removeprefix(".") in SUFFIXES:
        if take is not None:
            raise ConfigError("take: a file has no takes", hint="leave it out, or name a run")
        audio, warnings = heard_all(path, strict=strict)
        name = path.stem
    else:
        (audio, name), warnings = run_audio(shared_store(), source, take), ()
    score = transcribe(audio, program=wanted)
    return Transcription(score=score, seconds=audio.seconds, name=name, warnings=warnings)


@io_task(task_run_name="write-{destination}")
def write_transcription(found: Transcription, destination: str, force: bool) -> str:
    """Write a MIDI file.

    Args:
        found: what was written down.
        destination: a file or a folder; empty is a file of this folder with the source's name.
        force: write over a file that exists.

    Returns:
        Its path.

    Raises:
        ConfigError: if it exists.
        AudioError: if it cannot be written.
    """
    target = Path(destination or ".").expanduser()
    if target.is_dir():
        target = target / f"{found.name}.mid"
    write_file(target, write_midi(found.score), force=force)
    return str(target)


def run_audio(store: Store, run: str, take: int | None) -> tuple[Audio, str]:
    """Return what a run sounds like.

    Args:
        store: the store's root.
        run: its name.
        take: number of a take that people can hear; None is the finished song.

    Returns:
        The audio, and a name for it.

    Raises:
        ConfigError: if there is no such run or take, or it cannot be heard yet.
    """
    picture = Picture.of(store, validate_run_id(run))
    if take is None:
        if picture.status.master is None:
            raise ConfigError(
                f"source: run {run!r} has no finished song yet",
                hint="name a take with --take, or finish it with `jukeflow resume`",
            )
        song = picture.tree.current_song
        assert song is not None
        assert song.exported is not None
        file, name = song.exported.fields.get("master"), run
    else:
        heard = [
            one.published[take] for one in picture.tree.rounds.values() if take in one.published
        ]
        if not heard:
            known = sorted({n for one in picture.tree.rounds.values() for n in one.published})
            finished = picture.status.master is not None
            raise ConfigError(
                f"take: {take} of run {run!r} cannot be heard",
                hint=f"takes that can: {', '.join(map(str, known)) or 'none'}"
                + ("; without a take, the finished song" if finished else ""),
            )
        file, name = heard[-1].fields.get("file"), f"{run}-take{take}"
    if not isinstance(file, dict):
        raise ConfigError(f"source: run {run!r} keeps no audio of that")
    return read(picture.journal.store.get(str(file["path"]))), name
