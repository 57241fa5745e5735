"""A hint is written once, and each door says it in its own words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from flows.forms import SongForm
from musiccore.errors import ConditioningError, ConfigError, MusicCoreError
from musiccore.errors.doors import COMMAND, FORM, LIBRARY, ROOM, TABLE, Door
from musiccore.request.check import check
from musiccore.request.request import GenerationRequest

ROOT = Path(__file__).parents[2]
HINT = "leave {artist} empty, set {allow_unknown}, or try {act keep 2}"


@pytest.mark.parametrize(
    ("door", "said"),
    [
        (LIBRARY, "leave artist empty, set allow_unknown, or try --take 2 --keep"),
        (COMMAND, "leave --artist empty, set --allow-unknown, or try --take 2 --keep"),
        (FORM, "leave “Artist” empty, set “Allow unknown”, or try take 2, action keep"),
        (
            TABLE,
            "leave the column artist empty, set the column allow_unknown, or try keep 2",
        ),
    ],
)
def test_fields_are_called_as_the_door_calls_them(door: Door, said: str) -> None:
    assert ConfigError("no", hint=HINT).hint_at(door) == said


def test_a_run_goes_on_by_what_the_door_has() -> None:
    error = ConfigError("run: winter exists already", hint="{resume winter} continues it")
    assert error.hint_at(COMMAND) == "`jukeflow resume winter` continues it"
    assert error.hint_at(FORM) == "the deployment `continue`, with winter as its run, continues it"
    assert error.hint_at(ROOM) == "its page in the room continues it"


def test_everything_is_said_on_one_line() -> None:
    error = MusicCoreError("two\nlines", hint="set {top_k}")
    assert error.sentence_at(FORM) == "two lines (hint: set “Top k”)"
    assert MusicCoreError("no hint").sentence_at(FORM) == "no hint"
    assert str(error) == "two\nlines\n\nhint: set top_k"


def test_braces_that_mark_nothing_stay() -> None:
    assert COMMAND.says("{0:04} {} {A} {a b}") == "{0:04} {} {A} {a b}"


def test_same_mistake_names_the_field_of_its_door() -> None:
    asked = {"conditioning": {"artist": "bachh"}}
    with pytest.raises(ConditioningError) as refused:
        check(GenerationRequest.parse(asked))
    assert "nearest: 'bach'" in refused.value.message
    assert "--allow-unknown" in str(refused.value.hint_at(COMMAND))
    assert "“Allow unknown”" in str(refused.value.hint_at(FORM))
    assert "the column allow_unknown" in str(refused.value.hint_at(TABLE))


def test_form_says_fields_by_their_titles() -> None:
    marked = set(re.findall(r"\{([a-z_]+)\}", " ".join(hints("musiccore", "tasks"))))
    shown = marked & set(SongForm.model_fields)
    assert {"seconds", "lyrics", "primer_seconds", "allow_unknown"} <= shown
    for name in shown:
        assert FORM.says(f"{{{name}}}") == f"“{SongForm.model_fields[name].title}”"


def hints(*folders: str) -> list[str]:
    """Every plain hint in the code."""
    found = []
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "hint":
                    found += [
                        part.value
                        for part in ast.walk(node.value)
                        if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    ]
    return found
