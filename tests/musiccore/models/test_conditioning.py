"""Labels and lyrics: every recorded case of the released program, and the errors a user meets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiccore.errors import ConditioningError
from musiccore.models.config import LabelRules, LabelsConfig, LyricsConfig, PriorConfig
from musiccore.models.labels import (
    NANO_TABLES,
    Labeller,
    LabelTables,
    clean_lyrics,
    labellers,
    lyrics_text,
    lyrics_tokens,
    lyrics_window,
    transliterator_name,
    unknown_characters,
    vocabulary,
)
from musiccore.models.presets import preset

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "labels_text.json").read_text(encoding="utf-8")
)
TABLES: dict[LabelRules, LabelTables] = {
    rules: LabelTables(
        rules=rules,
        artists=dict(GOLDEN["tables"][f"{rules}_artist_ids"]),
        genres=dict(GOLDEN["tables"][f"{rules}_genre_ids"]),
    )
    for rules in ("v2", "v3")
}
ALL_RULES: tuple[LabelRules, ...] = ("v2", "v3")


def _prior(rules: LabelRules, slots: int, n_tokens: int, window_samples: int) -> PriorConfig:
    lyrics = None
    if n_tokens:
        lyrics = LyricsConfig(
            mode="single", n_tokens=n_tokens, n_vocab=len(vocabulary(rules)) + 1, loss_fraction=0.4
        )
    return PriorConfig(
        name="case",
        level=2,
        sample_rate=44100,
        hop_length=128,
        n_ctx=window_samples // 128,
        codebook_size=16,
        width=4,
        depth=1,
        heads=1,
        attention_order=0,
        blocks=None,
        m_attn=0.25,
        m_mlp=1.0,
        init_scale=1.0,
        tied_head=True,
        readd_conditioning=True,
        labels=LabelsConfig(rules=rules, n_genres=120, n_artists=4111, genre_slots=slots),
        lyrics=lyrics,
    )


def _labeller(case: dict[str, Any], *, allow_unknown: bool = True) -> Labeller:
    options = case["labeller"]
    rules: LabelRules = "v3" if options["v3"] else "v2"
    prior = _prior(rules, options["max_genre_words"], options["n_tokens"], options["sample_length"])
    return Labeller(prior, TABLES[rules], allow_unknown=allow_unknown)


@pytest.mark.parametrize("case", GOLDEN["text"], ids=lambda c: repr(c["input"]))
@pytest.mark.parametrize("rules", ALL_RULES)
def test_lyrics_are_cleaned_and_counted_as_published(
    case: dict[str, Any], rules: LabelRules
) -> None:
    expected = case[rules]
    assert clean_lyrics(case["input"], rules) == expected["clean"]
    tokens = lyrics_tokens(case["input"], rules)
    assert tokens == expected["tokens"]
    assert lyrics_text(tokens, rules) == expected["roundtrip"]


@pytest.mark.parametrize("case", GOLDEN["names"], ids=lambda c: repr(c["artist"]))
@pytest.mark.parametrize("rules", ALL_RULES)
def test_names_get_their_published_ids(case: dict[str, Any], rules: LabelRules) -> None:
    tables, expected = TABLES[rules], case[rules]
    assert (tables.artist_id(case["artist"]) or 0) == expected["artist_id"]
    assert [i or 0 for _, i in tables.genre_ids(case["genre"])] == expected["genre_ids"]
    if "norm_artist" in expected:
        assert tables.normalise(case["artist"]) == expected["norm_artist"]


@pytest.mark.parametrize("case", GOLDEN["labels"], ids=str)
def test_label_vectors_are_the_published_ones(case: dict[str, Any]) -> None:
    labeller = _labeller(case)
    if "get_y_from_ids" in case:
        ids, n_tokens = case["get_y_from_ids"], case["labeller"]["n_tokens"]
        labels = labeller.from_ids(
            ids["artist_id"],
            ids["genre_ids"],
            [i % 7 for i in range(n_tokens)],
            ids["total_length"],
            ids["offset"],
        )
        assert labels.vector.tolist() == case["y"]
        return
    meta = case["meta"]
    request = (meta["artist"], meta["genre"], meta["lyrics"], meta["total_length"], meta["offset"])
    if "error" in case:
        with pytest.raises(ConditioningError):
            labeller.full(*request)
        return
    labels = labeller.full(*request)
    assert labels.vector.dtype == np.int64
    assert labels.vector.tolist() == case["y"]
    assert list(labels.all_lyrics_tokens) == case["full_tokens"]
    assert labels.lyrics == case["clean_lyrics"]


@pytest.mark.parametrize("case", GOLDEN["lyric_windows"], ids=lambda c: str(list(c.values())[:5]))
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_lyrics_windows_are_the_published_ones(case: dict[str, Any], precision: str) -> None:
    tokens = [(7 * i) % 79 + 1 for i in range(case["n_full"])]
    arguments = (
        tokens,
        case["n_tokens"],
        case["total_length"],
        case["offset"],
        case["duration"],
    )
    single = precision == "float32"
    if "error" in case:
        with pytest.raises(ConditioningError):
            lyrics_window(*arguments, single_precision=single)
        return
    window, indices = lyrics_window(*arguments, single_precision=single)
    real = [i for i in indices if i >= 0]
    assert len(window) == case["n_tokens"]
    if case["n_tokens"]:
        expected = case[f"first_last_padcount_{precision}"]
        assert [indices[0], indices[-1], indices.count(-1)] == expected
        assert real == list(range(real[0], real[0] + len(real))) if real else True
    if case["tokens"] is not None and precision == "float64":
        assert window == case["tokens"]


def test_window_labels_move_offset_and_lyrics_and_keep_the_base_vector() -> None:
    prior = _prior("v2", 5, 12, 8192)
    labeller = Labeller(prior, TABLES["v2"])
    text = "some words to sing, and then some more words"
    labels = labeller.full("", "rock", text, 100_000)
    before = labels.vector.copy()
    vector, indices = labeller.window_labels(labels, 300)
    assert vector[:3].tolist() == [100_000, 300 * 128, 8192]
    assert [labels.lyrics[i] for i in indices] == list(lyrics_text(vector[-12:], "v2"))
    assert np.array_equal(labels.vector, before)
    assert np.array_equal(labeller.window_labels(labels, 0)[0], before)


@given(st.text(max_size=200))
def test_cleaned_lyrics_hold_known_characters_only_and_stay_as_they_are(text: str) -> None:
    for rules in ALL_RULES:
        clean = clean_lyrics(text, rules)
        assert set(clean) <= set(vocabulary(rules))
        assert clean_lyrics(clean, rules) == clean
        assert not unknown_characters(clean, rules)


@given(st.integers(0, 60), st.sampled_from([0, 2, 12]), st.integers(1, 10**7), st.data())
def test_lyrics_window_has_its_size_and_its_indices_point_at_its_tokens(
    n_full: int, n_tokens: int, total: int, data: st.DataObject
) -> None:
    offset = data.draw(st.integers(0, total - 1))
    tokens = list(range(1, n_full + 1))
    for single in (False, True):
        window, indices = lyrics_window(
            tokens, n_tokens, total, offset, 8192, single_precision=single
        )
        assert len(window) == len(indices) == n_tokens
        expected = [tokens[i] if i >= 0 else 0 for i in indices]
        assert window == expected


# ----------------------------------------------------------------------------- what a user meets


@pytest.fixture
def strict() -> Labeller:
    return Labeller(_prior("v2", 5, 12, 8192), TABLES["v2"])


def test_unknown_artist_names_the_nearest_ones(strict: Labeller) -> None:
    with pytest.raises(ConditioningError, match=r"artist is 'The Test Bend'.*'the_test_band'"):
        strict.full("The Test Bend", "rock", "", 100_000)


def test_unknown_genre_word_is_named(strict: Labeller) -> None:
    with pytest.raises(ConditioningError, match=r"genre is 'blus'.*'blues'"):
        strict.full("", "rock blus", "", 100_000)


def test_empty_names_are_unknown_without_an_error(strict: Labeller) -> None:
    labels = strict.full("", "  ", "", 100_000)
    assert labels.vector[3:9].tolist() == [0, 0, -1, -1, -1, -1]
    assert labels.unknown == ()


def test_symbols_alone_are_no_name(strict: Labeller) -> None:
    with pytest.raises(ConditioningError, match="genre is '!!!'"):
        strict.full("", "!!!", "", 100_000)


def test_numbers_are_ids(strict: Labeller) -> None:
    labels = strict.full("#17", "rock #3", "", 100_000)
    assert labels.vector[3:9].tolist() == [17, 1, 3, -1, -1, -1]


@pytest.mark.parametrize(("artist", "genre"), [("#4111", ""), ("", "#120")])
def test_ids_outside_the_tables_are_refused(strict: Labeller, artist: str, genre: str) -> None:
    with pytest.raises(ConditioningError, match="ids of this model are #0 to"):
        strict.full(artist, genre, "", 100_000)


@pytest.mark.parametrize(
    ("lyrics", "listed"),
    [
        ("50% off & more", "'%', '&'"),
        ("a\x00b", r"U\+0000"),
        ("\x1b[31mred", r"U\+001B"),
        ("</script>", "'<', '/', '>'"),
        ("\n--==0==\n", "'='"),
        ("\U0001f600\U0001f600", "'\U0001f600'"),
        ("bad \ud800 half", r"U\+D800"),
    ],
)
def test_characters_outside_the_vocabulary_are_listed(
    strict: Labeller, lyrics: str, listed: str
) -> None:
    with pytest.raises(ConditioningError, match=f"^lyrics hold characters .*{listed}"):
        strict.full("", "", lyrics, 100_000)


def test_white_space_alone_is_no_lyrics(strict: Labeller) -> None:
    with pytest.raises(ConditioningError, match="lyrics hold only white space"):
        strict.full("", "", " \n\t ", 100_000)


def test_accents_line_ends_and_byte_order_marks_are_no_error(strict: Labeller) -> None:
    labels = strict.full("", "", "\ufeffCafé\r\ne\u0301 “x”", 100_000)
    assert labels.lyrics == 'Cafe\ne "x"'


def test_allowing_unknown_maps_to_zero_and_says_what_was_lost() -> None:
    labeller = Labeller(_prior("v2", 5, 12, 8192), TABLES["v2"], allow_unknown=True)
    labels = labeller.full("nobody", "polka", "a = b", 100_000)
    assert labels.vector[3:5].tolist() == [0, 0]
    assert labels.unknown == ("nobody", "polka", "=")
    assert labels.lyrics == "a  b"


def test_reverse_look_up_joins_names_that_share_an_id() -> None:
    assert TABLES["v2"].artist_name(0) == "_unknown_various"
    assert TABLES["v2"].genre_name([2, 1, -1]) == "blues_rock"


def _mixed(tmp_path: Path) -> tuple[Labeller | None, ...]:
    for name, rows in GOLDEN["tables"].items():
        text = "".join(f"{label};{number}\n" for label, number in rows)
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    config = preset("1b_lyrics")
    return labellers(config, tmp_path, verify=False)


def test_one_request_maps_under_the_rules_of_each_prior(tmp_path: Path) -> None:
    low, _, top = _mixed(tmp_path)
    assert low is not None
    assert top is not None
    request = ("Mötorhëad!", "R&B", "", 44100 * 60)
    assert top.full(*request).vector[3:5].tolist() == [3, 4]
    labels = low.full(*request)
    assert labels.vector[3:9].tolist() == [0, 5, 6, -1, -1, -1]
    assert labels.unknown == ("Mötorhëad!",)


def test_numbers_belong_to_the_tables_of_the_top_prior(tmp_path: Path) -> None:
    low, _, top = _mixed(tmp_path)
    assert low is not None
    assert top is not None
    assert top.full("#1", "#2", "", 44100 * 60).vector[3:5].tolist() == [1, 2]
    assert low.full("#1", "#2", "", 44100 * 60).vector[3:6].tolist() == [1, 2, 1]


def test_name_unknown_to_the_top_prior_is_an_error(tmp_path: Path) -> None:
    top = _mixed(tmp_path)[-1]
    assert top is not None
    with pytest.raises(ConditioningError, match="artist is 'c_line_example'"):
        top.full("c_line_example", "", "", 44100 * 60)


def test_without_tables_names_are_refused_and_ids_work() -> None:
    top = labellers(preset("5b"))[-1]
    assert top is not None
    assert top.full("#5", "#7", "", 44100 * 60).vector[3:5].tolist() == [5, 7]
    assert top.full("", "", "", 44100 * 60).vector[3:5].tolist() == [0, 0]
    with pytest.raises(ConditioningError, match="need the v2 label tables"):
        top.full("the beatles", "", "", 44100 * 60)


def test_tables_that_differ_from_the_published_ones_are_refused(tmp_path: Path) -> None:
    _mixed(tmp_path)
    with pytest.raises(ConditioningError, match="sha256"):
        LabelTables.load(tmp_path, "v2")


@pytest.mark.parametrize("content", [b"no number\n", b"\xff\xfe;1\n", None])
def test_damaged_tables_are_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "v2_artist_ids.txt").write_bytes(content)
    with pytest.raises(ConditioningError, match=r"^label_tables: .*v2_artist_ids"):
        LabelTables.load(tmp_path, "v2", verify=False)


def test_nano_reads_words_like_v2_and_lyrics_like_v3() -> None:
    assert NANO_TABLES.artist_id("Bach") == 1
    assert NANO_TABLES.genre_ids("Piano, minor") == [("piano", 1), ("minor", 3)]
    assert vocabulary("nano") == vocabulary("v3")
    assert transliterator_name() in ("Unidecode", "text-unidecode")
