"""The whole story of a song, as a musician lives it, with everything killed on the way.

Form → candidates → worker and server killed → restarted → a choice on a phone → continued → a step
back and another branch → an audition → upsampling from the form, killed half-way and continued by
the scheduled deployment → the master. The same story without Prefect, browser and kills must give
the same bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from flows.asking import answer_key
from musiccore.journal.journal import Journal
from musiccore.runs.choices import make_choice, read_tree
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import describe_run
from musiccore.runs.verify import verify_run
from musiccore.storage.store import open_store
from musiccore.takes.choice import Choice
from tests.browser.pages import SCREENSHOTS, WIDTHS, loaded, played, sounds, until
from tests.browser.stage import Stage, eventually, soon
from tests.flows.rooms import TOKEN, new_run, work

RUN = "evening-song"
SONG = {"Title": "Evening song", "Artist": "bach", "Genre": "piano minor"}
NUMBERS = {"Seconds": "5", "Takes": "2", "Seed": "7"}


def test_a_song_outlives_everything(stage, look, tmp_path, monkeypatch):
    fill_in_the_form(stage, look)
    eventually(lambda: stage.state("compose-Evening song") == "Suspended", "the first takes")
    hear_the_candidates(stage, look)

    assert stage.kill() > 3  # serve, Prefect, two runners, the room
    stage.serve()
    choose_on_a_phone(stage, look)
    eventually(lambda: waits(stage) == 2, "the second round")

    step_back_and_branch(stage, look)
    eventually(lambda: waits(stage) == 3, "the third round")
    audition(stage, look)

    answer_the_resume_form(stage, look)
    kill_half_way(stage)
    stage.sweep_often(10)
    eventually(lambda: status(stage).state == "done", "the song")
    look_at_the_song(stage, look)

    assert verify_run(store(stage), RUN).sound
    assert len(read_tree(store(stage), RUN).choices) == 5
    stage.close()  # it would look for interrupted runs every few seconds
    with monkeypatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(tmp_path / "runs"))
        without_kills()
    assert digests(tmp_path / "runs") == digests(stage.store)


def fill_in_the_form(stage: Stage, look) -> None:
    page = look()
    stage.log_in(page)
    deployment = stage.deployment("compose", "compose")["id"]
    page.goto(f"{stage.ui}/v2/deployments/deployment/{deployment}/run")
    for label, words in {**SONG, **NUMBERS}.items():
        page.get_by_label(f"{label} (Optional)", exact=True).fill(words)
    page.get_by_label("name (Optional)", exact=True).fill(RUN)
    takes = page.get_by_label("Takes (Optional)", exact=True)
    takes.fill("99")
    page.get_by_role("button", name="Submit").click()
    assert "16" in takes.evaluate("field => field.validationMessage")
    assert stage.flow_runs("compose-") == []
    takes.fill(NUMBERS["Takes"])
    keep(page, "1-form")
    submit, sent = page.get_by_role("button", name="Submit"), []
    page.on("request", lambda asked: sent.append(asked) if "create_flow_run" in asked.url else None)

    def is_sent() -> object:
        page.wait_for_timeout(200)  # what the page does is heard of meanwhile
        return sent

    submit.click()
    if not soon(is_sent):
        submit.click()  # after a refusal the first click may do no more than check again
    page.wait_for_url("**?tab=Runs")
    leave(page, ours=False)


def hear_the_candidates(stage: Stage, look) -> None:
    page = enter(stage, look)
    loaded(page)
    page.keyboard.press("Space")
    played(page, 0, 0.5)
    page.keyboard.press("2")
    played(page, 1, 1.0)
    assert [sound["playing"] for sound in sounds(page)] == [False, True]
    keep(page, "2-candidates")
    leave(page)


def choose_on_a_phone(stage: Stage, look) -> None:
    page = enter(stage, look, phone=True)
    assert page.evaluate(WIDTHS) == [390, 390]
    page.locator("#take-2").get_by_label("Select").tap()
    page.locator("[name=seconds]").fill("2")
    keep(page, "3-phone")
    page.locator("[data-action=continue]").tap()
    page.get_by_text("Continue take 2 by 2 s.").first.wait_for()
    page.get_by_text("Round 2 (goes on)").wait_for(timeout=120_000)  # the page renews itself
    leave(page)


def step_back_and_branch(stage: Stage, look) -> None:
    page = enter(stage, look)
    page.locator("[data-action=back]").click()
    page.get_by_text("Round 1 (the beginning)").wait_for(timeout=120_000)  # it leads there
    assert read_tree(store(stage), RUN).position == 1
    page.keyboard.press("1")
    page.locator("[name=seconds]").fill("2")
    page.get_by_text("Change what follows").click()
    page.locator("[name=count]").fill("1")
    page.locator("[data-action=continue]").click()
    page.get_by_text("Continue take 1 by 2 s.").first.wait_for()
    leave(page)


def audition(stage: Stage, look) -> None:
    page = enter(stage, look)
    page.get_by_text("Audition, cut, join").click()
    page.locator("[name=from]").fill("0:00")
    page.locator("[name=to]").fill("0:02")
    page.locator("[data-action=audition]").click()
    page.get_by_text("Audition take 5 from 0:00 to 0:02.").first.wait_for()
    page.get_by_text("Audition 0.0–2.0 s, full quality").wait_for(timeout=120_000)
    eventually(lambda: waits(stage) == 3, "the end of the audition")
    loaded(page)
    page.keyboard.press("a")
    page.keyboard.press("Space")
    until(page, "document.querySelector('.auditions audio').currentTime > 0.3")
    keep(page, "4-tree")
    leave(page)


def answer_the_resume_form(stage: Stage, look) -> None:
    eventually(lambda: asks_what_the_store_waits_for(stage), "the question")
    (run,) = stage.flow_runs("compose-Evening song")
    page = look()
    stage.log_in(page)
    page.goto(f"{stage.ui}/v2/runs/flow-run/{run['id']}")  # the newer UI shows links, no players
    page.locator("button[aria-haspopup=menu]").first.click()
    page.get_by_role("menuitem", name="Resume").click()
    take = page.get_by_role("listitem").filter(has_text="take 5")
    listen = take.get_by_role("link", name="listen", exact=True).get_attribute("href")
    assert page.request.get(listen).headers["content-type"] == "audio/mpeg"
    page.goto(f"{stage.ui}/runs/flow-run/{run['id']}")  # the older one plays in its form
    page.get_by_role("button", name="Resume").first.click()
    form = page.locator(".p-modal")
    form.locator("audio").first.wait_for(state="attached")
    page.evaluate("document.querySelector('.p-modal audio').play()")
    until(page, "document.querySelector('.p-modal audio').currentTime > 0.3")
    assert page.evaluate("document.querySelector('.p-modal article').clientHeight") > 150
    choose_from(page, form, 0, "upsample")
    choose_from(page, form, 1, "take 5")
    keep(page, "5-resume-form", full=False)
    form.get_by_role("button", name="Submit").click()
    eventually(lambda: len(read_tree(store(stage), RUN).choices) == 5, "the answer of the form")
    leave(page, ours=False)


def asks_what_the_store_waits_for(stage: Stage) -> bool:
    """Whether the suspended run shows the present question.

    Where another Prefect run carried out a choice, this one shows the question before it, and that
    one's takes, until it has been woken and has asked again.
    """
    (run,) = stage.flow_runs("compose-Evening song")
    keys = run["state"]["state_details"].get("run_input_keyset") or {}
    asked = Journal.open(store(stage), RUN).events_of("waiting")
    tree = read_tree(store(stage), RUN)
    last = asked[-1]
    now = (last.fields["round"], last.fields["seen"], last.fields["flow_run"])
    return (
        run["state"]["name"] == "Suspended"
        and now == (tree.position, tree.seen, run["id"])
        and f"{answer_key(last.seq)}-" in str(keys.get("schema"))
    )


def choose_from(page, form, number: int, words: str) -> None:
    form.locator(".p-select-button__control").nth(number).click()
    page.keyboard.press("ArrowDown")
    page.locator(".p-select-option", has_text=words).first.click()


def kill_half_way(stage: Stage) -> None:
    """Kill the process of the flow between two windows of the bottom level."""

    def half() -> bool:
        songs = Picture.of(store(stage), RUN).to_json()["songs"]
        return any(0 < level["fraction"] < 1 for song in songs for level in song["levels"][:1])

    eventually(half, "half of level 1")
    assert stage.kill("prefect.engine")
    assert status(stage).master is None
    eventually(lambda: stage.state("compose-Evening song") == "Crashed", "the mark in Prefect")


def look_at_the_song(stage: Stage, look) -> None:
    page = enter(stage, look)
    page.get_by_role("heading", name="Song 1").wait_for()
    page.get_by_role("link", name="Song page").click()
    page.get_by_role("heading", name="Evening song").wait_for()
    until(page, "document.querySelector('audio').readyState >= 1")
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(7, abs=0.2)
    keep(page, "6-song")
    leave(page)


def without_kills() -> None:
    """The same request and the same choices, in one process and without Prefect."""
    new_run(
        RUN,
        title=SONG["Title"],
        conditioning={"artist": SONG["Artist"], "genre": SONG["Genre"]},
        seconds=5.0,
        takes=2,
        sampling={"seed": 7},
    )
    assert describe_run(here(), RUN).state == "waiting"
    for choices in (
        [{"action": "continue", "takes": [2], "seconds": 2}],
        [{"action": "back"}, {"action": "continue", "takes": [1], "seconds": 2, "count": 1}],
        [{"action": "audition", "takes": [5], "start": 0, "end": 2}],
        [{"action": "upsample", "takes": [5]}],
    ):
        for choice in choices:
            make_choice(here(), RUN, Choice.parse(choice), by="command")
        work(RUN)
    assert describe_run(here(), RUN).state == "done"


def here():
    from tasks.context import shared_store

    return shared_store()


def digests(root: Path) -> dict[str, str]:
    """Return the digests of every take, and of every file of the song."""
    files = [*root.glob(f"{RUN}/rounds/*/*.wav"), *root.glob(f"{RUN}/export/*")]
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if path.name != "manifest.json"  # it says when it was written
    }


def store(stage: Stage):
    return open_store(str(stage.store))


def status(stage: Stage):
    return describe_run(store(stage), RUN)


def waits(stage: Stage) -> int:
    """Return the round that waits for a choice, 0 if none does."""
    found = status(stage)
    return found.round if found.state == "waiting" else 0


def enter(stage: Stage, look, **options):
    page = look(**options)
    page.goto(f"{stage.room}/enter?token={TOKEN}")
    page.wait_for_url(f"{stage.room}/")
    page.goto(f"{stage.room}/runs/{RUN}")
    return page


def leave(page, *, ours: bool = True) -> None:
    """Leave a page before its server is killed; ours must have been silent.

    Prefect's own pages ask hosts that are not there.
    """
    if ours:
        assert page.complaints == []
    page.goto("about:blank")
    page.complaints.clear()


def keep(page, name: str, *, full: bool = True) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"story-{name}.png"), full_page=full)
