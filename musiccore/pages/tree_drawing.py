"""The tree of takes, drawn: as text for a terminal, as SVG for a page.

Both read the JSON form of a run (`takes`, `rounds`, `songs`, `round`), and both say in signs and
words, never by color alone, what was kept, dropped, upsampled, and where the run stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from musiccore.pages.html import text
from musiccore.pages.panel import View

COLUMN: Final = 158
ROW: Final = 46
BOX: Final = (126, 34)
_MARGIN: Final = 10
_LETTERS: Final = 14  # of a name that fits a box without signs


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A take in its place.

    Attributes:
        take: its JSON form.
        depth: number of takes before it.
        row: of the drawing; takes that were never gone on from have whole numbers.
    """

    take: View
    depth: int
    row: float


def layout(picture: View) -> dict[int, Node]:
    """Return every take in its place: parents stand left of their children, at their middle.

    Args:
        picture: JSON form of a run.
    """
    takes, children = _family(picture)
    found: dict[int, Node] = {}
    row = 0
    waiting = [(number, 0, False) for number in reversed(children.get(0, []))]
    while waiting:  # no recursion: a tree may be a thousand takes deep
        number, depth, ready = waiting.pop()
        below = children.get(number, [])
        if below and not ready:
            waiting.append((number, depth, True))
            waiting += [(child, depth + 1, False) for child in reversed(below)]
            continue
        if below:
            middle = (found[below[0]].row + found[below[-1]].row) / 2
        else:
            middle, row = float(row), row + 1
        found[number] = Node(take=takes[number], depth=depth, row=middle)
    return found


def tree_svg(picture: View, *, here: int, href: Callable[[View], str]) -> str:
    """Draw the tree; every take is a link.

    Args:
        picture: JSON form of a run.
        here: number of the round that is looked at.
        href: address of a take.

    Returns:
        An SVG element; its classes are styled by the page.
    """
    nodes = layout(picture)
    rows = 1 + max((node.row for node in nodes.values()), default=0)
    columns = 1 + max((node.depth for node in nodes.values()), default=0)
    width = round(columns * COLUMN - (COLUMN - BOX[0]) + 2 * _MARGIN)
    height = round(rows * ROW - (ROW - BOX[1]) + 2 * _MARGIN)
    lines, boxes = [], []
    for node in nodes.values():
        x, y = _place(node)
        parent = node.take["parent"]
        if parent is not None:
            px, py = _place(nodes[cast(int, parent)])
            x0, y0, y1, bend = px + BOX[0], py + BOX[1] / 2, y + BOX[1] / 2, (COLUMN - BOX[0]) / 2
            lines.append(f"M{x0:g} {y0:g}c{bend:g} 0 {bend:g} {y1 - y0:g} {x - x0:g} {y1 - y0:g}")
        boxes.append(_box(node, x, y, here=here, href=href))
    return (
        f'<svg class="tree" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="group" aria-label="Tree of takes">'
        f'<path class="lines" d="{"".join(lines)}"/>{"".join(boxes)}</svg>'
    )


def tree_text(picture: View) -> str:
    """Return the tree for a terminal: one line per take.

    Args:
        picture: JSON form of a run.
    """
    takes, children = _family(picture)
    lines = [f"{picture['title']} ({picture['run']}): {picture['words']}"]
    waiting = [("", number, _is_last(children, 0, number)) for number in reversed(children[0])]
    while waiting:
        indent, number, last = waiting.pop()
        said = ", ".join((f"{_number(takes[number]['seconds']):.1f} s", *marks(takes[number])))
        branch = "└─ " if last else "├─ "
        here = "  ◀ here" if takes[number]["round"] == picture["round"] else ""
        name = _name(takes[number])
        lines.append(f"{indent}{branch}{name}  {said}{here}")
        below = indent + ("   " if last else "│  ")
        waiting += [
            (below, child, _is_last(children, number, child))
            for child in reversed(children.get(number, []))
        ]
    return "\n".join(lines)


def marks(take: View) -> tuple[str, ...]:
    """Return what is to be said of a take, in a word each."""
    stars, songs = cast(int, take["stars"]), cast(Sequence[int], take["songs"])
    said = (
        "kept" if take["kept"] else "",
        "dropped" if take["dropped"] else "",
        "purged" if take["purged"] else "",
        "★" * stars,
        f"song {', '.join(map(str, songs))}" if songs else "",
    )
    return tuple(word for word in said if word)


def _family(picture: View) -> tuple[dict[int, View], dict[int, list[int]]]:
    """Return the takes by number, and the children of each; those of 0 have no parent."""
    takes = {cast(int, take["take"]): take for take in cast(Sequence[View], picture["takes"])}
    children: dict[int, list[int]] = {0: []}
    for number, take in takes.items():
        children.setdefault(cast(int, take["parent"] or 0), []).append(number)
    return takes, children


def _is_last(children: Mapping[int, Sequence[int]], parent: int, child: int) -> bool:
    return children[parent][-1] == child


def _number(value: object) -> float:
    return float(cast(float, value))


def _name(take: View) -> str:
    name = str(take["name"] or "")
    return f"take {take['take']}" + (f" “{' '.join(name.split())}”" if name else "")


def _place(node: Node) -> tuple[float, float]:
    return _MARGIN + node.depth * COLUMN, _MARGIN + node.row * ROW


def _box(node: Node, x: float, y: float, *, here: int, href: Callable[[View], str]) -> str:
    take = node.take
    current = take["round"] == here
    current_mark = ' aria-current="true"' if current else ""
    kinds = ["box"]
    kinds += ["here"] if current else []
    kinds += [word for word in ("kept", "dropped") if take[word]]
    kinds += ["song"] if take["songs"] else []
    found = (
        "✓" if take["kept"] else "",
        "✕" if take["dropped"] else "",
        "♪" if take["songs"] else "",
        f"{take['stars']}★" if take["stars"] else "",
    )
    signs = " ".join(sign for sign in found if sign)
    name = str(take["name"] or "") or f"Take {take['take']}"
    room = _LETTERS - len(signs) - (len(signs) > 0)
    label = name if len(name) <= room else name[: room - 1].rstrip() + "…"
    facts = (_name(take), f"round {take['round']}", f"{_number(take['seconds']):.1f} s")
    # Whoever speaks or hears says what stands there, so it comes first in the name.
    said = ", ".join((f"{label} {signs}".strip(), *facts, *marks(take)))
    return (
        f'<a class="{" ".join(kinds)}" href="{text(href(take))}"'
        f'{current_mark} aria-label="{text(said)}">'
        f"<title>{text(said)}</title>"
        f'<rect x="{x:g}" y="{y:g}" width="{BOX[0]}" height="{BOX[1]}" rx="9"/>'
        f'<text x="{x + 10:g}" y="{y + 22:g}">{text(label)}</text>'
        f'<text class="signs" x="{x + BOX[0] - 8:g}" y="{y + 22:g}">{signs}</text></a>'
    )
