"""Scores played into audio files, with tags that say how."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from musiccore.audio.sound import MAX_RATE, MIN_RATE
from musiccore.conversion import TARGETS, ConversionOptions, appearing, deliver, format_of
from musiccore.errors import AudioError, ConfigError, MissingProgram, MusicCoreError
from musiccore.scores.arrange import with_program, with_tempo
from musiccore.scores.notation import SCORE_SUFFIXES, chorale_names
from musiccore.scores.score import AS_PLAYERS_DO, Reading, Score
from musiccore.scores.score_files import open_score, stem_of
from musiccore.storage.atomic import check_target
from musiccore.synth.player import LOUDNESS, Engine, Player, check_effects
from musiccore.synth.programs import program_of
from musiccore.tags import tag_file
from musiccore.tags.software import software
from musiccore.work.stop import SafeStop

SAMPLE_RATE = 44_100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How scores are played.

    Attributes:
        engine: `auto`, `own` or `fluidsynth`.
        soundfont: path of a sound font; empty for one that is found.
        library: path of FluidSynth's library; empty for the one that is found.
        sample_rate: Hz.
        loudness: LUFS; None keeps the level of the instruments.
        transpose: semitones.
        tempo_scale: 2 plays twice as fast.
        program: number or name of one instrument for all parts; empty plays those of the score.
        reverb: the sound of a room, with FluidSynth.
        chorus: several players instead of one, with FluidSynth.
        reading: how scores of other people are read.

    Raises:
        ConfigError: if one of them is wrong.
    """

    engine: Engine = "auto"
    soundfont: str = ""
    library: str = ""
    sample_rate: int = SAMPLE_RATE
    loudness: float | None = LOUDNESS
    transpose: int = 0
    tempo_scale: float = 1.0
    program: str = ""
    reverb: bool = False
    chorus: bool = False
    reading: Reading = AS_PLAYERS_DO

    def __post_init__(self) -> None:
        if self.engine not in get_args(Engine):
            raise ConfigError(
                f"engine: {self.engine!r} is unknown", hint="use auto, own or fluidsynth"
            )
        check_effects(self.engine, reverb=self.reverb, chorus=self.chorus)
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise ConfigError(
                f"sample_rate is {self.sample_rate}; it must be {MIN_RATE} to {MAX_RATE} Hz"
            )
        if self.loudness is not None and not -70.0 <= self.loudness <= -1.0:
            raise ConfigError(f"loudness is {self.loudness:g}; it must be -70 to -1 LUFS")
        if abs(self.transpose) > 127:
            raise ConfigError(f"transpose is {self.transpose}; it must be -127 to 127 semitones")
        if self.program:
            program_of(self.program)
        with_tempo(Score(ticks_per_quarter=1, parts=()), self.tempo_scale)

    def on(self, *, library: str, soundfont: str) -> Rendering:
        """Return it with what a machine plays on, where nothing else is named.

        Args:
            library: path of FluidSynth's library.
            soundfont: path of a sound font.
        """
        return replace(self, library=self.library or library, soundfont=self.soundfont or soundfont)

    def player(self) -> Player:
        """Find what plays.

        Raises:
            ConfigError: if a path that was given is wrong.
            MissingProgram: if `fluidsynth` was asked for and something is missing.
        """
        return Player.find(
            self.engine,
            library=self.library,
            soundfont=self.soundfont,
            reverb=self.reverb,
            chorus=self.chorus,
        )

    def arranged(self, score: Score) -> Score:
        """Return a score as it is to be played.

        Raises:
            ConfigError: if a note or a tempo would leave its range.
        """
        score = with_tempo(score.transposed(self.transpose), self.tempo_scale)
        return with_program(score, program_of(self.program)) if self.program else score


Cause = Literal["request", "score", "program", "output"]
"""What a failure is about: the options, the score, a missing program, the file to write."""


def plan_rendering(source: str, destination: str, kind: str = "wav") -> list[tuple[str, str]]:
    """List the scores to play, and where each goes.

    Args:
        source: a score, a folder with everything below it, or the name of a chorale.
        destination: a file or a folder; empty is beside the score, or here for a chorale.
        kind: format where no file is named.

    Returns:
        Pairs of score and audio file.

    Raises:
        ConfigError: if there is nothing to play, or the destination names no audio format.
    """
    path, target = Path(source).expanduser(), Path(destination or ".").expanduser()
    if kind not in TARGETS:
        raise ConfigError(f"to: {kind!r} is unknown", hint=f"use one of {', '.join(TARGETS)}")
    if path.is_dir():
        return _scores_below(path, target if destination else path, kind)
    if path.suffix.lower() in SCORE_SUFFIXES:
        if not path.is_file():
            raise ConfigError(f"source: {source!r} does not exist", hint="check the path")
        beside = path.parent if not destination else target
        stem = path.stem
    else:
        if source not in chorale_names():
            raise ConfigError(
                f"source: {source!r} is neither a score nor a chorale",
                hint=f"give a file that ends with {', '.join(SCORE_SUFFIXES)}, or such as bwv66.6",
            )
        beside, stem = target, source
    is_folder = beside.is_dir() or not beside.suffix
    goal = beside / f"{stem}.{kind}" if is_folder else beside
    format_of(goal)
    return [(source, str(goal))]


