"""What the templates are filled with."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import cast

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from flows.listening.reading import stamp, version
from flows.listening.sounds import name_of
from musiccore.pages.filenames import saved_name
from musiccore.pages.panel import JUMP, View, card, keys_line, panel, sound, toolbar
from musiccore.pages.tree_drawing import tree_svg

SIGNS = {
    "waiting": "●",
    "queued": "⋯",
    "running": "▶",
    "unfinished": "❚❚",
    "failed": "⚠",
    "done": "✓",
    "damaged": "⚠",
}
STATES = {
    "waiting": "waits for you",
    "queued": "queued",
    "running": "working",
    "unfinished": "interrupted",
    "failed": "failed",
    "done": "finished",
    "damaged": "damaged",
}
_KINDS = {
    "start": "the beginning",
    "continue": "goes on",
    "more": "more like one take",
    "again": "another try",
    "cut": "a cut",
    "splice": "joined stretches",
}


class Pages:
    """Renders the pages of the room.

    Args:
        begin: address of a page on which a song can be begun; empty if there is none.
    """

    def __init__(self, begin: str = "") -> None:
        folder = resources.files("flows.listening") / "templates"
        self._environment = Environment(
            loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(signs=SIGNS, states=STATES, begin=begin)

    def render(self, name: str, **values: object) -> str:
        """Return a page."""
        return self._environment.get_template(name).render(**values)

    def round(self, picture: View, number: int, current: int) -> str:
        """Return the page of a round.

        Args:
            picture: JSON form of the run, looking at that round.
            number: of the round.
            current: number of the round at which the run stands.
        """
        run = picture["run"]
        candidates = _list(picture["candidates"])
        here = next(one for one in _list(picture["rounds"]) if one["round"] == number)
        return self.render(
            "round.html",
            picture=picture,
            number=number,
            current=current,
            stamp=stamp({**picture, "round": current}),
            kind=_KINDS[str(here["kind"])],
            missing=sum(
                take["round"] == number and not take["dropped"] and "silence" not in take
                for take in _list(picture["takes"])
            ),
            dropped=[
                take
                for take in _list(picture["takes"])
                if take["round"] == number and take["dropped"]
            ],
            panel=Markup(panel(picture)),
            jump=Markup(JUMP),
            toolbar=Markup(toolbar()),
            keys=Markup(keys_line(len(candidates))),
            cards=Markup(
                "".join(
                    card(
                        take,
                        index,
                        lambda digest: f"/runs/{run}/audio/{digest}",
                        saved=saved_name(str(picture["title"]), name_of(take), kind="mp3"),
                    )
                    for index, take in enumerate(candidates)
                )
            ),
            songs=[_song(picture, song) for song in _list(picture["songs"])],
            tree=Markup(
                tree_svg(
                    picture,
                    here=number,
                    href=lambda take: f"/runs/{run}?round={take['round']}#take-{take['take']}",
                )
            ),
            choices=_list(picture["choices"])[::-1],
        )


def _song(picture: View, song: View) -> dict[str, object]:
    """Return a song with its player."""
    take = next(one for one in _list(picture["takes"]) if one["take"] == song["take"])
    address = f"/runs/{picture['run']}/songs/{song['song']}"
    heard = {
        "preview": "mix" if take.get("silence", "-") == "" or song["done"] else None,
        "peaks": take["peaks"],
        "seconds": song["seconds"],
    }
    file = str(song["master"] or "").rpartition("/")[2]
    version_word = f", version {cast(int, song['version']) + 1}" if song["version"] else ""
    detail = name_of(take) + version_word
    return {
        **song,
        "player": Markup(
            sound(
                heard,
                lambda _: f"{address}/mix.wav?v={version(picture, song)}",
                ident=f"s{song['song']}",
            )
        ),
        "page": f"{address}/files/index.html",
        "file": f"{address}/files/{file}",
        "saved": saved_name(str(picture["title"]), detail, kind=file.rpartition(".")[2] or "wav"),
        "version_word": version_word,
    }


def _list(value: object) -> Sequence[View]:
    return cast(Sequence[View], value)
