"""What the templates are filled with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import cast

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from flows.listening.reading import sentence, stamp, version
from musiccore.roundparts import card, keys_line, panel, sound, toolbar
from musiccore.treeview import tree_svg

_SIGNS = {"waiting": "●", "running": "▶", "unfinished": "❚❚", "done": "✓", "damaged": "⚠"}
_STATES = {
    "waiting": "waits for you",
    "running": "at work",
    "unfinished": "interrupted",
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

Json = Mapping[str, object]


class Pages:
    """Renders the pages of the room."""

    def __init__(self) -> None:
        folder = resources.files("flows.listening") / "templates"
        self._environment = Environment(
            loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(signs=_SIGNS, states=_STATES)

    def render(self, name: str, **values: object) -> str:
        """Return a page."""
        return self._environment.get_template(name).render(**values)

    def round(self, picture: Json, number: int, current: int) -> str:
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
            words=sentence(picture),
            kind=_KINDS[str(here["kind"])],
            missing=sum(
                take["round"] == number and take["preview"] is None and not take["dropped"]
                for take in _list(picture["takes"])
            ),
            dropped=[
                take
                for take in _list(picture["takes"])
                if take["round"] == number and take["dropped"]
            ],
            panel=Markup(panel(picture)),
            toolbar=Markup(toolbar()),
            keys=Markup(keys_line(len(candidates))),
            cards=Markup(
                "".join(
                    card(take, index, lambda digest: f"/runs/{run}/audio/{digest}")
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


def _song(picture: Json, song: Json) -> dict[str, object]:
    """Return a song with its player."""
    take = next(one for one in _list(picture["takes"]) if one["take"] == song["take"])
    address = f"/runs/{picture['run']}/songs/{song['song']}"
    heard = {
        "preview": "mix" if take["preview"] is not None or song["done"] else None,
        "peaks": take["peaks"],
        "seconds": song["seconds"],
    }
    page = str(song["master"] or "").rpartition("/")[2]
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
        "file": f"{address}/files/{page}",
        "version_word": f", version {song['version'] + 1}" if song["version"] else "",  # type: ignore[operator]
    }


def _list(value: object) -> Sequence[Json]:
    return cast(Sequence[Json], value)
