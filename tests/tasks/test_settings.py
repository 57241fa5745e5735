"""The environment is read once and checked."""

from __future__ import annotations

import pytest

from musiccore.errors import ConfigError
from tasks.settings import Settings


def test_defaults_need_no_environment():
    assert Settings() == Settings.from_environment({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JUKEFLOW_THREADS", "two"),
        ("JUKEFLOW_THREADS", "0"),
        ("JUKEFLOW_DTYPE", "int4"),
        ("JUKEFLOW_STORE", " "),
        ("JUKEFLOW_MODELS", "/no/such/folder"),
    ],
)
def test_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(ConfigError) as caught:
        Settings.from_environment({name: value})
    assert name.removeprefix("JUKEFLOW_").lower() in caught.value.message.lower()


def test_sound_font_and_library_come_from_the_environment():
    found = Settings.from_environment({"SOUNDFONT": "a.sf2", "JUKEFLOW_FLUIDSYNTH": "/b.so"})
    assert (found.soundfont, found.fluidsynth) == ("a.sf2", "/b.so")
