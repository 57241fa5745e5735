"""The page of a round from disk, with no network at all."""

from __future__ import annotations

import shlex

import pytest

from flows.cli.choosing import choices_of
from flows.cli.parser import parser
from tests.browser.pages import WIDTHS, played, sounds


@pytest.fixture
def page(look, nano_store, request):
    options = getattr(request, "param", {})
    page = look(offline=True, **options)
    page.goto((nano_store / "evening" / "rounds" / "001" / "index.html").as_uri())
    return page


def line(page) -> list[str]:
    """Return the words of the line, which `jukeflow` understands."""
    words = shlex.split(page.locator("#line").inner_text().splitlines()[-1])
    assert choices_of(parser().parse_args(words[1:]))
    return words


def test_every_candidate_plays_from_disk(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("1")
    page.keyboard.press("Space")
    for index in range(3):
        page.keyboard.press(str(index + 1))
        played(page, index, 0.3 * (index + 1))
    heard = sounds(page)
    assert [sound["playing"] for sound in heard] == [False, False, True]
    assert heard[0]["time"] < heard[1]["time"] < heard[2]["time"]
    assert len({sound["volume"] for sound in heard}) == 3
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []


def test_buttons_write_the_line_to_paste(page, nano_store):
    page.keyboard.press("2")
    page.locator("[data-action=continue]").click()
    start = ["jukeflow", "choose", "evening", "--round", "1", "--seen", "0"]
    store = ["--store", str(nano_store)]
    assert line(page) == [*start, "--take", "2", "--continue", "4s", *store]
    page.keyboard.press("3")
    assert line(page) == [*start, "--take", "3", "--continue", "4s", *store]
    page.locator("#take-1").get_by_label("Select").check()
    page.locator("#take-2").get_by_label("Select").check()
    page.locator("[data-action=keep]").click()
    assert line(page) == [*start, "--take", "1", "--take", "2", "--keep", *store]
    page.locator("[name=copies]").fill("3")
    page.locator("[data-action=upsample]").click()
    assert line(page)[7:-2] == ["--take", "1", "--take", "2", "--upsample", "--copies", "3"]
    page.locator("[data-action=cut]").evaluate("button => button.closest('details').open = true")
    page.locator("[data-action=cut]").click()
    page.get_by_text("Select one take for this, not 2.").wait_for()
    page.locator("#take-2").get_by_label("Select").uncheck()
    page.locator("[data-action=audition]").click()
    assert line(page)[7:-2] == ["--take", "1", "--audition", "0:00-0:06"]
    page.locator("[data-add-part]").click()
    page.locator("[name=from]").fill("0:01")
    page.locator("[data-add-part]").click()
    page.locator("[data-action=splice]").click()
    assert line(page)[7:-2] == ["--splice", "1@0:00-0:06+1@0:01-0:06"]
    page.locator("[data-action=again]").click()
    assert line(page)[7:-2] == ["--again"]
    page.locator("summary", has_text="Change what follows").click()
    page.locator("[name=genre]").fill("it's `minor` $HOME")
    page.locator("[data-action=change]").click()
    assert line(page)[7:-2] == ["--take", "1", "--genre", "it's `minor` $HOME"]


@pytest.mark.parametrize("page", [{"phone": True, "dark": True}], indirect=True)
def test_notes_and_stars_stay_in_the_browser_and_become_lines(page):
    page.locator("#take-2").get_by_role("radio", name="5 stars").check()
    page.locator("#take-2 [name=note]").fill("the ending!")
    page.locator("#take-2 [name=note]").press("Tab")
    page.reload()
    assert page.locator("#take-2 [name=note]").input_value() == "the ending!"
    words = line(page)
    assert words[words.index("--stars") + 1] == "5"
    assert words[words.index("--note") + 1] == "the ending!"
    assert page.evaluate(WIDTHS) == [390, 390]


def test_copy_gives_the_real_line_even_when_blind(page):
    page.keyboard.press("b")
    page.locator("[data-action=more]").click()
    assert "--take ?" in page.locator("#line").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    shown = page.evaluate("document.querySelector('.take').dataset.take")
    assert f"--take {shown} --more" in copied


def test_the_file_is_light(nano_store):
    text = (nano_store / "evening" / "rounds" / "001" / "index.html").read_text()
    sound = sum(len(part.split('"')[0]) for part in text.split("data:audio/mpeg;base64,")[1:])
    assert len(text) - sound < 300_000
