"""The house has few floors and few doors, and Prefect's part of it stays thin."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
FLOORS = 7
ENTRIES = 26
TASK_LINES = 2500
BODY_LINES = 15


def sources(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), path.read_text()


def test_rooms_stand_on_seven_floors_and_in_no_circle() -> None:
    graph = grimp.build_graph("musiccore", cache_dir=None)
    needs: dict[str, set[str]] = {}
    for module in graph.modules:
        found = needs.setdefault(_room(module), set())
        found |= {_room(other) for other in graph.find_modules_directly_imported_by(module)}
    floors: dict[str, int] = {}

    def floor(room: str, above: tuple[str, ...]) -> int:
        assert room not in above, above
        if room not in floors:
            lower = needs[room] - {room, ""}
            floors[room] = 1 + max((floor(one, (*above, room)) for one in lower), default=0)
        return floors[room]

    for room in needs:
        if room:
            floor(room, ())
    assert max(floors.values()) == FLOORS, floors


def _room(module: str) -> str:
    return [*module.split("."), ""][1]


def test_the_library_is_seen_at_a_glance() -> None:
    entries = {path.name for path in (ROOT / "musiccore").iterdir()} - {"__pycache__"}
    assert len(entries) <= ENTRIES, sorted(entries)


def test_tasks_wrap_and_do_no_work() -> None:
    lines = sum(len(text.splitlines()) for _, text in sources("tasks"))
    assert lines <= TASK_LINES
    for path, text in sources("tasks"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and any(
                "_task(" in ast.unparse(decorator) for decorator in node.decorator_list
            ):
                assert _body_lines(node) <= BODY_LINES, (path, node.name)


def _body_lines(node: ast.FunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_nobody_takes_a_task_apart() -> None:
    found = [path for path, text in sources("flows", "tasks") if re.search(r"\.fn\b", text)]
    assert found == []


def test_the_environment_is_read_in_one_place() -> None:
    wanted = "Settings.from_environment"
    found = [str(path) for path, text in sources("flows", "tasks") if wanted in text]
    assert found == ["tasks/settings.py"]
    reads = re.compile(r"os\.environ(\.get\b|\[)|os\.getenv")
    library = [str(path) for path, text in sources("musiccore") if reads.search(text)]
    assert library == []
