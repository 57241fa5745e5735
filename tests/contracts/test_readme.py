"""The README says nothing that the command line and the Makefile do not know."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from flows.cli.parser import parser

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINES = [line for snippet in SNIPPETS for line in snippet.splitlines() if line]
COMMANDS = [line for line in LINES if line.startswith("jukeflow ")]
MENTIONED = sorted(set(re.findall(r"`jukeflow ([a-z]+)", README)))


def test_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("line", COMMANDS)
def test_command_in_a_snippet_parses(line: str) -> None:
    parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("name", MENTIONED)
def test_command_in_the_text_exists(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        parser().parse_args([name, "--help"])
    assert ending.value.code == 0
    assert f"jukeflow {name}" in capsys.readouterr().out


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"\bmake ([a-z]+)\b", "\n".join(LINES))
    assert set(shown) == {"song", "test"}
    assert set(shown) <= set(targets)


def test_local_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_one_sentence_per_line() -> None:
    text = re.sub(r"^```\n.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    crowded = [line for line in text.splitlines() if re.search(r"[a-z)`][.?!] [A-Z`]", line)]
    assert crowded == []
