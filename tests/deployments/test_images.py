"""The Dockerfiles, as far as they can be checked without an engine that builds them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("Dockerfile", "Dockerfile.cuda")
EACH = pytest.mark.parametrize("name", FILES)
INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "ENTRYPOINT", "CMD"}


def instructions(name: str) -> list[tuple[str, str]]:
    """Instruction and arguments of each step, continued lines joined."""
    lines = (ROOT / "deployments" / name).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    steps = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(step.split(None, 1)[0], step.split(None, 1)[1]) for step in steps]


@EACH
def test_every_step_is_an_instruction(name) -> None:
    assert {word for word, _ in instructions(name)} <= INSTRUCTIONS
    for word, rest in instructions(name):
        if word == "RUN":
            assert shlex.split(rest)


@EACH
def test_base_is_pinned(name) -> None:
    (base,) = [rest for word, rest in instructions(name) if word == "FROM"]
    assert re.fullmatch(r"python:3\.1[1-3]\.\d+-slim-bookworm", base)


@EACH
def test_what_is_copied_is_there_and_not_ignored(name) -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = [
        source.removeprefix("./")
        for word, rest in instructions(name)
        if word == "COPY"
        for source in rest.split()[:-1]
    ]
    assert {"flows", "tasks", "musiccore", "requirements.lock"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert set(copied) == kept


@EACH
def test_image_does_not_run_as_root_and_passes_commands_through(name) -> None:
    steps = dict(instructions(name))
    assert steps["USER"] == "jukeflow"
    words = [word for word, _ in instructions(name)]
    assert words.index("USER") > max(n for n, word in enumerate(words) if word == "RUN")
    assert steps["ENTRYPOINT"] == '["/usr/bin/tini", "--"]'
    assert "JUKEFLOW_STORE=/runs" in steps["ENV"]
    assert steps["VOLUME"] == "/runs"


def test_build_has_everything_the_package_declares() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert 'readme = "README.md"' in pyproject
    assert 'license-files = ["LICENSE"]' in pyproject
