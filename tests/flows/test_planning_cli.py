"""`plan` with a price, a budget and measured speeds; `--until` of a session."""

from __future__ import annotations

import json

import pytest

from flows.__main__ import main
from musiccore.runs.status import describe_run
from musiccore.storage.store import open_store

TINY = ("--model", "tiny", "--seconds", "5")


def plan(capsys, *words: str) -> dict[str, object]:
    assert main(["plan", *TINY, *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_price_is_that_of_the_time(capsys):
    found = plan(capsys, "--price", "3600", "--currency", "EUR")
    assert found["price_low"] == pytest.approx(found["seconds_low"], abs=1e-3)
    assert found["price_high"] == pytest.approx(found["seconds_high"], abs=1e-3)
    assert found["currency"] == "EUR"


def test_until_says_what_fits(capsys):
    fits = plan(capsys, "--until", "11h40m")["fits"]
    assert (fits["seconds"], fits["whole"]) == (42_000, "yes")
    assert [level["level"] for level in fits["levels"]] == [2, 1, 0]
    assert plan(capsys, "--until", "0.0001h")["fits"]["whole"] == "no"


def test_plan_says_to_a_person_what_it_costs_and_where_the_numbers_come_from(capsys):
    words = ("--price", "0.35", "--currency", "EUR", "--until", "1h")
    assert main(["plan", *TINY, *words]) == 0
    shown = capsys.readouterr()
    assert "EUR" in shown.out
    assert "until 1h: everything fits" in shown.out
    assert "assumed" in shown.out
    assert "--calibrate" in shown.err


def test_calibrated_speeds_are_used_from_then_on(tmp_path, capsys):
    store = ("--store", str(tmp_path / "runs"))
    assert plan(capsys, *store)["measured"] is False
    first = plan(capsys, *store, "--calibrate")
    again = plan(capsys, *store)
    assert first["measured"]
    assert again["measured"]
    assert again["levels"] == first["levels"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--price", "-1"), "price is -1"),
        (("--until", "soon"), "--until is 'soon'"),
        (("--until", "0h"), "must be above 0"),
    ],
)
def test_wrong_price_or_budget_is_a_bad_request(words, message, capsys):
    assert main(["plan", *TINY, *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("commands_have_a_server")
def test_session_whose_budget_is_spent_says_what_is_left(tmp_path, capsys):
    store = str(tmp_path / "runs")
    words = ("--model", "tiny", "--seconds", "0.45", "--until", "0.00000001h")
    assert main(["generate", *words, "--run", "song", "--store", store, "--json"]) == 4
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert result["state"] == "unfinished"
    assert [part["level"] for part in result["left"]] == [2, 1, 0]
    assert "the budget of --until 0.00000001h is spent" in shown.err
    assert "level 0: 13 windows" in shown.err
    assert "jukeflow resume song" in shown.err
    assert describe_run(open_store(store), "song").state == "unfinished"


def test_wrong_budget_of_a_session_creates_nothing(tmp_path, capsys):
    store = tmp_path / "runs"
    words = ("--model", "tiny", "--seconds", "0.45", "--until", "soon")
    assert main(["generate", *words, "--run", "song", "--store", str(store)]) == 2
    assert "--until is 'soon'" in capsys.readouterr().err
    assert not (store / "song").exists()
