"""The README says nothing that the command line and the Makefile do not know, and it works."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from flows.__main__ import main
from flows.cli.parser import parser
from musiccore.audio.sound import Audio, write
from musiccore.testing import sine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINES = [line for snippet in SNIPPETS for line in snippet.splitlines() if line]
COMMANDS = [line for line in LINES if line.startswith("jukeflow ")]
NEVER_ENDS = ("jukeflow serve",)  # parsed only; `tests/browser/test_story.py` lives with it
SERIES = [s for s in SNIPPETS if "jukeflow " in s and s.strip() not in NEVER_ENDS]
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


# ---------------------------------------------------------------------------- and it is done

SMALLER = {"--seconds": "0.4", "--primer-seconds": "0.2", "--continue": "0.1s"}
"""What the model of the tests makes at once; every other word is that of the README."""

A_BAR = ("--seconds", "3.2", "--primer-seconds", "3")
"""A score that is composed has one bar at least, of 2.9 s."""

QUICK = {"plan", "convert", "midi"}


LEFT = {
    "jukeflow convert in.wav": ("out.mp3", "album-flac/one.flac", "album-flac/two.flac"),
    "jukeflow midi compose": ("x.mid", "x.wav", "tokens.json"),
    "jukeflow compose": ("runs/evening/export/master.wav",),
}
"""What lies there after a snippet with these words."""


def makes_music(snippet: str) -> bool:
    """Whether it makes a song, or asks about one that must be there."""
    return not {line.split()[1] for line in snippet.splitlines() if line} <= QUICK


def first_line(snippet: str) -> str:
    return snippet.partition("\n")[0]


def as_carried_out(line: str) -> list[str]:
    """Return the words of a line; one that makes music takes a smaller model and shorter times."""
    words = shlex.split(line)[1:]
    words = ["song" if word == "RUN" else word for word in words]
    if words[0] in ("generate", "compose", "choose"):
        for option in SMALLER.keys() & set(words):
            words[words.index(option) + 1] = SMALLER[option]
    if "--primer-compose" in words:
        words += A_BAR
    return [*words, "--model", "tiny"] if words[0] in ("generate", "compose") else words


def carried_out(folder: Path, line: str) -> int:
    """Enter a line; return its exit code. A command may change the environment of its process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(folder / "runs"))
        return main(as_carried_out(line))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the files that the README names, where commands are entered."""
    here = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("JUKEFLOW_CACHE", str(here / "cache"))
        for name in ("mine.wav", "in.wav", "album/one.wav", "album/two.wav"):
            (here / name).parent.mkdir(exist_ok=True)
            tone = Audio(samples=sine(440, 0.5, 44100)[None], sample_rate=44100)
            (here / name).write_bytes(write(tone, "wav"))
        assert carried_out(here, "jukeflow midi compose --bars 2 -o scores/two.mid") == 0
        yield here


@pytest.fixture(scope="module")
def song(folder: Path, prefect_server: None) -> Iterator[None]:
    """A song that the README asks about, and a server for those that are made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
        assert carried_out(folder, "jukeflow generate --seconds 12 --run song") == 0
        shutil.copy(folder / "runs" / "song" / "export" / "master.flac", folder / "song.flac")
        yield


def check(folder: Path, snippet: str) -> None:
    """Carry out a snippet line by line, and find what it names afterwards."""
    for line in snippet.splitlines():
        waits = line.startswith("jukeflow compose ") or "--continue" in line
        assert carried_out(folder, line) == (3 if waits else 0), line
    for first, names in LEFT.items():
        for name in names if first in snippet else ():
            assert (folder / name).stat().st_size > 0, name


@pytest.mark.parametrize("snippet", [s for s in SERIES if not makes_music(s)], ids=first_line)
def test_snippet_that_makes_no_song_does_its_work(folder: Path, snippet: str) -> None:
    check(folder, snippet)


@pytest.mark.whole
@pytest.mark.parametrize("snippet", [s for s in SERIES if makes_music(s)], ids=first_line)
def test_snippet_that_makes_a_song_or_asks_about_one_does_its_work(
    folder: Path, song: None, snippet: str
) -> None:
    check(folder, snippet)
