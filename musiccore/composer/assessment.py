"""A training of the composer from its data to its figures: what it learned, and what it draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from musiccore.composer import sizes as config
from musiccore.composer.baselines import bigram_nats, copy_nats
from musiccore.composer.compose_options import ComposeOptions
from musiccore.composer.corpus import CHORALES, Corpus, GridName, chorale_split, read_corpus
from musiccore.composer.drawing import Drawing, Rules
from musiccore.composer.judgement import judge
from musiccore.composer.network import Composer
from musiccore.composer.schedule import Evaluation, TrainingOptions
from musiccore.composer.train import train
from musiccore.composer.voice_leading import Copies, check
from musiccore.composer.voices import VoiceGrid
from musiccore.composer.weights import load_model
from musiccore.errors import ConfigError
from musiccore.scores.score import AS_PLAYERS_DO, Reading

_N_SAMPLES, _SAMPLE_QUARTERS = 50, 56


def train_composer(
    source: str,
    out: str,
    options: TrainingOptions,
    grid: GridName = "1/16",
    n_voices: int = 4,
    test: bool = False,
    reading: Reading = AS_PLAYERS_DO,
    *,
    say: Callable[[str], None],
) -> dict[str, object]:
    """Train a model of voices; what an earlier call did is not done again.

    Args:
        source: `chorales`, or a folder of MIDI files.
        out: folder of the model.
        options: how to train.
        grid: length of a step.
        n_voices: voices.
        test: judge the kept weights by the test chorales as well, and by what they draw.
        reading: how the files of a folder are read.
        say: told a line now and then.

    Returns:
        Figures of the model and of what it must beat, in nats per note, and one row per file.

    Raises:
        ConfigError: if the data or the folder does not fit.
    """
    if test and source != CHORALES:
        raise ConfigError("test: only the chorales have a test part", hint="leave it out")
    config.one_thread()
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
