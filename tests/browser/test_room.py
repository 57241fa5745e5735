"""People hear and choose in a real browser."""

from __future__ import annotations

import pytest

from musiccore.audio.measures import loudness_lufs
from musiccore.conversion.memory import read
from musiccore.runs.choices import read_tree
from musiccore.runs.snapshot import Picture, blob_sizes
from musiccore.storage.store import BlobRef
from tasks.context import shared_store
from tasks.links import room_link
from tasks.settings import Settings
from tests.browser.pages import (
    SCREENSHOTS,
    WIDTHS,
    beginnings,
    loaded,
    note_beginnings,
    played,
    sounds,
    until,
)
from tests.flows.rooms import TOKEN, chosen, new_run, work

ROUND = "/runs/evening?round=1"


def choices(run):
    return read_tree(shared_store(), run).choices


def test_the_list_says_who_waits_and_leads_to_the_round(enter, waiting):
    page = enter("/", dark=True)
    first = page.locator(".songs li").first
    assert "waits for you" in first.inner_text()
    page.get_by_role("link", name="Evening study").click()
    page.get_by_role("heading", name="Evening study").wait_for()


def test_space_plays_and_digits_keep_the_position(enter):
    page = enter(ROUND)
    loaded(page)
    note_beginnings(page)
    page.keyboard.press("Space")
    played(page, 0, 0.6)
    page.keyboard.press("3")
    played(page, 2, 0.6)
    first, second, third = sounds(page)
    assert [s["playing"] for s in (first, second, third)] == [False, False, True]
    assert beginnings(page)[-1] == pytest.approx(first["time"], abs=0.1)
    played(page, 2, third["time"] + 0.2)  # it goes on
    page.keyboard.press("Space")
    stopped = sounds(page)[2]["time"]
    page.keyboard.press("j")
    assert sounds(page)[2]["time"] == pytest.approx(max(0, stopped - 2), abs=0.05)
    page.keyboard.press("k")
    assert sounds(page)[2]["time"] == pytest.approx(max(0, stopped - 2) + 2, abs=0.05)
    page.keyboard.press("2")
    assert sounds(page)[1]["time"] == pytest.approx(sounds(page)[2]["time"], abs=0.05)
    assert "Slow chorale" in page.locator("#target").inner_text()


def test_candidates_play_equally_loud_and_below_full_scale(enter):
    page = enter(ROUND)
    loaded(page)
    store = shared_store()
    picture = Picture.of(store, "evening")
    sizes = blob_sizes(picture)
    heard = []
    for take, sound in zip(picture.candidates(1), sounds(page), strict=True):
        ref = BlobRef(sha256=take["preview"], size=sizes[take["preview"]])
        clip = read(picture.journal.get_blob(ref))
        assert sound["volume"] <= 1
        heard.append(loudness_lufs(clip.samples * sound["volume"], clip.sample_rate))
    assert min(heard) > -40, heard
    assert max(heard) - min(heard) < 0.5
    page.get_by_label("Same loudness").uncheck()
    assert {sound["volume"] for sound in sounds(page)} == {1}


def test_a_phone_that_fixes_the_volume_still_plays_equally_loud(look, room):
    page = look(phone=True)
    page.add_init_script(
        "Object.defineProperty(HTMLMediaElement.prototype, 'volume', "
        "{get: () => 1, set: () => {}});"
        "const make = AudioContext.prototype.createGain; window.faders = [];"
        "AudioContext.prototype.createGain = function () {"
        " const fader = make.call(this); window.faders.push(fader); return fader; };"
    )
    page.goto(f"{room}/enter?token={TOKEN}")
    page.wait_for_url(f"{room}/")
    page.goto(room + ROUND)
    loaded(page)
    page.get_by_role("button", name="Play Take 1").click()
    played(page, 0, 0.2)
    gains = page.evaluate("window.faders.map(f => f.gain.value)")
    assert gains
    assert all(0 < gain <= 1 for gain in gains)
    assert min(gains) < 1


