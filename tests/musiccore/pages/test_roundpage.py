"""The page of a round holds everything, lets nothing in, and stays light."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from musiccore.audio.sound import Audio, write_preview
from musiccore.pages import figures
from musiccore.pages.html import asset
from musiccore.pages.round import MOST_PICTURES, needed, round_page

EVIL = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e\"'&\0\ud800 <!-- ]]>"
CLIP = Audio(
    samples=(0.3 * np.sin(np.arange(16000) / 6))[None].astype(np.float32), sample_rate=16000
)
MP3, PNG = write_preview(CLIP), figures.spectrogram(CLIP)
SOUNDS = {"m" * 64: MP3, "p" * 64: PNG}
VOID = {"meta", "link", "img", "input", "br"}


class Document(HTMLParser):
    """Elements with their attributes; fails on unbalanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def take(number: int = 1, **changes) -> dict[str, object]:
    given = {
        "take": number,
        "round": 1,
        "parent": None,
        "seconds": 1.0,
        "new_from": 0.5,
        "name": "",
        "note": "",
        "stars": 0,
        "kept": False,
        "dropped": False,
        "preview": "m" * 64,
        "spectrogram": "p" * 64,
        "peaks": [10, 80] * 120,
        "lufs": -20.0,
        "flags": [],
        "changes": {},
        "auditions": [],
        "songs": [],
    }
    return {**given, **changes}


def picture(*takes, **changes) -> dict[str, object]:
    settings = {"artist": "bach", "genre": "", "lyrics": "", "temperature": 1.0, "takes": 2}
    given = {"run": "dawn", "title": "Dawn", "model": "nano", "seen": 3, "songs": []}
    return {**given, "settings": settings, "takes": list(takes), **changes}


def page(*takes, sounds=SOUNDS, **changes) -> str:
    shown = picture(*(takes or (take(1), take(2))), **changes)
    return round_page(shown, sounds, number=1, store="/music/runs")


def test_candidates_are_inside_with_their_sound():
    document = Document(page())
    sounds = document.all("audio")
    assert len(sounds) == 2
    for sound in sounds:
        assert base64.b64decode(sound["src"].split(";base64,")[1]) == MP3
    assert len(document.all("img")) == 2


def test_dropped_takes_and_those_of_other_rounds_are_left_out():
    text = page(take(1), take(2, dropped=True), take(3, round=2), take(4, preview=None))
    assert re.findall(r'id="take-(\d)"', text) == ["1"]
    assert needed(picture(take(1), take(2, dropped=True)), 1) == ["m" * 64, "p" * 64]


def test_page_needs_no_network_and_lets_no_other_script_run():
    text = page()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy
    bodies = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    assert len(bodies) == 4
    for _, body in bodies:
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    for _, attributes in Document(text).elements:
        assert "style" not in attributes
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value.startswith(("data:", "#"))


def test_evil_text_is_only_text():
    one = take(1, name=EVIL, note=EVIL, changes={"genre": EVIL})
    settings = {"artist": EVIL, "genre": EVIL, "lyrics": EVIL, "temperature": 1, "takes": 2}
    text = page(one, title=EVIL, settings=settings, model=EVIL)
    text.encode()
    document = Document(text)
    assert len(document.all("script")) == 3
    assert len(document.all("img")) == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_everything_has_a_name():
    document = Document(page())
    ids = [a["id"] for _, a in document.elements if "id" in a]
    assert len(ids) == len(set(ids))
    labelled = {a["aria-labelledby"] for _, a in document.elements if "aria-labelledby" in a}
    assert labelled <= set(ids)
    assert all(image["alt"] for image in document.all("img"))
    assert all(a.get("aria-label") for a in document.all("input") if a.get("type") == "range")
    assert all(a.get("aria-label") for a in document.all("input") if a.get("type") == "radio")


def test_faults_are_said_in_words():
    text = page(take(1, flags=[{"kind": "silence", "start": 1.0, "end": 3.5}]))
    assert "silent from 1.0 to 3.5 s" in text


def test_auditions_play_beside_their_take():
    heard = {"choice": 4, "start": 0.5, "end": 1.0, "preview": "m" * 64, "peaks": [5], "lufs": -19}
    waiting = {"choice": 5, "start": 0.0, "end": 0.5, "preview": None}
    document = Document(page(take(1, auditions=[heard, waiting])))
    offsets = [a["data-offset"] for _, a in document.elements if "data-offset" in a]
    assert offsets == ["0", "0.5"]


def test_page_is_light_without_its_audio():
    takes = [take(n) for n in range(1, 17)]
    text = page(*takes)
    sound = sum(len(found) for found in re.findall(r"data:audio/mpeg;base64,[^\"]*", text))
    assert len(text.encode()) - sound < 300_000


@pytest.mark.parametrize("size", [MOST_PICTURES - 1, MOST_PICTURES + 1])
def test_heavy_spectrograms_stay_out(size):
    sounds = {**SOUNDS, "p" * 64: PNG + b"\0" * (size - len(PNG))}
    there = "<img" in page(take(1), sounds=sounds)
    assert there == (size <= MOST_PICTURES)


def test_a_sound_that_is_missing_leaves_a_sentence():
    assert "nothing to hear yet" in page(take(1), sounds={})


def test_redo_is_offered_for_finished_songs_only():
    assert 'data-action="redo"' not in page(songs=[{"done": False}])
    assert 'data-action="redo"' in page(songs=[{"done": True}])


def test_sampling_all_anew_is_offered_where_a_song_could_be_kept():
    assert 'name="anew"' not in page(songs=[{"done": False}])
    assert 'name="anew"' in page(songs=[{"done": True}])


def palettes() -> list[dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", asset("round.css"), re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colors", palettes(), ids=["light", "dark"])
def test_colors_can_be_told_apart(colors):
    def contrast(first, second):
        dark, light = sorted((luminance(colors[first]), luminance(colors[second])))
        return (light + 0.05) / (dark + 0.05)

    for words in ("ink", "soft", "accent"):
        for ground in ("paper", "card", "wash"):
            assert contrast(words, ground) >= 4.5, (words, ground)
    assert contrast("accent-ink", "accent") >= 4.5
    assert contrast("warn", "warn-wash") >= 4.5
    for shape in ("field", "rail", "accent", "warn"):
        assert contrast(shape, "card") >= 3, shape


def test_equal_rounds_give_equal_text():
    assert page() == page()
