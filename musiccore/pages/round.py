"""One file per round: hear the candidates and choose, from disk, with no network and no server.

Everything is inside: sound, script, style. Notes and stars stay in the browser; for everything that
can be chosen the page writes the exact line to paste into a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from musiccore.audio.sound import sniff
from musiccore.pages.html import asset, data_uri, page_head, text
from musiccore.pages.panel import JUMP, View, card, keys_line, panel, toolbar

MOST_PICTURES: Final = 150_000
"""Bytes of spectrograms that go into a page; if there are more, none do."""

_MEDIA_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac"}


def round_page(picture: View, sounds: Mapping[str, bytes], *, number: int, store: str) -> str:
    """Write the page.

    Args:
        picture: JSON form of the run.
        sounds: digest → bytes of sounds and pictures; what is missing is left out.
        number: of the round.
        store: root address of the store, for the lines to paste.

    Returns:
        A complete HTML document; equal arguments give equal text.
    """
    takes = _candidates(picture, number)
    spectrograms = {str(take["spectrogram"]) for take in takes}
    heavy = sum(len(sounds.get(digest, b"")) for digest in spectrograms) > MOST_PICTURES

    def source(digest: str) -> str | None:
        data = sounds.get(digest)
        if data is None or (heavy and digest in spectrograms):
            return None
        return data_uri(_MEDIA_TYPES.get(sniff(data) or "", "image/png"), data)

    songs = [song for song in cast(Sequence[View], picture["songs"]) if song["done"]]
    style = asset("round.css")
    scripts = [asset(name) for name in ("player.js", "roundpanel.js", "roundpage.js")]
    title = f"{picture['title']}, round {number}"
    cards = "".join(card(take, index, source) for index, take in enumerate(takes))
    parts = [
        *page_head(title, style, scripts),
        f'<body data-run="{text(picture["run"])}" data-round="{number}" '
        f'data-seen="{picture["seen"]}" data-store="{text(store)}">',
        "<main>",
        f'<header class="intro"><h1 dir="auto">{text(picture["title"])}</h1>'
        f'<p class="note">Round {number} · {_settings(picture)}</p>{_sung(picture)}</header>',
        '<div class="stage"><div class="heard">',
        toolbar(),
        keys_line(len(takes)),
        JUMP,
        f'<section class="takes" aria-label="Candidates">{cards}</section>',
        '</div><div class="beside">',
        panel(picture, songs=songs),
        '<section class="sheet command" aria-labelledby="paste"><h2 id="paste">Line to paste</h2>'
        '<p class="note">Press a button above; the line that does it appears here. Notes and stars '
        "are kept in this browser and become lines too.</p>"
        '<pre id="line" tabindex="0" role="group" aria-label="Command"></pre>'
        '<div><button type="button" id="copy" class="primary">Copy</button></div></section>',
        "</div></div>",
        "</main>",
        "<footer>Made by jukeflow; this file needs no network.</footer>",
        *(f"<script>{script}</script>" for script in scripts),
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def needed(picture: View, number: int) -> list[str]:
    """Return the digests of what the page of a round plays and shows."""
    found = []
    for take in _candidates(picture, number):
        auditions = cast(Sequence[View], take["auditions"])
        found += [take["preview"], take["spectrogram"], *(one["preview"] for one in auditions)]
    return [str(digest) for digest in found if digest is not None]


def _candidates(picture: View, number: int) -> list[View]:
    return [
        take
        for take in cast(Sequence[View], picture["takes"])
        if take["round"] == number and not take["dropped"] and take["preview"] is not None
    ]


def _sung(picture: View) -> str:
    """Return what became of lyrics that the model cannot sing as they are."""
    sentences = cast(Sequence[str], cast(View, picture["settings"]).get("sung", ()))
    return "".join(f'<p class="note" dir="auto">{text(each)}</p>' for each in sentences)


def _settings(picture: View) -> str:
    settings = cast(View, picture["settings"])
    words = [settings["artist"], settings["genre"], f"temperature {settings['temperature']}"]
    return text(" · ".join(str(word) for word in (*words, picture["model"]) if word))
