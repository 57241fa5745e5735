"""The recurrent model: an honest likelihood, drawing, whole pieces, training."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from musiccore.composer import ComposeOptions, compose
from musiccore.composer.baselines import bigram_nats, copy_nats
from musiccore.composer.batches import make_batch, make_example
from musiccore.composer.chorales import names_of, read_voices
from musiccore.composer.drawing import Drawing, Rules
from musiccore.composer.judgement import judge
from musiccore.composer.network import Composer
from musiccore.composer.sizes import ComposerConfig
from musiccore.composer.to_score import provenance_of
from musiccore.composer.voice_leading import Copies, check
from musiccore.composer.voices import VoiceGrid, fold
from musiccore.composer.weights import CARD, SHIPPED, WEIGHTS, load_model, save_model
from musiccore.errors import CheckpointError, ConfigError
from musiccore.scores.key import Key, parse_key
from musiccore.scores.midi import write_midi
from musiccore.scores.score import Part, Score, ScoreNote, Tempo

CARD_FIGURES = json.loads((SHIPPED / CARD).read_text())["figures"]


@pytest.fixture(scope="module")
def small() -> Composer:
    """A model with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Composer(ComposerConfig(width=24, head_width=24)).eval()


@pytest.fixture(scope="module")
def shipped() -> Composer:
    return load_model()[0]


def walk(seed: int, n_steps: int = 48, n_voices: int = 4) -> VoiceGrid:
    """Voices that move a step up or down now and then."""
    draw = np.random.default_rng(seed)
    moves = draw.integers(-2, 3, (n_steps, n_voices)) * (draw.random((n_steps, n_voices)) < 0.3)
    start = np.array([70, 64, 58, 50])[:n_voices]
    pitches = (start + moves.cumsum(0).clip(-6, 6)).astype(np.int16)
    struck = np.diff(pitches, axis=0, prepend=0) != 0
    return VoiceGrid(name=f"walk {seed}", pitches=pitches, struck=struck)


def nats_of(model: Composer, pitches: np.ndarray) -> np.ndarray:
    batch = make_batch([make_example("x", pitches)], model.config)
    with torch.no_grad():
        nats, _ = model.losses(batch.inputs, batch.codes, batch.counts)
    return nats.numpy()


# ------------------------------------------------------------------------------ the likelihood


def test_a_note_depends_on_no_later_one(small) -> None:
    pitches = walk(1).pitches
    before = nats_of(small, pitches)
    for step in (9, 20, 47):
        changed = pitches.copy()
        changed[step:] += 3
        after = nats_of(small, changed)
        assert (after[:step] == before[:step]).all()
        assert (after[step] != before[step]).any()


def test_a_voice_depends_only_on_those_drawn_before_it_in_its_step(small) -> None:
    pitches = walk(2).pitches
    before = nats_of(small, pitches)
    order = small.config.order
    assert order == (0, 3, 1, 2)
    for n, voice in enumerate(order):
        changed = pitches.copy()
        changed[-1, voice] += 4
        after = nats_of(small, changed)
        assert (after[-1, list(order[:n])] == before[-1, list(order[:n])]).all()


def test_chances_of_all_notes_add_up_to_one(small) -> None:
    pitches = walk(3, 6).pitches
    reference = int((pitches[0, 3] + 6) % 12 - 6)
    notes = [0, *(np.arange(small.config.low, small.config.high + 1) + reference)]
    for voice in range(4):
        grids = np.repeat(pitches[None], len(notes), 0)
        grids[:, -1, voice] = notes
        batch = make_batch([make_example("x", grid) for grid in grids], small.config)
        with torch.no_grad():
            nats, _ = small.losses(batch.inputs, batch.codes, batch.counts)
        last = nats.view(len(notes), len(pitches), 4)[:, -1, voice]
        assert float((-last).exp().sum()) == pytest.approx(1, abs=1e-4)


def test_transposed_music_is_as_likely_but_for_its_first_step(small) -> None:
    # The first bass note is what pitches are counted from; only the range is heard.
    pitches = walk(4).pitches
    moved = make_batch([make_example("x", pitches)] * 2, small.config, transpositions=[0, 2])
    assert (moved.codes[0, 1:] == moved.codes[1, 1:]).all()
    assert (moved.inputs.previous[0, 1:] == moved.inputs.previous[1, 1:]).all()


