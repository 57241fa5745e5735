"""The tree of takes, drawn: complete, in order, quick, and without foreign markup."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from musiccore.pages.tree_drawing import BOX, layout, marks, tree_svg, tree_text
from tests.effort import counted

EVIL = "</svg><script>\x1b[31m\u202e\"'&"


def take(number: int, parent: int = 0, **changes) -> dict[str, object]:
    given = {
        "take": number,
        "parent": parent or None,
        "round": 1 + parent,
        "seconds": 4.0,
        "name": "",
        "stars": 0,
        "kept": False,
        "dropped": False,
        "purged": False,
        "songs": [],
    }
    return {**given, **changes}


def picture(*takes, here: int = 1) -> dict[str, object]:
    return {"run": "dawn", "title": "Dawn", "words": "waits", "round": here, "takes": list(takes)}


SMALL = picture(
    take(1, name="Slow chorale", kept=True),
    take(2, dropped=True),
    take(3, 1, stars=4, songs=[1, 2]),
    take(4, 1),
    take(5, 4, purged=True),
    here=2,
)


def test_text_has_one_line_per_take_with_its_marks():
    assert tree_text(SMALL).splitlines() == [
        "Dawn (dawn): waits",
        "├─ take 1 “Slow chorale”  4.0 s, kept",
        "│  ├─ take 3  4.0 s, ★★★★, song 1, 2  ◀ here",
        "│  └─ take 4  4.0 s  ◀ here",
        "│     └─ take 5  4.0 s, purged",
        "└─ take 2  4.0 s, dropped",
    ]


def test_marks_are_words():
    assert marks(take(1, kept=True, stars=2)) == ("kept", "★★")


def test_parents_stand_left_and_in_the_middle_of_their_children():
    nodes = layout(SMALL)
    assert [(nodes[n].depth, nodes[n].row) for n in range(1, 6)] == [
        (0, 0.5),
        (0, 2.0),
        (1, 0.0),
        (1, 1.0),
        (2, 1.0),
    ]


def test_every_take_is_a_link_with_a_name_and_no_box_covers_another():
    drawing = ElementTree.fromstring(tree_svg(SMALL, here=2, href=lambda t: f"/r?t={t['take']}"))
    links = drawing.findall("a")
    assert [a.get("href") for a in links].count("/r?t=5") == 1
    assert len(links) == 5
    assert links[0].get("aria-label")
    current = [a.get("href") for a in links if a.get("aria-current") == "true"]
    assert sorted(current) == ["/r?t=3", "/r?t=4"]
    boxes = [(float(r.get("x")), float(r.get("y"))) for r in drawing.iter("rect")]
    for i, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[i + 1 :]:
            assert abs(x - other_x) >= BOX[0] or abs(y - other_y) >= BOX[1]
        assert x + BOX[0] <= float(drawing.get("width"))
        assert y + BOX[1] <= float(drawing.get("height"))


def test_evil_names_are_only_text():
    drawing = tree_svg(picture(take(1, name=EVIL)), here=1, href=lambda _: EVIL)
    root = ElementTree.fromstring(drawing)
    assert [element.tag for element in root] == ["path", "a"]
    assert "\x1b" not in drawing
    assert "\n" not in tree_text(picture(take(1, name="two\nlines"))).splitlines()[1]


@pytest.mark.parametrize("shape", ["wide", "deep", "bushy"])
def test_drawing_ten_times_the_takes_is_ten_times_the_work(shape):
    parent = {"wide": lambda n: 0, "deep": lambda n: n - 1, "bushy": lambda n: n // 3}[shape]

    def draw(n_takes):
        many = picture(*(take(n, parent(n)) for n in range(1, n_takes + 1)))
        with counted() as calls:
            drawing = tree_svg(many, here=1, href=lambda t: f"/r?round={t['round']}")
            text = tree_text(many)
        assert drawing.count("<rect") == n_takes
        assert len(text.splitlines()) == n_takes + 1
        return calls.n

    assert draw(1000) < 15 * draw(100)  # 100 if quadratic
