"""The public names of musiccore."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import musiccore

ROOT = Path(__file__).parents[2]


def test_public_names_are_sorted() -> None:
    assert sorted(musiccore.__all__, key=str.lower) == musiccore.__all__


def test_public_names_equal_the_names_type_checkers_see() -> None:
    tree = ast.parse(Path(musiccore.__file__).read_text())
    (guard,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in guard.body if isinstance(node, ast.ImportFrom)]
    seen = {
        (alias.name, str(node.module).removeprefix("musiccore."))
        for node in imports
        for alias in node.names
    }
    assert seen == set(musiccore._MODULE_OF.items())
    assert {name for name, _ in seen} == set(musiccore.__all__)


@pytest.mark.parametrize("name", musiccore.__all__)
def test_public_name_leads_to_its_object(name: str) -> None:
    assert getattr(musiccore, name).__name__ == name


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Tune'"):
        _ = musiccore.Tune


def test_every_error_is_public() -> None:
    errors = {
        node.name
        for node in ast.parse((ROOT / "musiccore" / "errors" / "__init__.py").read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    assert errors <= set(musiccore.__all__)


def test_import_is_light() -> None:
    check = (
        "import sys, musiccore, musiccore.errors, musiccore.models.config, musiccore.units;"
        "print(sorted({'numpy', 'torch', 'prefect', 'librosa', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
