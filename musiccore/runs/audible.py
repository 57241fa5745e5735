"""What can be heard: a recording, or a run, and its melody written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from musiccore.audio.sound import Audio
from musiccore.conversion import SUFFIXES
from musiccore.conversion.hearing import heard_all
from musiccore.conversion.memory import read
from musiccore.errors import ConfigError
from musiccore.runs.snapshot import Picture
from musiccore.scores.transcribe import Transcription, transcribe
from musiccore.storage.run_ids import validate_run_id
from musiccore.storage.store import Store
from musiccore.synth.programs import program_of


def transcribe_source(
    store: Callable[[], Store],
    source: str,
    take: int | None = None,
    program: str = "0",
    *,
    strict: bool = False,
) -> Transcription:
    """Write down the melody of a recording or of a run.

    Args:
        store: opens the store that a run lies in.
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
        (audio, name), warnings = run_audio(store(), source, take), ()
    score = transcribe(audio, program=wanted)
    return Transcription(score=score, seconds=audio.seconds, name=name, warnings=warnings)


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
