"""What becomes of letters that a model cannot sing is said, and nothing else is."""

from __future__ import annotations

import unicodedata

import pytest

from musiccore.models.lyrics import clean_lyrics
from musiccore.models.presets import preset
from musiccore.models.sung import Sung
from musiccore.request.request import GenerationRequest


@pytest.mark.parametrize(
    "text", ["", "Hello, you!\nAgain\tand again", "one\r\ntwo\r\n", "a\u200db"]
)
def test_nothing_is_said_where_nothing_changes(text) -> None:
    assert Sung.of(text, "nano") is None


@pytest.mark.parametrize(
    ("written", "replaced", "dropped", "given"),
    [
        ("Привет", "Привет", "", "Privet"),
        ("Straße é", "ßé", "", "Strasse e"),
        (unicodedata.normalize("NFD", "é ja"), "é", "", "e ja"),
        ("“don’t”…", "“’”…", "", '"don\'t"...'),
        ("go 😀 on", "", "😀", "go  on"),
        ("❤\ufe0f you", "\ufe0f", "❤", "[?] you"),
        ("a+b", "", "+", "ab"),
        ("one\\two", "\\", "", "one\ntwo"),
    ],
)
def test_letters_and_the_words_that_are_given(written, replaced, dropped, given) -> None:
    found = Sung.of(f"plain\n{written}", "nano")
    assert found is not None
    assert "".join(found.replaced) == replaced
    assert "".join(found.dropped) == dropped
    assert found.lines == ((2, given),)
    assert given == clean_lyrics(written, "nano")
    assert Sung.from_json(found.to_json()) == found


def test_sentences_are_short_however_long_the_lyrics() -> None:
    text = "\n".join(f"{chr(0x410 + i)}{'é la ' * 40}" for i in range(40))
    found = Sung.of(text, "v3")
    sentences = found.sentences()
    assert "'é' by 'e'" in Sung.of("é", "v3").sentences()[0]
    assert "and 28 more" in sentences[0]
    assert sentences[1].startswith("lyrics: line 1 is sung as: Ae la")
    assert sentences[-1] == "lyrics: 34 more lines differ"
    assert max(map(len, sentences[1:])) < 120


def test_model_without_words_sings_nothing_of_lyrics() -> None:
    request = GenerationRequest.parse({"model": "tiny", "conditioning": {"lyrics": "é"}})
    assert request.sung(preset("tiny")).replaced == {"é": "e"}
    assert request.sung(preset("5b")) is None
