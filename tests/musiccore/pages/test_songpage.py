"""The song page holds everything, lets nothing in, and stays a valid document whatever the text."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from musiccore.audio.sound import Audio, write, write_preview
from musiccore.conversion.memory import read
from musiccore.errors import MusicCoreError
from musiccore.pages import figures
from musiccore.pages.song import PlayerTrack, SongFile, SongPage, StartingScore, song_page

EVIL = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e\"'&\0\ud800 <!-- ]]>"
CLIP = Audio(
    samples=(0.3 * np.sin(np.arange(16000) / 6))[None].astype(np.float32), sample_rate=16000
)
PNG = figures.waveform(CLIP)
VOID = {"meta", "link", "img", "input", "br"}


class Document(HTMLParser):
    """Elements with their attributes; fails on unbalanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(self.words)


def track(title="Finished song", note="level 0"):
    return PlayerTrack(
        title=title, note=note, audio=write_preview(CLIP), spectrogram=PNG, waveform=PNG
    )


def page(**changes) -> SongPage:
    values = {
        "title": "Morning chorale",
        "summary": "bach · nano",
        "master": track(),
        "files": (
            SongFile(path="audio/master 1.wav", label="WAV", n_bytes=576_044),
            SongFile(path="codes.npz", label="Codes"),
        ),
        "levels": (track("Level 2"), track("Level 1"), track("Level 0")),
        "lyrics": "first line\n\nsecond line",
        "recipe": {
            "seconds": 12.0,
            "sampling": {"seed": 7, "top_k": None},
            "formats": ("wav", "mp3"),
        },
        "provenance": {"recipe_sha256": "ab" * 32, "resumed": False},
        "licence": "Made by a model.",
    }
    return SongPage(**{**values, **changes})


def test_everything_is_on_the_page():
    document = Document(song_page(page()))
    for words in (
        "Morning chorale", "bach · nano", "Level 2", "Level 0", "first line\n\nsecond line",
        "seconds", "12.0", "sampling: seed", "wav, mp3", "recipe sha256", "no", "Made by a model.",
        "576 kB",
    ):  # fmt: skip
        assert words in document.text
    assert "top k" not in document.text
    assert len(document.all("audio")) == 4
    assert len(document.all("img")) == 8


def test_score_that_the_music_started_from_has_a_roll_a_sound_a_file_and_a_check():
    heard = PlayerTrack(title=EVIL, audio=write_preview(CLIP), roll=PNG)
    score = StartingScore(
        track=heard,
        files=[SongFile(path="score.mid", label="MIDI", n_bytes=1200)],
        check={"what follows": "0.81; in any other key at most 0.40"},
    )
    document = Document(song_page(page(score=score)))
    assert "The score it started from" in document.text
    assert "0.81; in any other key at most 0.40" in document.text
    assert "./score.mid" in [link.get("href") for link in document.all("a")]
    assert len(document.all("audio")) == 5
    assert any(str(image["alt"]).startswith("Piano roll of ") for image in document.all("img"))
    assert "The score it started from" not in Document(song_page(page())).text
    assert re.search(r"<kbd>1</kbd> to <kbd>5</kbd>", song_page(page(score=score)))


def test_sounds_and_pictures_are_inside_and_can_be_read():
    document = Document(song_page(page()))
    for audio in document.all("audio"):
        kind, data = audio["src"].split(";base64,")
        assert kind == "data:audio/mpeg"
        assert read(base64.b64decode(data)).n_samples == CLIP.n_samples
    for image in document.all("img"):
        assert base64.b64decode(image["src"].split(";base64,")[1]) == PNG


def test_page_needs_no_network_and_lets_no_other_script_run():
    text = song_page(page())
    document = Document(text)
    policy = next(
        m["content"]
        for m in document.all("meta")
        if m.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    for element in ("script", "style"):
        (body,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    for _, attributes in document.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value.startswith(("data:", "./"))
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text


def test_evil_text_is_only_text():
    evil = {EVIL: EVIL, "nested": {EVIL: [EVIL, EVIL]}}
    text = song_page(
        page(
            title=EVIL,
            summary=EVIL,
            master=track(EVIL, EVIL),
            levels=(track(EVIL, EVIL),),
            files=(SongFile(path=EVIL.replace("/", ""), label=EVIL),),
            lyrics=EVIL,
            recipe=evil,
            provenance=evil,
            licence=EVIL,
        )
    )
    text.encode()  # no lone surrogate
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    document = Document(text)
    assert len(document.all("script")) == 1
    assert len(document.all("img")) == 4
    assert all("onerror" not in attributes for _, attributes in document.elements)
    safe = re.sub("[\x1b\u202e\0\ud800]", "\ufffd", EVIL)
    assert document.text.count(safe) >= 10
    assert html.escape(safe, quote=True) in text


def test_labels_are_complete():
    document = Document(song_page(page()))
    ids = {attributes["id"] for _, attributes in document.elements if "id" in attributes}
    assert document.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in document.all("img"))
    assert all(audio["aria-label"] for audio in document.all("audio"))
    assert all("controls" in audio for audio in document.all("audio"))  # for those without script
    for _, attributes in document.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
    assert len(ids) == sum("id" in attributes for _, attributes in document.elements)
    assert all(th["scope"] == "row" for th in document.all("th"))
    levels = [int(tag[1]) for tag, _ in document.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_absent_parts_leave_no_trace():
    bare = SongPage(title="x", master=PlayerTrack(title="Song", audio=write(CLIP, "wav")))
    text = song_page(bare)
    assert "Lyrics" not in text
    assert "Recipe" not in text
    assert "Level by level" not in text
    assert 'class="beside"' not in text
    assert Document(text).all("audio")[0]["src"].startswith("data:audio/wav;")
    assert "Lyrics" not in song_page(page(lyrics="  \n "))


def test_links_stay_beside_the_page():
    links = [a["href"] for a in Document(song_page(page())).all("a") if "href" in a]
    assert links == ["./audio/master%201.wav", "./codes.npz"]
    odd = song_page(page(files=(SongFile(path="javascript:alert(1)", label="x"),)))
    assert Document(odd).all("a")[-1]["href"] == "./javascript%3Aalert%281%29"
    for path in ("/etc/passwd", "../x", "a/../../x", ""):
        with pytest.raises(MusicCoreError, match="link"):
            song_page(page(files=(SongFile(path=path, label="x"),)))


def test_what_is_no_audio_is_refused():
    with pytest.raises(MusicCoreError, match="'Song'"):
        song_page(page(master=PlayerTrack(title="Song", audio=b"hello")))


def test_equal_pages_give_equal_text():
    assert song_page(page()) == song_page(page())


def test_script_and_style_know_where_the_plots_are():
    text = song_page(page())
    assert f"PLOT_LEFT = {figures.PLOT_LEFT}, PLOT_RIGHT = {figures.PLOT_RIGHT};" in text
    top, bottom = 100 * (1 - figures.PLOT_TOP), 100 * figures.PLOT_BOTTOM
    assert f"top: {top:.1f}%; bottom: {bottom:.1f}%" in text
