"""The song page: one HTML file with everything to hear, see and read about a finished song.

The page needs no network, no server and no other file to play: sound and pictures are inside, and
its sound can be saved from it. Links to files beside it are shown only once the page has found that
they are there, since it may have been sent alone. All text is escaped, control characters are made
visible, and a content security policy lets only the page's own script and style run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from musiccore.audio.sound import sniff
from musiccore.errors import MusicCoreError
from musiccore.pages import figures
from musiccore.pages.filenames import saved_name
from musiccore.pages.html import asset, data_uri, page_head, size_text, text

_MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SongFile:
    """A file that lies beside the page.

    Args:
        path: relative to the page, with forward slashes.
        label: what it is, such as "WAV, 24 bit".
        n_bytes: its size, if known.
        saved: name under which a browser saves it; empty for its own.
    """

    path: str
    label: str
    n_bytes: int | None = None
    saved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerTrack:
    """Something to play: the finished song or what one level of it sounds like.

    Args:
        title: short, such as "Level 2".
        note: one line beside the title, such as "hop length 256, 752 codes".
        audio: bytes of an MP3, WAV, FLAC or OGG file, put inside the page.
        spectrogram: bytes of a PNG made by `figures.spectrogram`.
        waveform: bytes of a PNG made by `figures.waveform`.
        roll: bytes of a PNG made by `figures.piano_roll`.
    """

    title: str
    audio: bytes
    spectrogram: bytes | None = None
    waveform: bytes | None = None
    roll: bytes | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingScore:
    """The score that the music started from.

    Args:
        track: what the model heard of it.
        files: links below its player, such as its MIDI file.
        check: how well the music keeps to it: name → figure in words.
    """

    track: PlayerTrack
    files: Sequence[SongFile] = ()
    check: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SongPage:
    """What stands on the page, from top to bottom.

    Args:
        title: of the song.
        summary: one line below it, such as "bach, piano major · 12.0 s · nano".
        master: the finished song.
        files: links below the player, if they are there.
        saved: name under which the sound inside the page is saved; made of the title if empty.
        levels: one track per level, in the order to show.
        score: what the music started from, if that was a score.
        lyrics: left out if empty.
        sung: what became of lyrics that the model cannot sing as they are, in sentences.
        recipe: what was asked for; mappings inside are flattened, None is left out.
        provenance: what made it: run, seed, model, version, digests.
        licence: one sentence.
    """

    title: str
    master: PlayerTrack
    summary: str = ""
    files: Sequence[SongFile] = ()
    saved: str = ""
    levels: Sequence[PlayerTrack] = ()
    score: StartingScore | None = None
    lyrics: str = ""
    sung: Sequence[str] = ()
    recipe: Mapping[str, object] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    licence: str = ""


def song_page(page: SongPage) -> str:
    """Write the page.

    Args:
        page: its contents; any text is allowed anywhere.

    Returns:
        A complete HTML document; equal pages give equal text.

    Raises:
        MusicCoreError: if a track is not audio that browsers play, or a link leaves the folder.
    """
    style, script = asset("songpage.css"), asset("songpage.js")
    parts = [
        *page_head(page.title, style, [script], neighbours=True),
        "<body>",
        '<main id="top">',
        "<header>",
        f'<h1 dir="auto">{text(page.title)}</h1>',
        f'<p class="summary" dir="auto">{text(page.summary)}</p>' if page.summary else "",
        "</header>",
        _track(page.master, 1, master=True, files=page.files, saved=_saved(page)),
        _levels(page.levels),
        _score(page.score, 2 + len(page.levels)),
        _lyrics(page.lyrics, page.sung),
        '<div class="tables">',
        _table("Recipe", page.recipe),
        _table("Made by", page.provenance),
        "</div>",
        "</main>",
        "<footer>",
        f'<p class="licence" dir="auto">{text(page.licence)}</p>' if page.licence else "",
        '<p class="keys"><kbd>Space</kbd> plays and pauses. <kbd>1</kbd> to '
        f"<kbd>{1 + len(page.levels) + (page.score is not None)}</kbd> change the track at the "
        "same moment of the song. "
        "<kbd>←</kbd> <kbd>→</kbd> move five seconds.</p>",
        "</footer>",
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _saved(page: SongPage) -> str:
    kind = sniff(page.master.audio) or "mp3"
    return page.saved or saved_name(page.title, kind=kind)


def _track(
    track: PlayerTrack,
    number: int,
    *,
    master: bool,
    files: Sequence[SongFile] = (),
    saved: str = "",
) -> str:
    kind = sniff(track.audio)
    if kind not in _MEDIA_TYPES:
        raise MusicCoreError(f"track {track.title!r} is no audio that a browser plays")
    title, heading = text(track.title), "h2" if master else "h3"
    # Each picture sits in its own frame, so that the script can lay a play head over it.
    views = "".join(
        f'<div class="view"><img src="{data_uri("image/png", png)}" width="{figures.WIDTH}" '
        f'height="{figures.HEIGHT}" alt="{what} of {title}">'
        '<span class="head" hidden></span></div>'
        for what, png in (
            ("Piano roll", track.roll),
            ("Waveform", track.waveform),
            ("Spectrogram", track.spectrogram),
        )
        if png is not None
    )
    return (
        f'<section class="track{" master" if master else ""}" aria-labelledby="t{number}">'
        f'<div class="about"><{heading} id="t{number}" dir="auto">{title}</{heading}>'
        + (f'<p class="note" dir="auto">{text(track.note)}</p>' if track.note else "")
        + "</div>"
        f'<div class="player"><audio controls preload="metadata" aria-label="{title}" '
        f'src="{data_uri(_MEDIA_TYPES[kind], track.audio)}"></audio></div>'
        + (f'<div class="views">{views}</div>' if views else "")
        + _files(files, saved, len(track.audio))
        + "</section>"
    )


def _files(files: Sequence[SongFile], saved: str, n_inside: int) -> str:
    """Return the list of what can be saved; its script shows what there is of it."""
    items = [
        f'<li class="beside" hidden><a href="{text(_href(file.path))}" '
        f'download="{text(file.saved)}">{text(file.label)}</a>'
        + (f" <small>{size_text(file.n_bytes)}</small>" if file.n_bytes is not None else "")
        + "</li>"
        for file in files
    ]
    if saved:
        kind = saved.rpartition(".")[2].upper()
        inside = (
            f'<li class="inside" hidden><a download="{text(saved)}">Save as {text(kind)}</a> '
            f"<small>{size_text(n_inside)}</small></li>"
        )
        items.insert(0, inside)
    if not items:
        return ""
    ask = (
        '<li class="ask" hidden><button type="button">Other files of the song</button></li>'
        if files
        else ""
    )
    return (
        f'<ul class="files" aria-label="Files">{"".join(items)}{ask}</ul>'
        '<p class="note alone" role="status"></p>'
    )


def _href(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or not path:
        raise MusicCoreError(f"link {path!r} leaves the folder of the page")
    return "./" + quote(path, errors="replace")


def _levels(levels: Sequence[PlayerTrack]) -> str:
    if not levels:
        return ""
    tracks = "".join(_track(track, i, master=False) for i, track in enumerate(levels, start=2))
    return (
        '<section aria-labelledby="levels"><h2 id="levels">Level by level</h2>'
        '<p class="lead">The same song as each level of the model hears it, '
        "from the one that composes to the one that adds the last detail.</p>"
        f"{tracks}</section>"
    )


def _score(score: StartingScore | None, number: int) -> str:
    if score is None:
        return ""
    return (
        '<section aria-labelledby="score"><h2 id="score">The score it started from</h2>'
        '<p class="lead">What the model heard before it went on by itself.</p>'
        f"{_track(score.track, number, master=False, files=score.files)}"
        f"{_table('Against the score', score.check)}</section>"
    )


def _lyrics(lyrics: str, sung: Sequence[str]) -> str:
    if not lyrics.strip():
        return ""
    notes = "".join(f'<p class="note" dir="auto">{text(each)}</p>' for each in sung)
    return (
        '<section class="lyrics" aria-labelledby="lyrics"><h2 id="lyrics">Lyrics</h2>'
        f'<div class="text" dir="auto">{text(lyrics.strip())}</div>{notes}</section>'
    )


def _table(title: str, values: Mapping[str, object]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td dir="auto">{text(value)}</td></tr>'
        for name, value in _flat(values)
    )
    if not rows:
        return ""
    return (
        f'<section class="table"><h2>{title}</h2>'
        f'<table aria-label="{title}"><tbody>{rows}</tbody></table></section>'
    )


def _flat(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Rows of a table; names are spelled with spaces, lists with commas, nothing for nothing."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows.extend(_flat(value, f"{name}: "))
        elif isinstance(value, (list, tuple)):
            if value:
                rows.append((name, ", ".join(map(str, value))))
        elif isinstance(value, bool):
            rows.append((name, "yes" if value else "no"))
        elif value is not None and value != "":
            rows.append((name, str(value)))
    return rows