def test_blind_order_hides_which_is_which(enter):
    page = enter(ROUND)
    page.keyboard.press("b")
    names = page.locator(".take .name").all_inner_texts()
    assert names == ["Candidate A", "Candidate B", "Candidate C"]
    assert not page.locator(".take .facts").first.is_visible()
    page.keyboard.press("b")
    assert page.locator(".take .name").all_inner_texts() == ["Take 1", "Slow chorale", "Take 3"]


def test_playing_starts_at_the_new_part(enter):
    page = enter("/runs/evening?round=2")
    loaded(page)
    note_beginnings(page)
    page.keyboard.press("n")
    page.keyboard.press("Space")
    played(page, 0, 4.9)
    assert beginnings(page)[0] == pytest.approx(5.0, abs=0.1)


def test_an_audition_plays_at_the_same_moment(enter):
    page = enter(ROUND)
    loaded(page)
    page.keyboard.press("2")
    page.keyboard.press("k")
    page.keyboard.press("a")
    audition = page.evaluate("document.querySelector('.auditions audio').currentTime")
    assert audition == pytest.approx(0.99, abs=0.05)  # it begins at 1 s and lasts one
    page.get_by_text("Audition 1.0–2.0 s, full quality").wait_for()


def test_a_growing_song_can_be_heard(enter):
    page = enter("/runs/evening")
    card = page.locator("[data-song='1']")
    card.get_by_role("button", name="Play Song 1").click()
    until(page, "document.querySelector('[data-song] audio').currentTime > 0.3")
    assert "100 %" in card.locator("[data-level-words='1']").inner_text()
    assert "0 %" in card.locator("[data-level-words='0']").inner_text()


def test_a_spectrogram_comes_on_demand(enter):
    page = enter(ROUND)
    assert page.evaluate("document.querySelector('#take-1 img').naturalWidth") == 0
    page.locator("#take-1 summary", has_text="Spectrogram").click()
    until(page, "document.querySelector('#take-1 img').naturalWidth > 100")


def test_a_choice_with_the_keyboard_alone(enter, waiting):
    page = enter(f"/runs/{waiting}")
    page.keyboard.press("2")

    def reach(name):
        for _ in range(60):
            page.keyboard.press("Tab")
            found = page.evaluate(
                "[document.activeElement.dataset?.action || document.activeElement.name || '',"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            if found[0] == name:
                assert found[1] != "none"  # the focus can be seen
                return
        raise AssertionError(f"Tab does not reach {name}")

    reach("seconds")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    reach("continue")
    page.keyboard.press("Enter")
    page.get_by_text("Continue take 2 by 2 s. It goes on.").wait_for()
    (made,) = choices(waiting)
    assert (made.choice.action, made.choice.takes, made.choice.seconds) == ("continue", (2,), 2.0)


def test_a_choice_on_a_phone(enter, waiting):
    page = enter(f"/runs/{waiting}", phone=True)
    assert page.evaluate(WIDTHS) == [390, 390]
    small = page.evaluate(
        "[...document.querySelectorAll('button, summary, .switch')].filter(e => e.offsetParent)"
        ".filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"
    )
    assert small == []
    page.locator("#take-2").get_by_label("Select").tap()
    page.get_by_role("radio", name="4 stars").last.tap()
    page.get_by_text("Note on take 2.").wait_for()
    page.get_by_role("button", name="Send to upsampling").tap()
    page.get_by_role("heading", name="Song 1").wait_for()  # the page renewed itself
    page.get_by_text("Send take 2 to upsampling. It goes on.").wait_for()
    assert [made.choice.action for made in choices(waiting)] == ["note", "upsample"]


@pytest.mark.parametrize("phone", [False, True])
def test_every_page_fits_its_screen(enter, room, phone):
    page = enter("/", phone=phone, dark=phone)
    for path in ("/", ROUND, "/runs/evening"):
        page.goto(room + path)
        for details in page.locator("details").all():
            details.evaluate("box => { box.open = true; }")
        scroll, width = page.evaluate(WIDTHS)
        assert scroll <= width, path


def test_a_contradiction_is_shown_and_can_become_a_branch(enter, waiting):
    page = enter(f"/runs/{waiting}")
    chosen(waiting, action="continue", takes=[1], seconds=4)
    page.complaints.clear()
    page.keyboard.press("2")
    page.locator("[data-action=continue]").click()
    page.get_by_text("Ada chose meanwhile: continue take 1 by 4 s.").wait_for()
    assert page.complaints.pop().startswith("Failed to load resource")  # the 409 itself
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / "contradiction.png"))
    page.get_by_role("button", name="Choose mine as well").click()
    page.get_by_text("Continue take 2 by 4 s. It goes on.").wait_for()
    assert [made.choice.takes for made in choices(waiting)] == [(1,), (2,)]


