"""Steps that compose, and that train what composes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from musiccore.composer.baselines import bigram_nats, copy_nats
from musiccore.composer.corpus import CHORALES, Corpus, GridName, chorale_split, read_corpus
from musiccore.composer.options import ComposeOptions
from musiccore.composer.voice_leading import Copies, check
from musiccore.composer.voices import VoiceGrid
from musiccore.conversion import write_file
from musiccore.errors import ConfigError
from musiccore.scores.midi import SUFFIXES, write_midi
from musiccore.scores.score import AS_PLAYERS_DO, Reading, Score
from tasks.context import task_reporter
from tasks.policies import io_task
from tasks.rendering import open_score

if TYPE_CHECKING:
    from musiccore.composer.model import Composer
    from musiccore.composer.training import Evaluation, TrainingOptions

MAX_COUNT = 100
_N_SAMPLES, _SAMPLE_QUARTERS = 50, 56
_LARGEST_SEED = (1 << 32) - 1


def targets(out: str, seed: int, count: int) -> list[Path]:
    """Return a MIDI file for each piece.

    Args:
        out: a file, a folder, or empty for here; of several pieces each file gets its seed.
        seed: of the first piece; the next ones count on.
        count: pieces.

    Raises:
        ConfigError: if the count is out of range or the file is no MIDI file.
    """
    if not 1 <= count <= MAX_COUNT:
        raise ConfigError(f"count: it is {count}, want 1 to {MAX_COUNT}")
    if not 0 <= seed <= _LARGEST_SEED - count + 1:
        raise ConfigError(f"seed: it is {seed}, want 0 to {_LARGEST_SEED - count + 1}")
    path = Path(out or ".").expanduser()
    seeds = range(seed, seed + count)
    if path.is_dir() or not path.suffix:
        return [path / f"chorale-{n}.mid" for n in seeds]
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"out: {out!r} is no MIDI file", hint="end its name with .mid, or give a folder"
        )
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{n}{path.suffix}") for n in seeds]


def given_score(source: str, reading: Reading = AS_PLAYERS_DO) -> Score | None:
    """Read a score to continue or to harmonise; None if nothing is given."""
    return open_score(source, reading)[0] if source else None


@io_task(task_run_name="compose-{destination}")
def compose_file(options: ComposeOptions, destination: str, force: bool) -> dict[str, object]:
    """Compose one piece and write it as a MIDI file.

    Args:
        options: what to make.
        destination: the MIDI file.
        force: write over a file that exists.

    Returns:
        `file`, `seed`, `key`, `seconds`, `notes`, `cadence` and `sha256` of the file.

    Raises:
        ConfigError: if the file exists, or the request does not fit.
    """
    from musiccore.composer.compose import compose_piece
    from musiccore.composer.to_score import provenance_of

    _one_thread()
    target = Path(destination)
    if target.exists() and not force:
        raise ConfigError(f"out: {destination!r} exists", hint="use {force} to write over it")
    score = compose_piece(options)
    data = write_midi(score)
    write_file(target, data, force=force)
    facts = provenance_of(score) or {}
    return {
        "file": destination,
        "seed": options.seed,
        "key": facts.get("key"),
        "seconds": round(score.seconds, 3),
        "notes": score.n_notes,
        "cadence": facts.get("cadence"),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


@io_task(task_run_name="train-{source}")
def train_composer(
    source: str,
    out: str,
    options: TrainingOptions,
    grid: GridName = "1/16",
    n_voices: int = 4,
    test: bool = False,
    report: Callable[[str], None] | None = None,
    reading: Reading = AS_PLAYERS_DO,
) -> dict[str, object]:
    """Train a model of voices; what an earlier call did is not done again.

    Args:
        source: `chorales`, or a folder of MIDI files.
        out: folder of the model.
        options: how to train.
        grid: length of a step.
        n_voices: voices.
        test: judge the kept weights by the test chorales as well, and by what they draw.
        report: told a line now and then; None for Prefect's log.
        reading: how the files of a folder are read.

    Returns:
        Figures of the model and of what it must beat, in nats per note, and one row per file.

    Raises:
        ConfigError: if the data or the folder does not fit.
    """
    from musiccore.composer.train import train
    from musiccore.composer.weights import load_model

    if test and source != CHORALES:
        raise ConfigError("test: only the chorales have a test part", hint="leave it out")
    _one_thread()
    say = report or task_reporter().say
    corpus = read_corpus(source, grid, n_voices, reading)
    say(_summary(corpus))
    trained = train(corpus.train, corpus.valid, Path(out), options, lambda event: say(_line(event)))
    known = [piece.pitches for piece in corpus.train]
    judged = [piece.pitches for piece in corpus.valid]
    result: dict[str, object] = {
        "model": out,
        "stopped": trained.stopped,
        **asdict(trained.best),
        "cpu_minutes_in_all": trained.curve[-1].cpu_minutes,
        "copy": round(copy_nats(known, judged), 4),
        "bigram": round(bigram_nats(known, judged), 4),
        "rows": [asdict(row) for row in corpus.rows],
    }
    if test:
        model, _ = load_model(Path(out))
        result["test"] = test_figures(model, corpus, chorale_split("test", grid))
    return result


def test_figures(model: Composer, corpus: Corpus, pieces: Sequence[VoiceGrid]) -> dict[str, object]:
    """Judge a model by pieces that decided nothing, and count faults in what it draws.

    Args:
        model: any model.
        corpus: what it was trained on.
        pieces: of the test part.

    Returns:
        Nats per note and per step, those of repetition and of pairs of notes, and the checks of
        the test pieces, of plain draws and of draws as `compose` makes them.
    """
    from musiccore.composer.likelihood import judge
    from musiccore.composer.sampler import Drawing, Rules

    known = [piece.pitches for piece in corpus.train]
    heard = [piece.pitches for piece in pieces]
    nats, beat = judge(model, pieces), model.config.steps_per_quarter
    seeds = [(0, n) for n in range(_N_SAMPLES)]
    plain = Drawing(model, seeds, _SAMPLE_QUARTERS * beat, Rules()).run()
    asked = ComposeOptions()
    rules = Rules(
        temperature=asked.temperature, top_p=asked.top_p, parallels=asked.parallels, rests=False
    )
    ruled = Drawing(model, seeds, _SAMPLE_QUARTERS * beat, rules).run()
    copies = Copies(known)
    longest = sorted(copies.longest(grid) for grid in ruled.pitches)
    return {
        "nats": round(nats, 4),
        "nats_per_step": round(nats * model.config.n_voices, 4),
        "copy": round(copy_nats(known, heard), 4),
        "bigram": round(bigram_nats(known, heard), 4),
        "checks": asdict(check(heard, beat)),
        "plain_draws": asdict(check(list(plain.pitches), beat)),
        "ruled_draws": asdict(check(list(ruled.pitches), beat)),
        "copied_steps_median": longest[len(longest) // 2],
        "copied_steps_95": longest[int(0.95 * len(longest))],
    }


def _line(event: Evaluation) -> str:
    return (
        f"step {event.step} of {event.steps}, {event.cpu_minutes:.1f} CPU minutes: "
        f"{event.train:.3f} nats a note in training, {event.valid:.4f} held out"
    )


def _summary(corpus: Corpus) -> str:
    skipped = sum(not row.used for row in corpus.rows)
    ending = f"; {skipped} files skipped" if skipped else ""
    return f"{len(corpus.train)} pieces to learn from, {len(corpus.valid)} held out{ending}"


def variants(options: ComposeOptions, count: int) -> list[ComposeOptions]:
    """Return the options of several pieces: the seed counts on."""
    return [replace(options, seed=options.seed + n) for n in range(count)]


def _one_thread() -> None:
    """Use one processor thread: small matrices run slower on two."""
    import torch

    torch.set_num_threads(1)
