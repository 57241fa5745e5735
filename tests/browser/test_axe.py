"""Nothing that axe-core finds hinders anybody: every page, light and dark, desk and phone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.rooms import TOKEN, chosen, new_run, room_app, served, unattended_run, work

AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental")
RUN = f"axe.run(document, {{runOnly: {list(RULES)}, resultTypes: ['violations']}})"
FOUND = (
    "found => found.violations.map(one => one.id + ': ' + one.nodes.map(node => "
    "node.html.slice(0, 160) + ' ' + node.failureSummary).join(' | '))"
)
PAGES = ("/", "/runs/evening?round=1", "/runs/evening", "/runs/sung", "/runs/alone", "/runs/nobody")


@pytest.fixture(scope="module")
def axe() -> str:
    """The checks of axe-core; the tests are skipped, loudly, where they are not installed."""
    if not AXE.is_file():
        why = "axe-core is not installed: make browser"
        warnings.warn(f"NO PAGE IS CHECKED FOR ACCESSIBILITY: {why}", stacklevel=1)
        pytest.skip(f"no page is checked for accessibility: {why}")
    return AXE.read_text()


@pytest.fixture(scope="module")
def sung(nano_store):
    """A finished song whose take has a name, and one that nobody was asked about."""
    new_run("sung", model="tiny", seconds=0.4, title="Sung")
    chosen("sung", action="rename", takes=[2], text="A name that is too long for its box")
    chosen("sung", action="note", takes=[2], stars=3, text="good")
    chosen("sung", action="upsample", takes=[2])
    work("sung")
    unattended_run("alone", model="tiny", seconds=0.4, title="Alone")
    return nano_store


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Iterator[str]:
    """Address of a room without a run; it outlives the pages, which ask it again and again."""
    with served(room_app(store=str(tmp_path_factory.mktemp("empty")))) as address:
        yield address


@pytest.fixture
def check(axe, look, request):
    """Look at a page as axe-core does, with everything on it unfolded."""
    dark, phone = request.param

    def found(*addresses: str, token: bool = True) -> dict[str, list[str]]:
        page = look(dark=dark, phone=phone, bypass_csp=True)
        if token:
            page.goto(f"{addresses[0].partition('/runs')[0].rstrip('/')}/enter?token={TOKEN}")
            page.wait_for_url("**/")
        faults = {}
        for address in addresses:
            page.goto(address)
            page.wait_for_load_state()
            for details in page.locator("details").all():
                details.evaluate("box => { box.open = true; }")
            page.add_script_tag(content=axe)
            faults[address] = page.evaluate(f"{RUN}.then({FOUND})")
        page.complaints.clear()  # an answer of 404 is one
        return faults

    return found


LOOKS = pytest.mark.parametrize(
    "check",
    [
        pytest.param((False, False), id="light-desk"),
        pytest.param((True, True), id="dark-phone"),
        pytest.param((True, False), id="dark-desk", marks=pytest.mark.whole),
        pytest.param((False, True), id="light-phone", marks=pytest.mark.whole),
    ],
    indirect=True,
)


@LOOKS
def test_nothing_hinders_anybody_in_the_room(check, sung, room):
    song = f"{room}/runs/sung/songs/1/files/index.html"
    addresses = [*(room + path for path in PAGES), song]
    assert check(*addresses) == {address: [] for address in addresses}


@LOOKS
def test_nothing_hinders_anybody_at_the_door_and_in_an_empty_room(check, room, empty):
    assert check(f"{room}/", token=False) == {f"{room}/": []}  # closed
    assert check(f"{empty}/") == {f"{empty}/": []}


@LOOKS
def test_nothing_hinders_anybody_in_the_files(check, sung):
    files = [
        (sung / "evening" / "rounds" / "001" / "index.html").as_uri(),
        (sung / "sung" / "export" / "index.html").as_uri(),
    ]
    assert check(*files, token=False) == {file: [] for file in files}
