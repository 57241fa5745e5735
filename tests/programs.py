"""Programs and packages that some tests need, and ways to run without them.

A test names what it needs with `@pytest.mark.programs("ffmpeg")`. Where that is missing the test is
skipped with the reason, and with `--complete` it fails: the run that shall have everything has it.

`--programs wheels` hides what the system has, so that only what Python packages bring is found;
`--programs none` hides those packages too. Both hold for every process that a test starts.
"""

from __future__ import annotations

import atexit
import ctypes.util
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

MODES = ("system", "wheels", "none")
HIDDEN_PROGRAMS = ("ffmpeg", "ffprobe", "fluidsynth", "timidity", "chromium", "chromium-browser")
HIDDEN_PACKAGES = ("imageio_ffmpeg", "pygame", "pretty_midi", "mutagen")
_HIDE_PACKAGES = "JUKEFLOW_TESTS_HIDE_PACKAGES"
_STARTUP = Path(__file__).with_name("startup")  # its sitecustomize.py is read by every Python


def _ffmpeg() -> str:
    from musiccore.conversion.ffmpeg import has_ffmpeg

    return "" if has_ffmpeg(os.environ.get("FFMPEG_BINARY")) else "ffmpeg is not on this machine"


def _fluidsynth() -> str:
    from musiccore.errors import MissingProgram
    from musiccore.synth.fluidsynth import find_library

    try:
        find_library()
    except MissingProgram as error:
        return error.message
    return ""


def _sound_font() -> str:
    from musiccore.errors import MissingProgram
    from musiccore.synth.soundfonts import find_font

    try:
        find_font(os.environ.get("SOUNDFONT", ""))
    except MissingProgram as error:
        return error.message
    return ""


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return _package("playwright") or ("" if found else "Chromium is not on this machine")


def _package(name: str) -> str:
    hidden = name in os.environ.get(_HIDE_PACKAGES, "").split(",")
    there = not hidden and importlib.util.find_spec(name) is not None
    return "" if there else f"the package {name} is not installed"


_CHECKS: dict[str, Callable[[], str]] = {
    "ffmpeg": _ffmpeg,
    "fluidsynth": _fluidsynth,
    "sound font": _sound_font,
    "sound player": lambda: _package("pygame"),
    "chromium": _chromium,
    "mutagen": lambda: _package("mutagen"),
    "pretty_midi": lambda: _package("pretty_midi"),
}


@cache
def missing(name: str) -> str:
    """Return why something cannot be used; empty if it can.

    Args:
        name: a key of the table above.
    """
    return _CHECKS[name]()


def hide(mode: str) -> None:
    """Hide programs and packages from this process and those that it starts.

    Args:
        mode: one of `MODES`; `system` hides nothing.
    """
    if mode == "system" or os.environ.get(_HIDE_PACKAGES) is not None:
        return  # a worker inherits what its starter has hidden
    font = _wheel_font() if mode == "wheels" else ""
    os.environ[_HIDE_PACKAGES] = ",".join(HIDDEN_PACKAGES) if mode == "none" else ""
    os.environ["PATH"] = os.pathsep.join(map(_without_programs, _path_folders()))
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_STARTUP), before]))
    if font:
        os.environ["SOUNDFONT"] = font  # instead of those of the system
    hide_here()


def hide_here() -> None:
    """Hide libraries of the system, and the packages that the environment names."""
    find = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if "fluidsynth" in name else find(name)
    for name in filter(None, os.environ[_HIDE_PACKAGES].split(",")):
        sys.modules[name] = None  # type: ignore[assignment]


def _path_folders() -> list[str]:
    return [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]


def _without_programs(folder: str) -> str:
    """Return a folder of links to everything in a folder of PATH but what is hidden."""
    there = {path.name: path for path in Path(folder).glob("*")}
    if not there.keys() & set(HIDDEN_PROGRAMS):
        return folder
    links = Path(tempfile.mkdtemp(prefix="jukeflow-path-"))
    atexit.register(shutil.rmtree, links, ignore_errors=True)
    for name in there.keys() - set(HIDDEN_PROGRAMS):
        (links / name).symlink_to(there[name])
    return str(links)


def _wheel_font() -> str:
    spec = importlib.util.find_spec("pretty_midi")
    folder = Path(spec.origin).parent if spec and spec.origin else Path(os.devnull)
    return next((str(path) for path in sorted(folder.glob("*.sf2"))), "")
