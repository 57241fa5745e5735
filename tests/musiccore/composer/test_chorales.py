"""The split of the chorales, and any score as voices on a grid."""

from __future__ import annotations

import numpy as np
import pytest

from musiccore.composer.chorales import SPLITS, names_of, read_voices
from musiccore.composer.corpus import MAX_STEPS, read_corpus
from musiccore.composer.voices import fold
from musiccore.errors import ConfigError
from musiccore.scores.midi import write_midi
from musiccore.scores.score import Meter, Part, Score, ScoreNote


def part(*notes: tuple[int, int, int], channel: int = 0, track: int = 0) -> Part:
    """Notes as start and duration in quarters, and pitch."""
    return Part(
        notes=tuple(
            ScoreNote(start=start * 96, duration=length * 96, pitch=pitch)
            for start, length, pitch in notes
        ),
        channel=channel,
        track=track,
    )


def score(*parts: Part, meters: tuple[Meter, ...] = ()) -> Score:
    return Score(ticks_per_quarter=96, parts=parts, meters=meters)


# ------------------------------------------------------------------------------- the chorales


def test_split_has_the_sizes_of_the_rebuilt_one() -> None:
    assert [len(names_of(split)) for split in SPLITS] == [222, 75, 77]


def test_no_chorale_is_in_two_parts() -> None:
    names = [name for split in SPLITS for name in names_of(split)]
    assert len(set(names)) == len(names)
    assert "bwv414" in names_of("valid")


def test_repeated_section_is_heard_twice() -> None:
    grid = read_voices("bwv11.6")  # quarters 0 to 24, then 0 to 66
    assert len(grid.pitches) == (24 + 66) * 4
    assert (grid.pitches[: 24 * 4] == grid.pitches[24 * 4 : 48 * 4]).all()
    assert grid.beats == 3


def test_singers_are_chosen_where_there_are_instruments() -> None:
    grid = read_voices("bwv130.6")  # three horns and timpani above, in the score
    assert grid.pitches.shape[1] == 4
    medians = [np.median(voice[voice > 0]) for voice in grid.pitches.T]
    assert medians == sorted(medians, reverse=True)


def test_fermatas_stand_at_ends_of_phrases() -> None:
    grid = read_voices("bwv103.6")
    assert grid.upbeat == 4
    assert grid.fermata is not None
    assert grid.fermata[7 * 4 : 8 * 4].all()
    assert not grid.fermata[: 7 * 4].any()


def test_coarser_grid_hears_every_other_step() -> None:
    grid = read_voices("bwv103.6")
    coarse = grid.every(2)
    assert (coarse.pitches == grid.pitches[::2]).all()
    assert (coarse.steps_per_quarter, coarse.upbeat) == (2, 2)


def test_chorale_outside_the_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="bwv9999"):
        read_voices("bwv9999")


# --------------------------------------------------------------------------------- any score


def test_parts_become_voices_the_highest_first() -> None:
    low, high = part((0, 4, 48), (4, 4, 50)), part((0, 4, 72), (4, 4, 74))
    grid, how = fold(score(low, high), 2)
    assert how == "2 parts as voices"
    assert grid.pitches[0].tolist() == [72, 48]
    assert grid.pitches[16].tolist() == [74, 50]
    assert grid.struck[:, 0].nonzero()[0].tolist() == [0, 16]


def test_chords_are_folded_with_the_outer_voices_kept() -> None:
    chord = part(*[(0, 4, pitch) for pitch in (40, 52, 60, 64, 67, 72)])
    grid, how = fold(score(chord), 4)
    assert how == "1 parts folded to 4 voices"
    assert grid.pitches[0].tolist() == [72, 67, 64, 40]


def test_missing_inner_voice_rests() -> None:
    grid, _ = fold(score(part((0, 4, 72), (0, 4, 48))), 4)
    assert grid.pitches[0].tolist() == [72, 0, 0, 48]


def test_percussion_is_left_out() -> None:
    grid, how = fold(score(part((0, 4, 60)), part((0, 8, 36), channel=9)), 1)
    assert how == "1 parts as voices, 1 of percussion left out"
    assert set(np.unique(grid.pitches)) == {60}


def test_silence_before_the_music_is_cut_and_the_bar_lines_move_with_it() -> None:
    grid, _ = fold(score(part((3, 5, 60))), 1)
    assert len(grid.pitches) == 5 * 4
    assert grid.upbeat == 4


def test_short_first_bar_is_an_upbeat() -> None:
    meters = (
        Meter(tick=0, numerator=1, denominator=4),
        Meter(tick=96, numerator=3, denominator=4),
    )
    grid, _ = fold(score(part((0, 8, 60)), meters=meters), 1)
    assert (grid.upbeat, grid.beats) == (4, 3)


def test_too_little_music_is_refused() -> None:
    with pytest.raises(ConfigError, match="4 steps"):
        fold(score(part((0, 1, 60))), 1)


# -------------------------------------------------------------------------------- any folder


def write(path, *pitches: int, quarters: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = [(n, 1, pitches[n % len(pitches)]) for n in range(quarters)]
    path.write_bytes(write_midi(score(part(*notes))))


def test_folder_says_what_became_of_each_file(tmp_path) -> None:
    write(tmp_path / "a.mid", 60, 62)
    write(tmp_path / "sub" / "b.mid", 64, 65)
    write(tmp_path / "short.mid", 60, quarters=1)
    (tmp_path / "broken.mid").write_bytes(b"nonsense")
    corpus = read_corpus(str(tmp_path), n_voices=1)
    used = {row.file: row.used for row in corpus.rows}
    assert used["broken.mid"] == used["short.mid"] == ""
    assert {used["a.mid"], used["sub/b.mid"]} == {"train", "valid"}
    assert (len(corpus.train), len(corpus.valid)) == (1, 1)
    reasons = {row.file: row.how for row in corpus.rows}
    assert "cannot be read" in reasons["broken.mid"]
    assert reasons["a.mid"] == "1 parts as voices"


def test_equal_files_are_on_one_side(tmp_path) -> None:
    for n in range(6):
        write(tmp_path / f"{n}.mid", 60 + n // 3, 67)
    corpus = read_corpus(str(tmp_path), n_voices=1)
    sides = [row.used for row in corpus.rows]
    assert len(set(sides[:3])) == len(set(sides[3:])) == 1
    assert sides[0] != sides[3]


def test_long_piece_is_learnt_in_sections(tmp_path) -> None:
    write(tmp_path / "long.mid", 60, 62, quarters=300)
    write(tmp_path / "longer.mid", 60, 64, quarters=400)
    corpus = read_corpus(str(tmp_path), n_voices=1)
    lengths = sorted(len(piece.pitches) for piece in (*corpus.train, *corpus.valid))
    assert lengths[-1] == MAX_STEPS
    assert sum(lengths) == 700 * 4


@pytest.mark.parametrize(
    ("source", "words", "message"),
    [
        ("chorales", {"n_voices": 3}, "voices"),
        ("chorales", {"grid": "1/3"}, "grid"),
        ("nowhere", {}, "no folder"),
        ("", {}, "0 different pieces"),
    ],
)
def test_data_that_cannot_be_used_is_refused(tmp_path, source, words, message) -> None:
    with pytest.raises(ConfigError, match=message):
        read_corpus(source or str(tmp_path), **words)
