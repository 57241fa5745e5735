"""Files are short, and a name says one thing: a class name stands once, a file name too.

Each list below names what does not hold yet. It only ever shrinks: a test fails as well when
something on its list is in order by now.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("musiccore", "tasks", "flows")
LONGEST = 450
MOST_EQUAL = 3
TWINS = (
    ("musiccore/models/vqvae", "musiccore/models/prior"),
    ("musiccore/training", "musiccore/evaluation"),
    ("musiccore/training", "musiccore/parity"),
)
"""Rooms that are built alike, so that a file of one has its twin in the other."""

DOORS = ("flows", "flows/cli", "flows/cli/midi", "tasks")
"""Where a subject of the library is reached: a flow, its command, its tasks may share its name."""

LONG: dict[str, int] = {}
"""File → its lines."""

CLASSES: dict[str, int] = {}
"""Class → how many of that name there are."""

FILES: dict[str, int] = {"chain.py": 2}
"""Base name → how many files have it, outside mirrored rooms."""


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """Path below the root → source."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


def repeated(names: Counter[str]) -> dict[str, int]:
    return {name: n for name, n in sorted(names.items()) if n > 1}


def test_files_are_short(sources) -> None:
    lines = {path: len(text.splitlines()) for path, text in sources.items()}
    assert {path: n for path, n in lines.items() if n > LONGEST} == LONG


def test_a_class_name_stands_once(sources) -> None:
    nodes = (node for text in sources.values() for node in ast.walk(ast.parse(text)))
    found = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert repeated(found) == CLASSES


def twins(paths: list[Path]) -> Counter[str]:
    """Base name → how many files have it as a twin of a mirrored room."""
    found: Counter[str] = Counter()
    for pair in TWINS:
        one, other = ({path.name for path in paths if path.parent == Path(room)} for room in pair)
        found += Counter(one & other)
    return found


def test_a_file_name_stands_once(sources) -> None:
    paths = [Path(path) for path in sources if not path.endswith("__init__.py")]
    own = [path for path in paths if str(path.parent) not in DOORS]
    found = repeated(Counter(path.name for path in own) - twins(own))
    assert found == FILES
    assert len(found) <= MOST_EQUAL
