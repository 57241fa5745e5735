"""ABC that music21 alone passes over without a word: written out, or named."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.errors import AudioError
from musiccore.scores.notation import Music21, read_score
from musiccore.scores.notation.abckeys import accidentals_of
from musiccore.scores.notation.abctext import fewest_notes, plain_abc
from musiccore.scores.score import Reading, Score

HEAD = "X:1\nT:t\nM:4/4\nL:1/4\nK:C\n"
C, D, E, F, G, A, B, C5 = 60, 62, 64, 65, 67, 69, 71, 72
UP, DOWN = [C, D, E, F], [G, A, B, C5]


@pytest.fixture(scope="module")
def music21():
    with Music21() as process:
        yield process


@pytest.fixture
def read(tmp_path, music21):
    def read_tune(body: str, head: str = HEAD, **options) -> Score:
        (tmp_path / "a.abc").write_text(head + body + "\n")
        return read_score(tmp_path / "a.abc", music21=music21, **options)

    return read_tune


def pitches(score: Score) -> list[int]:
    return [note.pitch for part in score.parts for note in part.notes]


def starts(score: Score) -> list[float]:
    return [n.start / score.ticks_per_quarter for part in score.parts for n in part.notes]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("CDEF|[K:D]CDEF|", [*UP, 61, D, E, 66]),
        ("CD[K:D]CF|CDEF|", [C, D, 61, 66, 61, D, E, 66]),
        ("^FFfF|FFFF|", [66, 66, 78, 66, F, F, F, F]),
        ("_BB=BB|", [70, 70, B, B]),
        ("CDEF|GABc|//|", [*UP, *DOWN, *UP, *DOWN]),
        ("CDEF|/|/|", UP * 3),
        ("|:CDEF|GABc:|", [*UP, *DOWN] * 2),
        ("|:CDEF::GABc:|", [*UP, *UP, *DOWN, *DOWN]),
        ("|:CDEF:|:GABc:|", [*UP, *UP, *DOWN, *DOWN]),
        ("|:CDEF|1GABc:|2C4|]GABc|", [*UP, *DOWN, *UP, C, *DOWN]),
        ("|:CDEF|[1 C4:|[2 D4||:GABc:|", [*UP, C, *UP, D, *DOWN, *DOWN]),
        ("HE TF .C uD|!trill!C ~D vE +fermata+F|", [E, F, C, D, C, D, E, F]),
        ('"Am"C "^slowly"D E F|', UP),
        ("C/D/E//F// C3/2D/|", [*UP, C, D]),
        ("[CEG]2 [C2E2]|", [C, E, G, C, E]),
    ],
)
def test_tune_is_played_as_it_is_written(read, body, wanted) -> None:
    score = read(body)
    assert pitches(score) == wanted
    assert score.warnings == ()


@pytest.mark.parametrize(
    ("rest", "seconds_bar"), [("Z2", 12), ("Z", 8), ("X3", 16), ("z4", 8), ("x4", 8), ("z4|Z", 12)]
)
def test_rests_of_bars_last_as_long(read, rest, seconds_bar) -> None:
    assert starts(read(f"CDEF|{rest}|CDEF|"))[4] == seconds_bar


def test_rest_of_bars_follows_meter_and_unit(read) -> None:
    assert starts(read("GAB cde|Z3|G6|", "X:1\nM:6/8\nK:G\n"))[-1] == 12.0


@pytest.mark.parametrize("lines", ["V:1\nCDEF|\nV:2\nC4|\nV:1\nGABc|\nV:2\nD4|", "[V:1]CDEF|\n"
                                   "[V:2]C4|\n[V:1]GABc|\n[V:2]D4|",
                                   "[V:S]CDEF|\n[V:A]C4|\n[V:S]GABc|\n[V:A]D4|"])  # fmt: skip
def test_lines_of_a_voice_are_one_part(read, lines) -> None:
    first, second = read(lines).parts
    assert [note.pitch for note in first.notes] == [*UP, *DOWN]
    assert [note.pitch for note in second.notes] == [C, D]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("CDEF&E4|GABc|", "laid over"),
        ("!segno!CDEF|GABc|!D.S.!C4|", "jumps"),
        ("%%MIDI program 40\nCDEF|GABc|", "%%MIDI"),
        ("U: T = !trill!\nCDEF|GABc|", "defines itself"),
        ("[I:MIDI program 5]CDEF|GABc|", "%%MIDI"),
        ("%%transpose 2\nCDEF|GABc|", "%%transpose"),
        ("[U:T=!trill!]CDEF|GABc|", "defines itself"),
        ("CDEF|GABc|\nw:la la la la", "words (w:)"),
        ("P:A2B\nCDEF|GABc|", "order of parts"),
        ("[K:D transpose=2]CDEF|GABc|", "transposition"),
        ("//|CDEF|", "stands before any"),
    ],
)
def test_what_is_not_understood_is_named(read, body, said) -> None:
    score = read(body)
    assert said in " ".join(score.warnings)
    assert score.n_notes
    with pytest.raises(AudioError, match="is refused, being strict"):
        read(body, reading=Reading(strict=True))


@pytest.mark.parametrize(
    "line", ["%%score (S A)", "m:~g = a", "I:linebreak $", "H:a tune", "a b c"]
)
def test_lines_of_the_header_that_are_no_music_are_not_played(read, line) -> None:
    score = read("CDEF|GABc|", head=HEAD.replace("K:C", f"{line}\nK:C"))
    assert pitches(score) == [*UP, *DOWN]
    assert not [words for words in score.warnings if "notes" in words]


def test_a_clef_leaves_the_key_as_it_is(read) -> None:
    assert pitches(read("CDEF|[K:clef=bass]CDEF|[K:bass]CDEF|", HEAD.replace("K:C", "K:D"))) == [
        61, D, E, 66,
    ] * 3  # fmt: skip


def test_repeats_may_be_left_as_they_are_written(read) -> None:
    assert pitches(read("|:CDEF|1GABc:|2C4|]", repeats=False)) == [*UP, *DOWN, C]


def test_key_may_list_accidentals_of_its_own(read) -> None:
    assert pitches(read("GcFB|", "X:1\nM:4/4\nL:1/4\nK:D ^g =c\n")) == [68, 72, 66, B]


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("C", {}),
        ("G", {"F": 1}),
        ("Bb", {"B": -1, "E": -1}),
        ("F#m", {"F": 1, "C": 1, "G": 1}),
        ("D mix", {"F": 1}),
        ("Adorian", {"F": 1}),
        ("Cm clef=bass", {"B": -1, "E": -1, "A": -1}),
        ("HP", {"F": 1, "C": 1}),
        ("D exp _b", {"B": -1}),
        ("none", {}),
    ],
)
def test_key_says_which_letters_it_alters(key, wanted) -> None:
    assert dict(accidentals_of(key)) == wanted


@given(
    st.lists(
        st.sampled_from([*"CDEc^_=z/2|:[]123&-(){}!", "|:", ":|", "::", "Z2", "//", "[K:", "\n"]),
        max_size=60,
    ).map("".join)
)
@settings(deadline=None)
def test_any_signs_are_written_out_to_an_end(body) -> None:
    """Repeats that make no sense send nowhere for ever; what is plain stays as it is."""
    plain, _ = plain_abc(HEAD + body + "\n")
    again, _ = plain_abc(plain)
    assert fewest_notes(again) == fewest_notes(plain)
    assert len(plain) < 200 * (len(HEAD) + len(body))
