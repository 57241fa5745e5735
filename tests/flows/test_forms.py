"""The forms of the Prefect UI: what they show, and what a filled-in one means."""

from __future__ import annotations

from typing import get_args

import pytest

from flows.forms import Act, ChoiceForm, SongForm
from flows.question import RECORDED, answered, selection_form
from musiccore.errors import ConfigError
from musiccore.models.presets import PRESETS
from musiccore.request.request import GenerationRequest
from musiccore.takes.choice import LOST, Action, Choice


def answer(action: str, details: str = "", *, take: int = 2, lyrics: str = "") -> Choice | None:
    form = selection_form((1, 2))
    return answered(form(action=action, take=f"take {take}", details=details, lyrics=lyrics))


@pytest.mark.parametrize("form", [SongForm, ChoiceForm, selection_form((5,))])
def test_no_field_is_a_switch_between_types(form):
    for name, field in form.model_json_schema()["properties"].items():
        assert "anyOf" not in field, name
        assert "const" not in field, name  # the older UI locks such a field
        assert field["title"], name
        assert field["description"], name


def test_every_action_and_every_model_can_be_asked_for():
    assert set(get_args(Act)) == set(get_args(Action)) - {LOST}  # which a repair alone writes
    models = SongForm.model_json_schema()["properties"]["model"]["enum"]
    assert set(models) == set(PRESETS)


def test_an_untouched_form_is_the_request_with_its_defaults():
    asked = SongForm(title="Winter").request(choose="wait")
    plain = GenerationRequest(title="Winter", takes=3, choose="wait")
    assert asked == plain


def test_a_filled_in_form_is_the_request_it_describes():
    form = SongForm(
        title="Winter",
        artist=" bach ",
        genre="piano minor",
        lyrics="la\nla",
        seconds=8,
        total_seconds=60,
        temperature=0.9,
        seed=4,
        primer="a.wav",
        primer_seconds=2,
        choose="best",
        choose_after_hours=12,
    )
    asked = form.request(choose=form.choose)
    assert (asked.conditioning.artist, asked.conditioning.lyrics) == ("bach", "la\nla")
    assert (asked.seconds, asked.total_seconds, asked.primer_seconds) == (8, 60, 2)
    assert (asked.sampling.temperature, asked.sampling.seed) == (0.9, 4)
    assert (asked.choose, asked.choose_after_hours) == ("best", 12)


@pytest.mark.parametrize(
    ("action", "details", "meant"),
    [
        ("continue", "", {"takes": [2], "seconds": 4}),
        ("continue", "2s count=3", {"takes": [2], "seconds": 2, "count": 3}),
        ("upsample", "1 copies=2", {"takes": [2, 1], "copies": 2}),
        ("upsample", "anew 1", {"takes": [2, 1], "anew": True}),
        ("keep", "1, 2", {"takes": [2, 1]}),
        ("more", "temperature=0.9", {"takes": [2], "changes": {"temperature": 0.9}}),
        ("again", "count=1", {"count": 1}),
        ("back", "", {}),
        ("audition", "", {"takes": [2], "start": 0, "end": 6}),
        ("cut", "0:01-0:03", {"takes": [2], "start": 1, "end": 3}),
        (
            "splice",
            "1@0:00-0:02+2@0:02-0:04",
            {"parts": [{"take": 1, "start": 0, "end": 2}, {"take": 2, "start": 2, "end": 4}]},
        ),
        ("redo", "0:31-0:34", {"takes": [2], "start": 31, "end": 34}),
        ("change", 'artist="j. s. bach"', {"takes": [2], "changes": {"artist": "j. s. bach"}}),
        ("rename", "Slow one", {"takes": [2], "text": "Slow one"}),
        ("note", "play it anew", {"takes": [2], "text": "play it anew"}),
        ("note", "a=b is odd stars=4", {"takes": [2], "text": "a=b is odd", "stars": 4}),
    ],
)
def test_one_line_of_details_says_what_an_action_needs(action, details, meant):
    assert answer(action, details) == Choice.parse({"action": action, **meant})


def test_lyrics_of_the_form_hold_for_what_follows():
    made = answer("continue", lyrics="new words")
    assert made is not None
    assert made.changes.lyrics == "new words"


def test_an_answer_that_only_wakes_the_run_is_no_choice():
    assert answer("keep", RECORDED) is None


@pytest.mark.parametrize(
    ("action", "details", "message"),
    [
        ("continue", "soon", "details is 'soon'"),
        ("redo", "", "details is ''"),
        ("again", "0:04", "again needs none"),
        ("upsample", "one", "details is 'one'"),
        ("continue", "4s count=many", "count is 'many'"),
        ("note", "it's", "details is"),
        ("change", "", "needs something to change"),
    ],
)
def test_details_that_mean_nothing_are_refused_by_name(action, details, message):
    with pytest.raises(ConfigError, match=message):
        answer(action, details)


def test_nobody_resumes_into_a_choice_by_accident():
    assert selection_form((1, 2)).model_json_schema()["required"] == ["action", "take"]


def test_the_long_form_means_the_same_as_the_short_one():
    form = ChoiceForm(run="song", action="continue", take=2, seconds=2, count=3, temperature=0.9)
    assert form.choice() == answer("continue", "2s count=3 temperature=0.9")
