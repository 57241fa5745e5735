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
MIRRORED = (Path("musiccore/models/vqvae"), Path("musiccore/models/prior"))
"""Rooms that are built alike, so that a file of one has its twin in the other."""

LONG: dict[str, int] = {}
"""File → its lines."""

CLASSES: dict[str, int] = {
    "Part": 3,
    "Place": 2,
    "Report": 2,
}
"""Class → how many of that name there are."""

FILES: dict[str, int] = {
    "budget.py": 2,
    "chain.py": 2,
    "check.py": 2,
    "chorales.py": 2,
    "codec.py": 2,
    "compose.py": 2,
    "config.py": 2,
    "convert.py": 2,
    "files.py": 3,
    "flac.py": 2,
    "likelihood.py": 2,
    "losses.py": 2,
    "midi.py": 2,
    "model.py": 2,
    "mp4.py": 2,
    "nano.py": 2,
    "options.py": 2,
    "pages.py": 2,
    "parts.py": 3,
    "priors.py": 2,
    "progress.py": 2,
    "reader.py": 2,
    "report.py": 2,
    "request.py": 2,
    "sampler.py": 2,
    "streams.py": 2,
    "train.py": 2,
    "training.py": 3,
    "tree.py": 2,
    "windows.py": 2,
}
"""Base name → how many files have it; at most three such names are to stay."""


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


def test_a_file_name_stands_once(sources) -> None:
    paths = [Path(path) for path in sources if not path.endswith("__init__.py")]
    one, other = ({path.name for path in paths if path.parent == room} for room in MIRRORED)
    twins = Counter(one & other)
    assert repeated(Counter(path.name for path in paths) - twins) == FILES
