"""A real Chromium, one run made by nano, and a room that shows it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.pages import PATIENCE, SCREENSHOTS
from tests.browser.stage import Stage
from tests.flows.rooms import TOKEN, chosen, new_run, room_app, sample, served, work

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")

DESK = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP evil.example 127.0.0.1",  # a name whose owner points it at us
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.programs("chromium"))


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Chromium of this machine.

    Not longer than a module: while it is open, an event loop runs in this thread, and tests of
    other folders want to start theirs.
    """
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser, request) -> Iterator[object]:
    """Open pages that may say nothing on the console; keeps a picture of how each one ended."""
    opened = []

    def open_page(*, phone: bool = False, dark: bool = False, offline: bool = False, **options):
        context = browser.new_context(
            viewport=PHONE if phone else DESK,
            has_touch=phone,
            is_mobile=phone,
            color_scheme="dark" if dark else "light",
            offline=offline,
            **options,
        )
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{said.text} ({said.location['url']})")
                if said.type in ("error", "warning")
                else 0
            ),
        )
        page.complaints = complaints
        opened.append(page)
        return page

    yield open_page
    SCREENSHOTS.mkdir(exist_ok=True)
    for number, page in enumerate(opened, start=1):
        name = request.node.name.removeprefix("test_") + (f"-{number}" if number > 1 else "")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=str(SCREENSHOTS / f"{name}.png"), full_page=True)
        complaints = page.complaints
        page.context.close()
        assert complaints == []


@pytest.fixture(scope="session")
def machine(tmp_path_factory) -> Iterator[Stage]:
    """One machine for every test that needs Prefect's real server and pages."""
    stage = Stage(tmp_path_factory.mktemp("stage"), TOKEN)
    yield stage
    stage.close()


@pytest.fixture
def stage(machine) -> Stage:
    """The machine with `jukeflow serve` on it, which goes on from test to test."""
    if not machine.serves:
        machine.serve()
    return machine


@pytest.fixture(scope="session")
def nano_store(tmp_path_factory) -> Iterator[Path]:
    """A store with one run of nano: two rounds, an audition, and a song that is being made."""
    root = tmp_path_factory.mktemp("listening") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(root))
        patch.setenv("JUKEFLOW_CACHE", str(root.parent / "cache"))
        patch.setenv("JUKEFLOW_ROOM_TOKEN", TOKEN)
        new_run(
            "evening",
            model="nano",
            seconds=5,
            takes=3,
            title="Evening study",
            conditioning={"artist": "bach", "genre": "piano minor"},
            sampling={"seed": 5},
        )
        chosen("evening", action="note", takes=[2], stars=4, text="warm, a good ending")
        chosen("evening", action="rename", takes=[2], text="Slow chorale")
        chosen("evening", action="continue", takes=[2], seconds=1, count=2)
        chosen("evening", action="audition", takes=[2], start=1.0, end=2.0)
        work("evening")
        chosen("evening", action="upsample", takes=[4])
        sample("evening", 1)
        yield root


@pytest.fixture(scope="session")
def room(nano_store) -> Iterator[str]:
    """Address of a room that shows the run of nano."""
    with served(room_app()) as address:
        yield address


@pytest.fixture
def waiting(nano_store, request) -> str:
    """Name of a run that waits for a choice and may be changed by this test."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50].strip("-")
    new_run(name, model="tiny", seconds=4.2, takes=2, title="Waiting", sampling={"seed": 3})
    return name


@pytest.fixture
def enter(look, room):
    """Open a page of the room as somebody who knows the token."""

    def enter_page(path: str, **options):
        page = look(**options)
        page.goto(f"{room}/enter?token={TOKEN}")
        page.wait_for_url(f"{room}/")
        page.goto(room + path)
        return page

    return enter_page