def test_drawn_notes_have_the_likelihood_that_the_model_gives_them(small) -> None:
    drawn = Drawing(small, [(5, 0), (5, 1)], 40, Rules()).run()
    for piece in range(2):
        expected = nats_of(small, drawn.pitches[piece])
        assert drawn.nats[piece] == pytest.approx(expected, abs=1e-4)


def test_a_piece_does_not_depend_on_its_neighbours(small) -> None:
    together = Drawing(small, [(6, n) for n in range(5)], 24, Rules()).run()
    alone = Drawing(small, [(6, 3)], 24, Rules()).run()
    assert (together.pitches[3] == alone.pitches[0]).all()


def test_rule_against_parallels_leaves_none(small) -> None:
    seeds = [(7, n) for n in range(4)]
    free = Drawing(small, seeds, 32, Rules()).run()
    ruled = Drawing(small, seeds, 32, Rules(parallels=False)).run()
    assert check(list(free.pitches)).parallels > 0
    assert check(list(ruled.pitches)).parallels == 0


def test_shipped_weights_reach_the_figure_of_their_card(shipped) -> None:
    sample = CARD_FIGURES["sample"]
    pieces = [read_voices(name) for name in sample["pieces"]]
    assert judge(shipped, pieces) == pytest.approx(sample["nats"], abs=2e-3)


@pytest.mark.slow
def test_shipped_weights_reach_their_figures_on_whole_parts(shipped) -> None:
    for split in ("valid", "test"):
        pieces = [read_voices(name) for name in names_of(split)]
        assert judge(shipped, pieces) == pytest.approx(CARD_FIGURES[split], abs=1e-3)


def test_pairs_of_notes_beat_repetition_and_the_model_beats_both(shipped) -> None:
    known = [read_voices(name).pitches for name in names_of("train")[:24]]
    pieces = [read_voices(name) for name in CARD_FIGURES["sample"]["pieces"]]
    heard = [piece.pitches for piece in pieces]
    copied, pairs = copy_nats(known, heard), bigram_nats(known, heard)
    assert 0.9 < copied < 1.3
    assert judge(shipped, pieces) < pairs < copied


# ---------------------------------------------------------------------------------- the checks


def test_parallel_fifths_and_octaves_are_counted() -> None:
    fifths = np.array([[67, 60], [69, 62], [71, 64], [71, 65], [72, 60]], np.int16)
    assert check([fifths]).parallels == pytest.approx(2 / 3)
    octaves = np.array([[72, 60], [74, 62]], np.int16)
    assert check([octaves]).parallels == 1
    held = np.array([[72, 60], [72, 60]], np.int16)
    assert check([held]).parallels == 0


def test_crossed_voices_are_counted() -> None:
    grid = np.array([[60, 64], [67, 60], [60, 0], [67, 60]], np.int16)
    assert check([grid]).crossings == 0.25


def test_copies_are_found_in_any_key() -> None:
    known = walk(8, 96).pitches
    copies = Copies([walk(9, 96).pitches, known])
    assert copies.longest(known[20:60] + 5) >= 39
    assert copies.longest(walk(10, 96).pitches) < 30


# ----------------------------------------------------------------------------------- the pieces


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.whole)])
def test_piece_ends_on_its_tonic_and_near_the_seconds(seed) -> None:
    score = compose(ComposeOptions(seed=seed, seconds=14))
    assert 11 <= score.seconds <= 17
    facts = provenance_of(score)
    assert facts is not None
    assert facts["cadence"] is True
    tonic, mode, _ = parse_key(str(facts["key"]))
    last = [part.notes[-1] for part in score.parts]
    assert len({note.end for note in last}) == 1
    assert last[-1].pitch % 12 == tonic
    assert all(note.duration >= score.ticks_per_quarter for note in last)
    assert mode in ("major", "minor")