def test_a_wrong_choice_is_refused_in_words(enter, waiting):
    page = enter(f"/runs/{waiting}")
    page.locator("[name=seconds]").fill("-1")
    page.locator("[data-action=continue]").click()
    page.get_by_text("Seconds is '-1'").wait_for()
    assert page.complaints.pop().startswith("Failed to load resource")  # the 400 itself
    assert choices(waiting) == ()


def test_what_is_new_appears_for_somebody_who_waits_for_it(enter, waiting):
    page = enter(f"/runs/{waiting}")
    page.locator("[data-action=more]").click()
    page.get_by_text("More like take 1. It goes on.").wait_for()
    work(waiting)
    page.get_by_text("Round 2 (more like one take)").wait_for()
    page.locator(".card.take").nth(1).wait_for()


def test_notes_names_and_drops_are_kept(enter, waiting):
    page = enter(f"/runs/{waiting}")
    page.locator("#take-1 [name=note]").fill("too <b>fast</b>")
    page.locator("#take-1 [name=note]").press("Enter")
    page.get_by_text("Note on take 1.").wait_for()
    page.locator("#take-2 [name=rename]").fill("Blue hour")
    page.locator("#take-2 [name=rename]").press("Tab")
    page.get_by_text("Call take 2 'Blue hour'.").wait_for()
    page.locator("#take-1").get_by_label("Select").check()
    page.locator("[data-action=drop]").click()
    page.get_by_text("Drop take 1.").wait_for()
    page.reload()
    assert page.locator(".card.take .name").all_inner_texts() == ["Blue hour"]
    page.get_by_role("button", name="Bring back take 1").click()
    page.locator("#take-1").wait_for()
    assert page.locator("#take-1 [name=note]").input_value() == "too <b>fast</b>"


def test_the_tree_leads_to_another_round(enter):
    page = enter("/runs/evening")
    page.locator(".tree a", has_text="Take 3").click()
    page.get_by_text("This is an earlier round").wait_for()
    assert page.url.endswith("?round=1#take-3")


def test_a_finished_song_has_its_page_and_can_be_mended(enter):
    new_run("finished", model="tiny", seconds=0.4, title="Finished")
    chosen("finished", action="upsample", takes=[2])
    work("finished")
    page = enter("/runs/finished")
    page.locator("[data-redo] [name=to]").fill("0:00.2")
    page.get_by_role("button", name="Redo this stretch").click()
    page.get_by_text("Redo song 1 from 0:00 to 0:00.20. It goes on.").wait_for()
    page.get_by_role("heading", name="Song 2").wait_for()  # the page renewed itself
    assert choices("finished")[-1].choice.rendition == 1
    page.locator("[data-song='1']").get_by_role("link", name="Song page").click()
    page.get_by_role("heading", name="Finished").wait_for()
    page.get_by_role("button", name="Play Song").click()
    until(page, "document.querySelector('audio').currentTime > 0.1")
    link = page.get_by_role("link", name="FLAC").evaluate("link => link.href")
    assert page.request.get(link).body()[:4] == b"fLaC"


def test_a_link_from_elsewhere_opens_one_run(look, room, nano_store):
    page = look()
    page.goto(room_link("evening", Settings(room=room, room_token=TOKEN)))
    page.get_by_role("heading", name="Evening study").wait_for()
    assert "key=" not in page.url
