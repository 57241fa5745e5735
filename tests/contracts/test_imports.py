"""The layers of pyproject.toml hold, nothing imports itself by a detour, and the floors are few."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
FLOORS = 7
"""Floors inside musiccore; it only ever shrinks."""


@pytest.fixture(scope="module")
def imports() -> dict[str, Set[str]]:
    """Module → modules that it imports, inside functions too."""
    graph = grimp.build_graph("flows", "tasks", "musiccore", cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def circle(needs: Mapping[str, Set[str]]) -> list[str]:
    """Return the modules of a circle, the first again at its end; empty if there is none."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def rooms(imports: Mapping[str, Set[str]]) -> dict[str, set[str]]:
    """Return room of musiccore → rooms that it needs."""
    needs: dict[str, set[str]] = {}
    for module, wanted in imports.items():
        if (here := _room(module)) is not None:
            needs.setdefault(here, set()).update(filter(None, map(_room, wanted)))
            needs[here].discard(here)
    return needs


def _room(module: str) -> str | None:
    top, *below = module.split(".")
    return below[0] if top == "musiccore" and below else None


def floors(needs: Mapping[str, Set[str]]) -> Iterator[set[str]]:
    """Yield the rooms of each floor, lowest first: a floor needs only those below it."""
    order = TopologicalSorter(needs)
    order.prepare()
    while order.is_active():
        ready = order.get_ready()
        yield set(ready)
        order.done(*ready)


def test_imports_point_downwards() -> None:
    """In a process of its own: import-linter silences the loggers of the process it runs in."""
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_needs_itself(imports) -> None:
    assert circle(imports) == []


def test_musiccore_has_few_floors(imports) -> None:
    found = list(floors(rooms(imports)))
    plan = "\n".join(f"{n} {' '.join(sorted(here))}" for n, here in enumerate(found, start=1))
    assert len(found) == FLOORS, plan


def test_every_command_names_a_function_that_is_there() -> None:
    """Commands are imported when they are given, by name: a move must not lose one."""
    named = [
        (str(node.args[0].value), str(node.args[1].value))
        for path in (ROOT / "flows" / "cli").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("lazily", "_elsewhere")
        and all(isinstance(each, ast.Constant) for each in node.args)
    ]
    assert len(named) > 30
    for module, function in named:
        assert callable(getattr(import_module(f"flows.cli.{module}"), function))