def test_same_seed_gives_the_same_bytes_and_another_one_does_not() -> None:
    first, again, other = (
        write_midi(compose(ComposeOptions(seed=seed, seconds=6))) for seed in (4, 4, 5)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("key", "mode", "tonic", "sharps"),
    [("Bb", "major", 10, -2), ("F# minor", None, 6, 3), ("E-", "minor", 3, -6)],
)
def test_key_that_is_asked_for_is_the_key(key, mode, tonic, sharps) -> None:
    score = compose(ComposeOptions(seed=6, bars=4, key=key, mode=mode))
    assert score.keys[0].sharps == sharps
    bass = score.parts[-1].notes
    assert bass[0].pitch % 12 == bass[-1].pitch % 12 == tonic


def test_score_has_tempo_names_instruments_and_no_flat_velocities() -> None:
    score = compose(ComposeOptions(seed=7, bars=4, tempo=100, instruments="strings"))
    assert score.tempos[0].microseconds == 600_000
    assert score.tempos[-1].microseconds > 600_000  # it slows down
    assert [part.name for part in score.parts] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert [part.program for part in score.parts] == [40, 40, 41, 42]
    assert score.meters[-1].numerator == 4
    velocities = [note.velocity for part in score.parts for note in part.notes]
    assert len(set(velocities)) > 8
    assert min(velocities) >= 30
    sung = [np.mean([note.velocity for note in part.notes]) for part in score.parts]
    assert sung[0] > sung[1]


def test_piece_says_how_it_was_made() -> None:
    options = ComposeOptions(seed=8, seconds=6)
    score = compose(options)
    facts = provenance_of(score)
    assert facts is not None
    assert str(facts["program"]).startswith("jukeflow ")
    assert facts["model"] == load_model()[1]
    assert facts["seed"] == 8
    made = dict(facts["options"])  # type: ignore[call-overload]
    assert compose(ComposeOptions(seed=8, **made)) == score


def melody(*notes: tuple[int, int, int], tempo: int = 700_000) -> Score:
    """Start and duration in ticks of 96 a quarter, and pitch."""
    return Score(
        ticks_per_quarter=96,
        parts=(
            Part(
                notes=tuple(
                    ScoreNote(start=start, duration=length, pitch=pitch, velocity=50 + n)
                    for n, (start, length, pitch) in enumerate(notes)
                ),
                name="Tune",
            ),
        ),
        tempos=(Tempo(tick=0, microseconds=tempo),),
        name="Tune",
    )


def test_harmonised_melody_is_kept_note_for_note() -> None:
    pitches = (67, 69, 71, 72, 71, 69, 69, 67)
    # The sixth note is late, the last but one is struck again.
    notes = [(n * 96 + (7 if n == 5 else 0), 80, pitch) for n, pitch in enumerate(pitches)]
    score = compose(ComposeOptions(seed=9, harmonised=melody(*notes)))
    kept = [(n.start, n.duration, n.pitch, n.velocity) for n in score.parts[0].notes]
    wanted = [(s * 5, d * 5, p, 50 + n) for n, (s, d, p) in enumerate(notes)]  # 480 a quarter
    assert kept == wanted
    assert [len(part.notes) > 3 for part in score.parts[1:]] == [True] * 3
    assert score.tempos[0].microseconds == 700_000
    assert score.parts[3].notes[-1].pitch % 12 == 7  # G major


def test_melody_of_a_man_is_harmonised_where_it_lies() -> None:
    low = [(n * 96, 96, pitch - 24) for n, pitch in enumerate((67, 69, 71, 72, 74, 71, 69, 67))]
    score = compose(ComposeOptions(seed=10, harmonised=melody(*low)))
    assert [note.pitch for note in score.parts[0].notes] == [pitch for _, _, pitch in low]
    assert np.median([note.pitch for note in score.parts[3].notes]) < 36


