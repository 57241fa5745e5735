"""The parts of a page on which people choose: a card per candidate, and the panel of actions.

The listening room and the one-file page are made of the same parts, so that both play, look and
behave alike; they differ in where a sound comes from and in what a button does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from musiccore.audio.faults import Fault
from musiccore.pages.html import text

View = Mapping[str, object]
"""What is known of a thing that a page shows, as JSON has it: of a take, a round, a song."""
Source = Callable[[str], str | None]
"""Digest of a sound or picture → its address; None if it is not to be had."""

ICONS: Final = (
    '<svg class="icon-play" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4v16l13-8z"/></svg>'
    '<svg class="icon-pause" viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M6 4h4v16H6zM14 4h4v16h-4z"/></svg>'
)
JUMP: Final = (
    '<a class="jump" href="#panel"><span>What next?</span> '
    '<span class="for" data-target></span></a>'
)
"""Leads to the panel where the screen is too narrow for it beside the candidates."""

_AUDITION_SECONDS: Final = 6
_DRAWING: Final = (
    '<svg class="{}" viewBox="0 0 960 100" preserveAspectRatio="none" aria-hidden="true">'
)


def toolbar() -> str:
    """Return the switches that change how the candidates are played and shown."""
    switches = (
        ("new", "Start at the new part", "n", False),
        ("level", "Same loudness", "", True),
        ("blind", "Blind order", "b", False),
        ("keys", "Shortcut keys", "", True),
    )
    items = "".join(
        f'<label class="switch"><input type="checkbox" data-option="{name}"'
        f"{' checked' if on else ''}> {label}{f' <kbd>{key}</kbd>' if key else ''}</label>"
        for name, label, key, on in switches
    )
    return f'<div class="toolbar" role="group" aria-label="Playing">{items}</div>'


def keys_line(candidates: int) -> str:
    """Return the sentence about keys."""
    digits = f"<kbd>1</kbd>–<kbd>{min(9, candidates)}</kbd>" if candidates > 1 else "<kbd>1</kbd>"
    return (
        f'<p class="keys"><kbd>Space</kbd> play or pause · {digits} another candidate at the same '
        "moment · <kbd>j</kbd> <kbd>k</kbd> or <kbd>←</kbd> <kbd>→</kbd> move 2 s · <kbd>a</kbd> "
        "its audition · <kbd>x</kbd> select · <kbd>n</kbd> new part · <kbd>b</kbd> blind</p>"
    )


def card(take: View, index: int, source: Source, *, saved: str = "") -> str:
    """Return the card of a candidate.

    Args:
        take: its JSON form; `silence` says why it cannot be heard, where it cannot.
        index: its place among the candidates, from 0.
        source: where its sound and pictures come from.
        saved: name under which its sound can be saved; empty if that is not offered.
    """
    number, seconds = cast(int, take["take"]), _real(take["seconds"])
    new_from = _real(take["new_from"])
    name = str(take["name"] or "") or f"Take {number}"
    main = sound(
        take,
        source,
        ident=f"w{number}",
        mark=new_from / seconds if 0 < new_from < seconds else None,
    )
    return (
        f'<article class="card take" id="take-{number}" data-take="{number}" '
        f'data-new="{new_from:g}" data-seconds="{seconds:g}" data-version="{_version(take)}" '
        f'aria-labelledby="name-{number}">'
        '<header class="about">'
        f'<kbd class="digit" aria-hidden="true">{index + 1 if index < 9 else ""}</kbd>'
        f'<div class="title"><h2 id="name-{number}" class="name" dir="auto">{text(name)}</h2>'
        f'<p class="facts">{text(_facts(take))}</p>'
        f'<ul class="badges">{_badges(take)}</ul></div>'
        f'<label class="switch select"><input type="checkbox" class="pick" '
        f'aria-label="Select {text(name)}"> Select</label></header>'
        f"{main}{_flags(take)}{_auditions(take, source)}{_opinion(take)}"
        f"{_aside(take, source, name, saved)}</article>"
    )


def sound(
    heard: View,
    source: Source,
    *,
    ident: str,
    what: str = "",
    offset: float = 0.0,
    mark: float | None = None,
) -> str:
    """Return a player with its waveform.

    Args:
        heard: what a record says of the sound: preview, peaks, lufs, seconds; or its silence.
        source: where the sound comes from.
        ident: unique in the document.
        what: which of several sounds of one card it is; empty for the main one.
        offset: seconds of the take at which it begins.
        mark: share of it at which something new begins.
    """
    address = source(str(heard["preview"])) if heard.get("preview") else None
    if address is None:
        why = str(heard.get("silence") or "There is nothing to hear yet.")
        return f'<p class="note{" making" if why.endswith("made.") else ""}">{text(why)}</p>'
    lufs = "" if heard.get("lufs") is None else f"{_real(heard['lufs']):g}"
    seconds = f"{_real(heard['seconds']):g}" if heard.get("seconds") else ""
    new = ""
    if mark is not None:
        at = f"{960 * mark:.0f}"
        new = (
            f'{_DRAWING.format("new")}<rect x="{at}" width="{960 * (1 - mark):.0f}" height="100"/>'
            f'<path d="M{at} 0v100"/></svg>'
        )
    waveform = _waveform(cast(Sequence[float], heard.get("peaks") or ()), ident)
    return (
        f'<div class="sound" data-lufs="{lufs}" data-offset="{offset:g}" data-seconds="{seconds}" '
        f'data-what="{text(what)}">'
        f'<button type="button" class="play" aria-label="Play">{ICONS}</button>'
        f'<div class="wave">{new}{waveform}'
        '<input type="range" min="0" max="1" step="0.01" value="0" aria-label="Position"></div>'
        f'<output></output><audio preload="auto" src="{text(address)}"></audio></div>'
    )


def panel(picture: View, *, songs: Sequence[View] = ()) -> str:
    """Return the panel of everything that can be chosen.

    Args:
        picture: JSON form of the run.
        songs: finished songs, a stretch of which can be done again.
    """
    settings = cast(View, picture["settings"])
    sings = bool(settings["lyrics"])

    def button(action: str, label: str, kind: str = "") -> str:
        return f'<button type="submit" class="{kind}" data-action="{action}">{label}</button>'

    redo = button("redo", "Redo in the finished song") if songs else ""
    anew = (
        '<label class="wide"><input name="anew" type="checkbox"> Send to upsampling: sample all of '
        "a longer song, also what a finished song has</label>"
        if any(song["done"] for song in cast(Sequence[View], picture["songs"]))
        else ""
    )
    return (
        '<form id="panel" class="panel" aria-labelledby="what" novalidate>'
        '<h2 id="what">What next? <span class="for">for <output id="target"></output></span></h2>'
        '<div class="actions">'
        '<div class="pair"><label>by <input name="seconds" type="number" inputmode="decimal" '
        'value="4" min="0.1" step="any" class="short"> s</label>'
        f"{button('continue', 'Continue', 'primary')}</div>"
        f"{button('more', 'More like this')}{button('again', 'Try again')}"
        f"{button('back', 'Step back')}{button('keep', 'Keep')}{button('drop', 'Drop')}"
        '<div class="pair"><label>versions <input name="copies" type="number" inputmode="numeric" '
        'value="1" min="1" class="short"></label>'
        f"{button('upsample', 'Send to upsampling', 'primary')}</div></div>"
        '<div class="more">'
        "<details><summary>Audition, cut, join</summary><div class='fields'>"
        '<label>from <input name="from" value="0:00" class="short" inputmode="text"></label>'
        f'<label>to <input name="to" value="0:{_AUDITION_SECONDS:02d}" class="short"></label>'
        '<button type="button" data-from-new>at the new part</button>'
        f"{button('audition', 'Audition at full quality')}{button('cut', 'Cut to this')}{redo}"
        '<label class="wide">join these stretches <input name="splice" '
        'placeholder="3@0:00-0:04+5@0:04-0:09"></label>'
        '<button type="button" data-add-part>Add this stretch</button>'
        f"{button('splice', 'Join')}{anew}</div></details>"
        "<details><summary>Change what follows</summary><div class='fields'>"
        f"{_change('artist', settings)}{_change('genre', settings)}"
        f"{_change('temperature', settings)}"
        '<label>new takes <input name="count" type="number" inputmode="numeric" min="1" '
        f'class="short" placeholder="{text(settings["takes"])}"></label>'
        f'<label class="wide">lyrics <textarea name="lyrics" rows="{5 if sings else 2}" '
        f'placeholder="{text(str(settings["lyrics"])[:200]) or "none"}"></textarea></label>'
        '<p class="note wide">What you fill in goes with Continue, More like this, Try again and '
        "Send to upsampling, or can be set for all that follows the take:</p>"
        f"{button('change', 'Set for what follows')}</div></details></div>"
        '<p class="said" role="status" aria-live="polite"></p></form>'
    )


def _change(name: str, settings: View) -> str:
    value = settings[name]
    given = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return f'<label>{name} <input name="{name}" placeholder="{text(given or "as before")}"></label>'


def _version(take: View) -> str:
    """Return a word that changes when the card has something else to show."""
    names = ("preview", "silence", "name", "kept", "dropped", "songs")
    auditions = cast(Sequence[View], take["auditions"])
    facts = [*(take.get(name) for name in names), *(one["preview"] for one in auditions)]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _facts(take: View) -> str:
    parts = [f"{_real(take['seconds']):.1f} s"]
    if _real(take["new_from"]) > 0:
        parts.append(f"new from {_real(take['new_from']):.1f} s")
    if take["parent"]:
        parts.append(f"goes on from take {take['parent']}")
    if take["lufs"] is not None:
        parts.append(f"{_real(take['lufs']):.1f} LUFS".replace("-", "−"))
    changes = cast(View, take["changes"])
    parts += [f"{name} {value}" for name, value in changes.items() if name != "lyrics"]
    return " · ".join(parts)


def _badges(take: View) -> str:
    songs = cast(Sequence[int], take["songs"])
    said = [
        ("kept", "✓ kept") if take["kept"] else None,
        ("dropped", "✕ dropped") if take["dropped"] else None,
        ("song", f"♪ song {', '.join(map(str, songs))}") if songs else None,
    ]
    return "".join(f'<li class="{kind}">{words}</li>' for kind, words in filter(None, said))


def _flags(take: View) -> str:
    flags = [Fault.from_json(flag) for flag in cast(Sequence[View], take["flags"])]
    if not flags:
        return ""
    items = "".join(f"<li>⚠ {text(flag.in_words())}</li>" for flag in flags)
    return f'<ul class="flags" aria-label="Probable faults">{items}</ul>'


def _auditions(take: View, source: Source) -> str:
    found = []
    for one in cast(Sequence[View], take["auditions"]):
        span = f"{_real(one['start']):.1f}–{_real(one['end']):.1f} s"
        if one["preview"] is None:
            found.append(f'<p class="note making">Audition {span} is being made.</p>')
            continue
        heard = {**one, "seconds": _real(one["end"]) - _real(one["start"])}
        player = sound(
            heard,
            source,
            ident=f"a{one['choice']}",
            what=f"audition {span}",
            offset=_real(one["start"]),
        )
        found.append(f'<p class="note">Audition {span}, full quality</p>{player}')
    return f'<div class="auditions">{"".join(found)}</div>' if found else ""


def _opinion(take: View) -> str:
    number, stars = take["take"], cast(int, take["stars"])
    radios = "".join(
        f'<label><input type="radio" name="stars-{number}" value="{n}"'
        f"{' checked' if n == stars else ''} aria-label="
        f'"{"no stars" if n == 0 else f"{n} star" + "s" * (n > 1)}">'
        f'<span aria-hidden="true">{"–" if n == 0 else ""}</span></label>'
        for n in range(6)
    )
    return (
        f'<div class="opinion"><fieldset class="stars" data-stars="{stars}">'
        f'<legend class="visually-hidden">Stars</legend>{radios}</fieldset>'
        f'<label class="grow">note <input name="note" maxlength="2000" dir="auto" '
        f'value="{text(take["note"])}"></label>'
        f'<label class="real">name <input name="rename" maxlength="80" dir="auto" '
        f'value="{text(take["name"])}"></label></div>'
    )


def _aside(take: View, source: Source, name: str, saved: str) -> str:
    """Return the spectrogram of a take, and the link that saves its sound."""
    sound_at = source(str(take["preview"])) if saved and take["preview"] else None
    save = ""
    if sound_at is not None:
        save = (
            f'<a class="save" href="{text(sound_at)}" download="{text(saved)}" '
            f'aria-label="Save {text(name)} (MP3)">Save (MP3)</a>'
        )
    address = source(str(take["spectrogram"])) if take["spectrogram"] else None
    picture = ""
    if address is not None:
        picture = (
            '<details class="spectrogram"><summary>Spectrogram</summary>'
            f'<img loading="lazy" src="{text(address)}" alt="Spectrogram of {text(name)}">'
            "</details>"
        )
    return f'<div class="aside-row">{picture}{save}</div>' if picture or save else ""


def _waveform(peaks: Sequence[float], ident: str) -> str:
    """Return the loudness over time as bars, drawn twice: to come, and played."""
    loudest = max(8.0, *peaks) if peaks else 8.0
    step = 960 / max(1, len(peaks))
    bars = []
    for i, peak in enumerate(peaks):
        height = max(2, round(96 * peak / loudest))
        bars.append(f"M{i * step:.0f} {50 - height // 2}h{max(1, 0.7 * step):.0f}v{height}")
        bars.append(f"h-{max(1, 0.7 * step):.0f}z")
    return (
        f'{_DRAWING.format("bars")}<path id="{ident}" d="{"".join(bars)}"/></svg>'
        f'{_DRAWING.format("bars done")}<use href="#{ident}"/></svg>'
    )


def _real(value: object) -> float:
    return float(cast(float, value))
