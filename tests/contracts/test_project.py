"""Files that describe the project agree with one another."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
SOURCES = [
    (path, re.sub(r"\s+(?:# )?", " ", path.read_text()))
    for room in ("musiccore", "tasks", "flows")
    for path in sorted((ROOT / room).rglob("*.py"))
]
PAGE = re.compile(r"[\w./-]+\.md\b")
CITATION = re.compile(r'`?(docs/[\w/-]+\.md)`?((?:,? (?:and )?"[^"]+")+)')


def _locked() -> dict[str, Requirement]:
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


def test_lock_holds_exact_versions_and_no_addresses() -> None:
    assert not re.search(r"://|^-|\s@\s|\+cpu", LOCK, re.MULTILINE)
    for requirement in _locked().values():
        assert requirement.url is None
        assert [specifier.operator for specifier in requirement.specifier] == ["=="]


def test_lock_satisfies_every_range() -> None:
    locked = _locked()
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, wanted):
        (pin,) = locked[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), f"{requirement} is locked at {pin}"


def test_lock_has_no_gpl_package_at_run_time() -> None:
    assert "unidecode" not in _locked()
    assert not any(Requirement(text).name == "mutagen" for text in PROJECT["dependencies"])


def test_command_is_named_like_the_distribution() -> None:
    assert PROJECT["scripts"] == {PROJECT["name"]: "flows.__main__:main"}


def test_every_decision_has_its_four_parts() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(record.name[:4]) for record in records]
    assert numbers == list(range(1, len(records) + 1))
    for record in records:
        headings = re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE)
        assert headings == ["Status", "Context", "Decision", "Consequences"], record.name


def test_every_place_that_a_page_names_is_there() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "deployments/README.md"]
    named = [
        (page.name, place)
        for page in sorted(pages)
        if page.name != "CHANGELOG.md"  # tells what was
        for place in re.findall(r"`((?:flows|tasks|musiccore|tests)/[\w./]*)`", page.read_text())
    ]
    assert len(named) > 60
    assert [(page, place) for page, place in named if not (ROOT / place).exists()] == []


def test_every_room_is_on_the_map() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path.parent.name for path in (ROOT / "musiccore").glob("*/__init__.py")]
    assert [room for room in rooms if f"`musiccore/{room}/`" not in text] == []


def test_every_page_that_the_code_names_exists() -> None:
    named = [(path, page) for path, text in SOURCES for page in PAGE.findall(text)]
    assert len(named) > 20
    assert [(path, page) for path, page in named if not (ROOT / page).is_file()] == []


def test_every_heading_that_the_code_cites_exists() -> None:
    cited = [
        (path, page, heading)
        for path, text in SOURCES
        for page, headings in CITATION.findall(text)
        for heading in re.findall(r'"([^"]+)"', headings)
    ]
    assert len(cited) > 30
    assert [each for each in cited if each[2] not in _headings(ROOT / each[1])] == []


def _headings(page: Path) -> list[str]:
    return re.findall(r"^#{2,3} (.+)$", page.read_text(), re.MULTILINE)