def _scores_below(folder: Path, root: Path, kind: str) -> list[tuple[str, str]]:
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SCORE_SUFFIXES and path.is_file()
    ]
    if not found:
        raise ConfigError(
            f"source: no score is in {str(folder)!r}",
            hint=f"files that end with {', '.join(SCORE_SUFFIXES)} are scores",
        )
    pairs: list[tuple[str, str]] = []
    taken: set[Path] = set()
    for path in found:
        goal = root / path.relative_to(folder).with_suffix(f".{kind}")
        if goal in taken:  # song.mid and song.abc both want song.wav
            goal = goal.with_name(f"{path.name}.{kind}")
        taken.add(goal)
        pairs.append((str(path), str(goal)))
    return pairs


def render_file(
    source: str,
    destination: str,
    rendering: Rendering,
    *,
    force: bool,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, object]:
    """Play one score; one that fails is a row that says so, and the next one goes on.

    Args:
        source: a score, or the name of a chorale.
        destination: the audio file.
        rendering: how it is played.
        force: write over a file that exists.
        say: told that a signal was heard.

    Returns:
        `source`, `destination`, `result` (`written`, `exists` or `failed`), `seconds` of sound,
        `engine`, `notes` (what the format changed), `error` and its `cause`, None where there is
        none.
    """
    row: dict[str, object] = {
        "source": source,
        "destination": destination,
        "seconds": None,
        "engine": None,
        "notes": "",
        "error": None,
        "cause": None,
    }
    target = Path(destination)
    if target.exists() and not force:
        return {**row, "result": "exists"}
    try:
        with SafeStop(say):  # the encoder would lose the exception of a signal
            made = render_to(source, target, rendering, force=force)
    except MusicCoreError as error:
        return {**row, "result": "failed", "error": error.message, "cause": _cause(error)}
    return {**row, "result": "written", **made}


def _cause(error: MusicCoreError) -> Cause:
    if isinstance(error, Unplayable):
        return "score"
    if isinstance(error, MissingProgram):
        return "program"
    return "request" if isinstance(error, ConfigError) else "output"


class Unplayable(AudioError):
    """A score cannot be read, or nothing of it sounds."""


def render_to(source: str, target: Path, rendering: Rendering, *, force: bool) -> dict[str, object]:
    """Play one score into a file with its tags.

    Returns:
        `seconds`, `engine` and `notes`.

    Raises:
        ConfigError: if the file exists, or the options do not fit the score.
        Unplayable: if the score cannot be read, or nothing sounds.
        AudioError: if the file cannot be written.
        MissingProgram: if FluidSynth or an encoder is missing.
    """
    check_target(target, (Path(source),), force=force)
    player = rendering.player()
    try:
        score, digest = open_score(source, rendering.reading)
        performance = player.performance(
            rendering.arranged(score),
            sample_rate=rendering.sample_rate,
            loudness=rendering.loudness,
        )
    except AudioError as error:
        raise Unplayable(error.message, hint=error.marked_hint) from error
    kind = format_of(target)
    bits = "24" if "24" in TARGETS[kind].subtypes else None
    described = player.describe()
    with appearing(target, force=force) as aside:
        options = ConversionOptions(kind=kind, bits=bits, dither=False)
        made = deliver(performance, aside, options, force=True)
        notes = [*score.warnings, *made.changes, *made.warnings]
        tags = _tags(source, score, digest, rendering, described)
        try:
            tag_file(aside, tags)
        except AudioError:  # a format without tags that we know
            beside = aside.with_name(f"{aside.name}.json")
            beside.write_text(json.dumps(tags, ensure_ascii=False) + "\n", encoding="utf-8")
            notes.append(f"{target.name} cannot hold tags; they are in {beside.name}")
    return {
        "seconds": round(made.seconds, 3),
        "engine": described["engine"],
        "notes": "; ".join(notes),
    }


def _tags(
    source: str,
    score: Score,
    digest: str,
    rendering: Rendering,
    described: dict[str, object],
) -> dict[str, object]:
    options = asdict(rendering)
    del options["soundfont"], options["library"], options["reading"]
    return {
        "title": score.name or stem_of(source),
        "software": software(),
        "kind": "rendering",
        "score": Path(source).name,
        "score_sha256": digest,
        **described,
        "options": options,
    }