def test_continuation_begins_with_the_given_music() -> None:
    given = compose(ComposeOptions(seed=11, bars=3))
    longer = compose(ComposeOptions(seed=12, bars=3, continued=given))
    first, whole = fold(given)[0], fold(longer)[0]
    assert (whole.pitches[: len(first.pitches)] == first.pitches).all()
    assert (whole.struck[: len(first.pitches)] == first.struck).all()
    assert len(whole.pitches) > len(first.pitches) + 16
    other = compose(ComposeOptions(seed=13, bars=3, continued=given))
    assert fold(other)[0].pitches.tobytes() != whole.pitches.tobytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"seconds": 601}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 10, "bars": 4}, "seconds"),
        ({"bars": 0}, "bars"),
        ({"seconds": 600, "tempo": 240}, "600 bars"),
        ({"tempo": 500}, "tempo"),
        ({"temperature": 0}, "temperature"),
        ({"seed": -1}, "seed"),
        ({"key": "H"}, "key"),
        ({"key": "A minor", "mode": "major"}, "key"),
        ({"instruments": "kazoo"}, "instruments"),
        ({"continued": melody((0, 96, 60)), "harmonised": melody((0, 96, 60))}, "harmonise"),
        ({"harmonised": melody((0, 96, 60)), "seconds": 10}, "harmonise"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(words, message) -> None:
    with pytest.raises(ConfigError, match=message):
        ComposeOptions(**words)


def test_given_music_that_does_not_fit_is_refused() -> None:
    endless = melody(*[(n * 384, 384, 60 + n % 5) for n in range(257)])
    with pytest.raises(ConfigError, match="257 bars"):
        compose(ComposeOptions(harmonised=endless))
    with pytest.raises(ConfigError, match="257 bars"):
        compose(ComposeOptions(continued=endless))
    with pytest.raises(ConfigError, match="steps"):
        compose(ComposeOptions(harmonised=melody((0, 96, 60))))
    with pytest.raises(ConfigError, match="key"):
        compose(ComposeOptions(key="A", continued=melody((0, 384, 60))))


def test_key_has_its_signature() -> None:
    named = {"C": 0, "G": 1, "F#": 6, "Gb": -6, "Db": -5, "B": 5}
    for name, sharps in named.items():
        tonic, mode, said = parse_key(f"{name} major")
        assert tonic is not None
        assert mode is not None
        assert Key(tonic=tonic, mode=mode, name=said).sharps == sharps


def test_importing_the_library_loads_no_torch() -> None:
    code = "import sys, musiccore.composer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_composed_pieces_obey_the_rules() -> None:
    pieces = [fold(compose(ComposeOptions(seed=seed, seconds=15)))[0] for seed in (21, 22)]
    figures = check([piece.pitches for piece in pieces])
    assert figures.crossings <= 0.05
    assert figures.parallels <= 0.015
    assert figures.consonant >= 0.6


@pytest.mark.slow
def test_a_hundred_pieces_obey_the_rules_and_copy_nothing_long() -> None:
    grids = []
    for seed in range(100):
        score = compose(ComposeOptions(seed=1000 + seed, seconds=30))
        grids.append(fold(score)[0].pitches)
    copies = Copies([read_voices(name).pitches for name in names_of("train")])
    longest = sorted(copies.longest(grid) for grid in grids)
    figures = check(grids)
    assert figures.crossings <= 0.05
    assert figures.parallels <= 0.015
    assert longest[94] < 32


@pytest.mark.benchmark
def test_ten_thousand_notes_a_second_are_drawn(shipped) -> None:
    seeds = [(0, n) for n in range(64)]
    began = time.process_time()
    drawn = Drawing(shipped, seeds, 128, Rules()).run()
    rate = drawn.pitches.size / (time.process_time() - began)
    assert rate >= 10_000, f"{rate:.0f} notes of the grid a second"


# ---------------------------------------------------------------------------------- the models


def test_damaged_and_foreign_models_are_refused(tmp_path, small) -> None:
    with pytest.raises(CheckpointError, match="midi train"):
        try:
            load_model(tmp_path)
        except CheckpointError as error:
            raise CheckpointError(f"{error.message} {error.hint}") from error
    (tmp_path / WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError):
        load_model(tmp_path)
    save_model(small, tmp_path, {})
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[:-100])
    with pytest.raises(CheckpointError):
        load_model(tmp_path)


def test_a_model_of_one_voice_composes(tmp_path) -> None:
    save_model(Composer(ComposerConfig(n_voices=1, width=16, head_width=16)), tmp_path, {})
    score = compose(ComposeOptions(seed=1, bars=2, key="C", model=tmp_path))
    assert [part.name for part in score.parts] == ["Voice 1"]
    with pytest.raises(ConfigError, match="one voice"):
        compose(ComposeOptions(model=tmp_path, harmonised=melody((0, 384, 60))))
