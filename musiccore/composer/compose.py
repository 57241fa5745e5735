"""Whole pieces: composed freely, continued, or harmonised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from musiccore.composer.cadences import DrawnEnding, best_ending, key_of, triad
from musiccore.composer.compose_options import (
    BEATS,
    DEFAULT_TEMPO,
    MAX_BARS,
    ComposeOptions,
)
from musiccore.composer.drawing import Drawing, Drawn, Rules
from musiccore.composer.harmonise import harmonise
from musiccore.composer.network import Composer
from musiccore.composer.to_score import (
    TICKS_PER_QUARTER,
    slowed_quarters,
    struck_of,
    tempo_map,
    to_score,
)
from musiccore.composer.voices import VoiceGrid, fold
from musiccore.composer.weights import load_model
from musiccore.errors import ConfigError
from musiccore.scores.key import Key, key_named, parse_key
from musiccore.scores.score import Score, ScoreNote, Tempo
from musiccore.tags.software import software

N_PIECES = 12
"""Pieces drawn side by side, of which one is kept."""

N_ROUNDS = 3
_FINAL_QUARTERS = 2
_SLACK_BARS = 2
_TEMPO_FREEDOM = 0.12
_DEFAULT_SECONDS = 30.0
_COMMON_TONICS = (0, 2, 3, 4, 5, 7, 9, 10)
_SOPRANO = 69
_FERMATA = 0.5
_SEED_OF_KEY, _SEED_OF_NOTES = 101, 102


@dataclass(frozen=True, slots=True, kw_only=True)
class _Composition:
    """What all ways to make a piece share."""

    model: Composer
    digest: str
    options: ComposeOptions

    @property
    def beat(self) -> int:
        return self.model.config.steps_per_quarter

    @property
    def rules(self) -> Rules:
        options = self.options
        return Rules(
            temperature=options.temperature,
            top_p=options.top_p,
            parallels=options.parallels,
            rests=False,
        )


def compose_piece(options: ComposeOptions) -> Score:
    """Make the piece that is asked for.

    Args:
        options: what to make.

    Returns:
        A score whose text says how it was made.

    Raises:
        ConfigError: if a given score does not fit.
        CheckpointError: if the model cannot be read.
    """
    model, digest = load_model(options.model)
    work = _Composition(model=model, digest=digest, options=options)
    if options.harmonised is not None:
        return _harmonised(work, options.harmonised)
    if options.continued is not None:
        return _continued(work, options.continued)
    return _free(work)


def _free(work: _Composition) -> Score:
    options, voices = work.options, work.model.config.n_voices
    key = _key(options)
    first = triad(key) if voices > 2 else ()
    wanted = _wanted_steps(work, options.tempo or DEFAULT_TEMPO)
    drawn, ending = _search(work, key, wanted, replace(work.rules, first=first), None)
    grid = _finished(
        work,
        drawn,
        ending,
        VoiceGrid(
            name="",
            pitches=np.zeros((0, voices), np.int16),
            struck=np.zeros((0, voices), bool),
            steps_per_quarter=work.beat,
        ),
    )
    grid = replace(grid, name=options.title or f"Chorale in {key}, {options.seed}")
    tempos = _tempos(work, len(grid.pitches), options.tempo, options.seconds)
    return _score(work, grid, key, tempos, {"cadence": ending.is_cadence})


def _continued(work: _Composition, source: Score) -> Score:
    options, config = work.options, work.model.config
    _no_key(options, "continue")
    given, how = fold(source, config.n_voices, config.steps_per_quarter, source.name)
    if len(given.pitches) > MAX_BARS * BEATS * work.beat:
        raise ConfigError(
            f"continue: the music has {len(given.pitches) // (BEATS * work.beat)} bars",
            hint=f"give at most {MAX_BARS}",
        )
    tonic, mode = key_of(given.pitches)
    key = key_named(tonic, "minor" if mode == "minor" else "major")
    tempo = options.tempo or _tempo_of(source)
    wanted = len(given.pitches) + _wanted_steps(work, tempo)
    drawn, ending = _search(work, key, wanted, work.rules, given)
    grid = _finished(work, drawn, ending, given)
    grid = replace(grid, name=options.title or f"{source.name or 'Music'}, continued")
    tempos = _tempos(work, len(grid.pitches), tempo, None)
    facts = {"cadence": ending.is_cadence, "continued": how}
    return _score(work, grid, key, tempos, facts)


def _harmonised(work: _Composition, source: Score) -> Score:
    options, config = work.options, work.model.config
    if config.n_voices < 2:
        raise ConfigError(
            "harmonise: the model has one voice", hint="use a model with two voices or more"
        )
    _no_key(options, "harmonise")
    given, how = fold(source, 1, config.steps_per_quarter, source.name)
    if len(given.pitches) > MAX_BARS * BEATS * work.beat:
        raise ConfigError(
            f"harmonise: the melody has {len(given.pitches) // (BEATS * work.beat)} bars",
            hint=f"give at most {MAX_BARS}",
        )
    melody = given.pitches[:, 0]
    tonic, mode = key_of(given.pitches)
    key = key_named(tonic, "minor" if mode == "minor" else "major")
    # The model sings where sopranos do; the other voices move back with it.
    shift = 12 * round((_SOPRANO - float(np.median(melody[melody > 0]))) / 12)
    sung = np.where(melody > 0, melody + shift, 0).astype(np.int16)
    drawn = harmonise(work.model, sung, key, options.seed, work.rules)
    pitches = drawn.pitches[0].copy()
    pitches = np.where(pitches > 0, pitches - shift, 0).astype(np.int16)
    if pitches.max() > 127 or (pitches[pitches != 0] < 1).any():
        raise ConfigError("harmonise: the melody is too low or too high for other voices")
    pitches[:, 0] = melody
    struck = drawn.struck[0].copy()
    struck[:, 0] = given.struck[:, 0]
    grid = replace(
        given,
        name=options.title or f"{source.name or 'Melody'}, harmonised",
        pitches=pitches,
        struck=struck,
        fermata=drawn.fermata[0] > _FERMATA,
    )
    tempo = options.tempo or _tempo_of(source)
    tempos: tuple[Tempo, ...] = (Tempo(tick=0, microseconds=round(6e7 / tempo)),)
    if options.tempo is None and source.tempos and (moved := _moved_tempos(source, work.beat)):
        tempos = moved
    notes = _verbatim(source, work.beat) if how.startswith("1 parts as") else None
    return _score(work, grid, key, tempos, {"harmonised": how}, notes)


def _search(
    work: _Composition, key: Key, wanted: int, rules: Rules, given: VoiceGrid | None
) -> tuple[Drawn, DrawnEnding]:
    """Draw pieces until one of them ends well near the wanted number of steps."""
    beat = work.beat
    final = _FINAL_QUARTERS * beat
    start = wanted - final
    before = len(given.pitches) if given is not None else 0
    slack = min(_SLACK_BARS * BEATS * beat, (wanted - before) // 4)
    earliest, latest = max(start - slack, before + beat, 2 * beat), start + slack
    start = max(start, earliest)
    fixed = None if given is None else given.pitches
    best: tuple[Drawn, DrawnEnding] | None = None
    for attempt in range(N_ROUNDS):
        seeds = [(work.options.seed, _SEED_OF_NOTES, attempt, n) for n in range(N_PIECES)]
        drawn = Drawing(work.model, seeds, latest + beat, rules, fixed).run()
        ending = best_ending(drawn, key, earliest=earliest, wanted=start, latest=latest, beat=beat)
        if best is None or ending.cost < best[1].cost:
            best = drawn, ending
        if best[1].is_cadence:
            break
    assert best is not None
    return best


def _finished(work: _Composition, drawn: Drawn, ending: DrawnEnding, given: VoiceGrid) -> VoiceGrid:
    """Cut a piece after its final chord, which is held, and find its bar lines."""
    beat, piece, known = work.beat, ending.piece, len(given.pitches)
    chord = drawn.pitches[piece, ending.step]
    held = np.tile(chord, (_FINAL_QUARTERS * beat, 1))
    pitches = np.concatenate([drawn.pitches[piece, : ending.step], held])
    struck = np.zeros_like(pitches, dtype=bool)
    struck[: ending.step + 1] = drawn.struck[piece, : ending.step + 1]
    struck |= struck_of(pitches)
    struck[ending.step] = True
    struck[:known] = given.struck
    fermata = np.zeros(len(pitches), bool)
    fermata[: ending.step] = drawn.fermata[piece, : ending.step] > _FERMATA
    fermata[ending.step :] = True
    if given.fermata is not None:
        fermata[:known] = given.fermata
    # A final chord begins on a strong beat: otherwise the piece began with an upbeat.
    strong = 2 * beat
    return replace(
        given,
        pitches=pitches,
        struck=struck,
        fermata=fermata,
        upbeat=given.upbeat if known else ending.step % strong // beat * beat,
    )


def _score(
    work: _Composition,
    grid: VoiceGrid,
    key: Key,
    tempos: tuple[Tempo, ...],
    facts: dict[str, object],
    melody: tuple[ScoreNote, ...] | None = None,
) -> Score:
    options = work.options
    provenance: dict[str, object] = {
        "program": software(),
        "model": work.digest,
        "seed": options.seed,
        "key": str(key),
        "options": {
            "seconds": options.seconds,
            "bars": options.bars,
            "key": options.key,
            "mode": options.mode,
            "tempo": options.tempo,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "parallels": options.parallels,
            "instruments": options.instruments,
        },
        **facts,
    }
    return to_score(grid, key, tempos, options.instruments, options.seed, provenance, melody)


def _key(options: ComposeOptions) -> Key:
    tonic, mode, name = parse_key(options.key, options.mode)
    draw = np.random.default_rng((options.seed, _SEED_OF_KEY))
    drawn_tonic, drawn_mode = int(draw.choice(_COMMON_TONICS)), draw.random() < 0.4
    if mode is None:
        mode = "minor" if drawn_mode else "major"
    if tonic is None:
        return key_named(drawn_tonic, mode)
    return Key(tonic=tonic, mode=mode, name=name)


def _no_key(options: ComposeOptions, name: str) -> None:
    if options.key or options.mode:
        raise ConfigError(f"key: the music of {name} says its key", hint="leave out key and mode")


def _wanted_steps(work: _Composition, tempo: float) -> int:
    """Return how many steps to add."""
    options, beat = work.options, work.beat
    if options.bars is not None:
        return options.bars * BEATS * beat
    seconds = options.seconds or _DEFAULT_SECONDS
    quarters = seconds * tempo / 60
    extra = slowed_quarters(quarters, _FINAL_QUARTERS) - quarters
    return max(round(quarters - extra), 2 * _FINAL_QUARTERS) * beat


def _tempos(
    work: _Composition, n_steps: int, tempo: float | None, seconds: float | None
) -> tuple[Tempo, ...]:
    """Return the tempo map; a free tempo bends a little so that the seconds are met."""
    quarters = n_steps / work.beat
    if tempo is None:
        tempo = DEFAULT_TEMPO
        if seconds is not None:
            needed = slowed_quarters(quarters, _FINAL_QUARTERS) * 60 / seconds
            freedom = _TEMPO_FREEDOM * DEFAULT_TEMPO
            tempo = min(max(needed, DEFAULT_TEMPO - freedom), DEFAULT_TEMPO + freedom)
    return tempo_map(quarters, _FINAL_QUARTERS, tempo)


def _tempo_of(score: Score) -> float:
    """Return the first tempo of a score in quarter notes a minute, 30 to 240."""
    tempo = 6e7 / score.tempos[0].microseconds if score.tempos else DEFAULT_TEMPO
    return min(max(tempo, 30.0), 240.0)


def _first_step(score: Score, beat: int) -> int:
    step = score.ticks_per_quarter / beat
    starts = [note.start for part in score.parts if not part.is_drums for note in part.notes]
    return round(min(starts) / step)


def _verbatim(score: Score, beat: int) -> tuple[ScoreNote, ...]:
    """Return the notes of a one-part melody in our ticks, from its first note on."""
    before = _first_step(score, beat) * score.ticks_per_quarter / beat
    scale = TICKS_PER_QUARTER / score.ticks_per_quarter
    part = next(part for part in score.parts if part.notes and not part.is_drums)
    notes = []
    for note in part.notes:
        start = max(round((note.start - before) * scale), 0)
        duration = max(round(note.duration * scale), 1)
        notes.append(replace(note, start=start, duration=duration))
    return tuple(notes)


def _moved_tempos(score: Score, beat: int) -> tuple[Tempo, ...]:
    """Return the tempo map of a score in our ticks, from its first note on."""
    before = _first_step(score, beat) * score.ticks_per_quarter / beat
    scale = TICKS_PER_QUARTER / score.ticks_per_quarter
    moved: dict[int, Tempo] = {}
    for tempo in score.tempos:
        tick = max(round((tempo.tick - before) * scale), 0)
        moved[tick] = replace(tempo, tick=tick)  # of those before the music, the last is in force
    return tuple(moved[tick] for tick in sorted(moved))
