"""`compose`, `choose`, `tree`, `purge` and `resume`: one conversation on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.__main__ import main
from musiccore.conversion.memory import read
from musiccore.storage.store import open_store
from musiccore.tags import read_tags

ASK = [
    *("compose", "--model", "tiny", "--seconds", "0.4", "--takes", "2"),
    *("--run", "song", "--json"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory, light, prefect_server) -> Path:
    return tmp_path_factory.mktemp("compose") / "runs"


@pytest.fixture
def say(store, monkeypatch, capsys):
    """Return a function that runs a command: exit code, standard output, standard error."""
    from prefect.settings import PREFECT_API_URL

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("JUKEFLOW_STORE", str(store))
        if words[0] in ("compose", "resume"):  # the server of the tests in place of another one
            monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
        else:
            monkeypatch.delenv("PREFECT_API_URL", raising=False)
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def listing(store: Path) -> dict[str, int]:
    return open_store(store).list()


def test_conversation_goes_on_from_command_to_command(say, store):
    code, out, _ = say(*ASK)
    assert code == 3
    asked = json.loads(out)
    assert (asked["run"], asked["round"], asked["seen"]) == ("song", 1, 0)
    assert asked["state"] == "waiting"
    assert [one["take"] for one in asked["candidates"]] == [1, 2]
    for one in asked["candidates"]:
        assert read(Path(one["audio"])).seconds == pytest.approx(0.4)
        made = read_tags(Path(one["audio"]).read_bytes())["provenance"]
        assert (made["run"], made["take"]) == ("song", one["take"])

    code, out, _ = say("choose", "song", "--take", "2", "--continue", "0.1s", "--json")
    assert code == 0
    chosen = json.loads(out)
    assert (chosen["choice"], chosen["action"], chosen["round"]) == (1, "continue", 1)
    assert f"jukeflow resume song --store {store}" in chosen["next"]

    code, out, _ = say("resume", "song", "--json")
    assert code == 3
    asked = json.loads(out)
    assert (asked["round"], [one["take"] for one in asked["candidates"]]) == (2, [3, 4])
    assert {one["parent"] for one in asked["candidates"]} == {2}

    words = ["choose", "song", "--take", "3", "--upsample", "--name", "Opening", "--stars", "5"]
    assert say(*words)[0] == 0
    code, out, _ = say("resume", "--json")
    assert code == 0
    ended = json.loads(out)
    assert ended["state"] == "done"
    assert read(Path(ended["master"])).seconds == pytest.approx((25 + 16) * 0.016)

    code, out, _ = say("tree", "song", "--json")
    tree = json.loads(out)
    assert [one["kind"] for one in tree["rounds"]] == ["start", "continue"]
    assert (tree["takes"][2]["name"], tree["takes"][2]["stars"]) == ("Opening", 5)
    assert all(choice["done"] for choice in tree["choices"])
    assert say("verify", "song")[0] == 0


def test_second_answer_to_a_round_is_said_to_be_a_branch(say, store):
    code, out, err = say("choose", "song", "--take", "1", "--more", "--json")
    assert code == 0
    assert json.loads(out)["branch_of"] == 1
    assert "round 1 was answered before: continue take 2" in err
    before = listing(store)
    code, _, err = say("choose", "song", "--take", "1", "--continue", "1s", "--seen", "1")
    assert code == 2
    assert "contradicts what was chosen meanwhile: more like take 1" in err
    assert listing(store) == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "nothing is chosen"),
        (["--take", "99"], "take is 99"),
        (["--take", "1", "--continue", "soon"], "--continue is 'soon'"),
        (["--take", "1", "--continue", "nan"], "--continue is 'nan'"),
        (["--take", "1", "--cut", "9-4"], "--cut is '9-4'"),
        (["--splice", "1@0-0.1+"], "--splice"),
        (["--take", "1", "--stars", "9"], "stars"),
        (["--take", "1", "--note", "a\x1b[31m"], "text"),
        (["--take", "1", "--who", "a\x07", "--keep"], "who"),
        (["--take", "1", "--temperature", "nan"], "changes.temperature"),
        (["--take", "1", "--lyrics", "x" * 50_000], "changes.lyrics"),
        (["--take", "1", "--lyrics", "a", "--lyrics-file", "b"], "--lyrics"),
        (["--take", "1", "--round", "7"], "round is 7"),
        (["--take", "1", "--round", "2"], "round is 2; take 1 is one of round 1"),
        (["--take", "1", "--seen", "-1"], "seen is -1"),
        (["--take", "1", "--seen", "99"], "seen is 99"),
        (["--take", "1", "--name", "good", "--continue", "4000s"], "seconds"),
    ],
)
def test_bad_choice_ends_with_one_line_and_leaves_the_store_as_it_was(say, store, words, named):
    before = listing(store)
    code, out, err = say("choose", "song", *words)
    assert (code, out) == (2, "")
    assert named in err.splitlines()[0]
    assert len(err.splitlines()) <= 2
    assert listing(store) == before


def test_purge_is_a_question_until_it_is_meant(say, store):
    assert say("resume", "song")[0] == 3
    assert say("choose", "song", "--take", "1", "--take", "2", "--take", "4", "--drop")[0] == 0
    before = listing(store)
    code, out, _ = say("purge", "song", "--json")
    asked = json.loads(out)
    assert (code, asked["takes"], asked["purged"]) == (0, [4], False)
    assert listing(store) == before
    code, out, _ = say("purge", "song", "--yes", "--json")
    assert json.loads(out) == {**asked, "purged": True}
    assert sum(before.values()) > sum(listing(store).values())
    assert say("verify", "song")[0] == 0
    code, out, _ = say("purge", "song", "--yes")
    assert (code, "takes none" in out) == (0, True)


def test_waiting_run_answers_again_at_once(say):
    code, out, _ = say("resume", "song", "--json")
    assert code == 3
    assert json.loads(out)["round"] == 3
