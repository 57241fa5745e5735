"""What plays scores: our own instruments, and FluidSynth on a sound font that the tests write."""

from __future__ import annotations

from pathlib import Path

import pytest

from musiccore.synth.player import Player
from tests.musiccore.synth.fonts import write_font


@pytest.fixture(scope="session")
def font(tmp_path_factory) -> Path:
    """A sound font with one sample."""
    return write_font(tmp_path_factory.mktemp("font") / "mono.sf2")


@pytest.fixture(scope="session")
def stereo_font(tmp_path_factory) -> Path:
    """A sound font with a sample on each side."""
    return write_font(tmp_path_factory.mktemp("font") / "stereo.sf2", stereo=True)


ENGINES = ("own", pytest.param("fluidsynth", marks=pytest.mark.programs("fluidsynth")))


@pytest.fixture(params=ENGINES)
def player(request, font) -> Player:
    """Each engine; what FluidSynth plays on does not depend on the machine."""
    return Player() if request.param == "own" else Player.find("fluidsynth", soundfont=font)
