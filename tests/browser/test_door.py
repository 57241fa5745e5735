"""A web page that is not ours meets the server of `jukeflow serve`, and so do those who may enter.

The page stands at the worst places there are: another port of this machine, and a name whose owner
points it at this machine.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.__main__ import main
from flows.embedded import prepare
from flows.serving.passwords import password_file
from flows.tending import Tending
from flows.workshop import Workshop
from musiccore.runs.choices import make_choice
from musiccore.runs.snapshot import Picture
from musiccore.storage.store import open_store
from musiccore.takes.choice import Choice
from tests.browser.pages import SCREENSHOTS
from tests.browser.stage import eventually
from tests.flows.rooms import new_run

TRY = """async ([address, how]) => {
  if (how.blob) { how.body = new Blob([how.blob]); }
  try {
    const reply = await fetch(address, how);
    return reply.type === "opaque" ? "opaque" : `${reply.status} ${await reply.text()}`;
  } catch (error) { return "failed"; }
}"""
LISTEN = """address => new Promise(said => {
  const socket = new WebSocket(address, ["prefect"]);
  socket.onopen = () => said("open");
  socket.onclose = () => said("closed");
})"""
FORM = """<!doctype html><title>elsewhere</title><iframe name="there"></iframe>
<form method="post" enctype="text/plain" target="there" action="{address}">
<input name='{{"name": "by-form", "x": "' value='"}}'><button>Go</button></form>"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ThreadingHTTPServer]:
    """A web server that is not ours; its page has the form that is set as `page`."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(self.server.page.encode())  # type: ignore[attr-defined]

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        server.page = "<!doctype html><title>elsewhere</title>"  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(params=["127.0.0.1", "evil.example"])
def foreign(request, look, elsewhere):
    """A page that is not ours."""
    page = look()
    page.goto(f"http://{request.param}:{elsewhere.server_address[1]}/")
    yield page
    page.goto("about:blank")
    page.complaints.clear()  # the browser says on the console what it does not allow


def known_to(stage, page) -> dict[str, str]:
    """Return what a page would send that has somehow learnt the password."""
    return {"Authorization": "Basic " + page.evaluate("btoa", stage.password)}


def flows(stage) -> set[str]:
    """Return the names of the flows; a page elsewhere tries to add some."""
    return {flow["name"] for flow in stage.ask("POST", "/flows/filter", {}).json()}


def attempt(page, address: str, **how: object) -> str:
    return page.evaluate(TRY, [address, how])


def test_a_page_elsewhere_cannot_read(stage, foreign):
    for headers in ({}, known_to(stage, foreign)):
        for path in ("/deployments/filter", "/artifacts/filter", "/flow_runs/filter"):
            kind = {"Content-Type": "application/json", **headers}
            reply = attempt(foreign, stage.api + path, method="POST", headers=kind, body="{}")
            assert reply == "failed"
        for path in ("/admin/settings", "/variables/count", "/health", "/openapi.json"):
            assert attempt(foreign, stage.api + path, headers=headers) == "failed"
    assert attempt(foreign, f"{stage.ui}/ui-settings") == "failed"


def test_a_page_elsewhere_cannot_write_or_start_even_unheard(stage, foreign):
    deployment = stage.deployment("convert", "convert")
    runs = len(stage.flow_runs("convert-"))
    before = flows(stage)
    wanted = (
        ("POST", "/flows/", {"name": "written"}),
        ("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": {}}),
        ("PATCH", f"/deployments/{deployment['id']}", {"entrypoint": "os.system"}),
        ("DELETE", f"/deployments/{deployment['id']}", {}),
    )
    for method, path, body in wanted:
        text = json.dumps(body)
        for headers in ({}, known_to(stage, foreign)):
            kind = {"Content-Type": "application/json", **headers}
            assert attempt(foreign, stage.api + path, method=method, headers=kind, body=text) == (
                "failed"
            )
        if method == "POST":  # those that a browser sends without asking first
            for way in ({"body": text}, {"blob": text}):  # text/plain; no type at all
                sent = attempt(foreign, stage.api + path, method="POST", mode="no-cors", **way)
                assert sent == "opaque"
    assert flows(stage) == before
    after = stage.deployment("convert", "convert")
    assert {**after, "last_polled": 0} == {**deployment, "last_polled": 0}
    assert len(stage.flow_runs("convert-")) == runs


def test_a_form_elsewhere_writes_nothing(stage, foreign, elsewhere):
    elsewhere.page = FORM.format(address=f"{stage.api}/flows/")
    before = flows(stage)
    foreign.reload()
    with foreign.expect_response(f"{stage.api}/flows/") as sent:
        foreign.get_by_role("button", name="Go").click()
    assert sent.value.status == 403
    assert flows(stage) == before


def test_a_page_elsewhere_hears_no_events(stage, foreign):
    there = stage.api.replace("http:", "ws:")
    for path in ("/events/in", "/events/out", "/logs/out"):
        assert foreign.evaluate(LISTEN, there + path) == "closed"


def test_a_page_elsewhere_cannot_frame_the_pages_of_prefect(stage, foreign):
    foreign.evaluate(
        "address => { const frame = document.createElement('iframe'); frame.src = address;"
        " document.body.append(frame); }",
        f"{stage.ui}/v2/login",
    )
    for _ in range(200):
        if (framed := foreign.frames[-1].url) not in ("", "about:blank"):
            break
        foreign.wait_for_timeout(50)
    assert framed.startswith("chrome-error:")


def test_a_name_that_is_pointed_at_this_machine_opens_nothing(stage, look):
    page = look()
    port = stage.ui.rpartition(":")[2]
    assert page.goto(f"http://evil.example:{port}/").status == 421
    kind = {"Content-Type": "application/json", **known_to(stage, page)}
    before = flows(stage)
    for path, body in (("/flows/filter", "{}"), ("/flows/", '{"name": "rebound"}')):
        reply = attempt(page, f"/api{path}", method="POST", headers=kind, body=body)
        assert reply.startswith("421 ")
    assert page.evaluate(LISTEN, f"ws://evil.example:{port}/api/events/out") == "closed"
    assert flows(stage) == before
    page.complaints.clear()


@pytest.mark.parametrize("pages", ["v1", "v2"])
def test_prefects_own_pages_work_once_the_password_is_entered(stage, look, pages):
    page = look()
    root = stage.ui.replace("127.0.0.1", "localhost") + ("/v2" if pages == "v2" else "")
    page.goto(f"{root}/deployments")
    field = page.locator("input[type=password]")
    field.fill("jukeflow:not-this-one")
    with page.expect_response(lambda reply: reply.status == 401):
        field.press("Enter")
    assert field.is_visible()
    field.fill(stage.password)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"login-{pages}.png"))
    field.press("Enter")
    page.get_by_text("convert-new").first.wait_for()
    page.screenshot(path=str(SCREENSHOTS / f"after-login-{pages}.png"))
    assert stage.password not in page.url
    page.goto("about:blank")
    page.complaints.clear()  # Prefect's pages ask before they know the password, and hosts afar


def test_the_runners_work_behind_the_door(stage):
    found = stage.deployment("resume-interrupted", "resume-interrupted")
    run = stage.ask("POST", f"/deployments/{found['id']}/create_flow_run", {}).json()

    def state() -> str:
        return stage.ask("GET", f"/flow_runs/{run['id']}").json()["state"]["type"]

    eventually(lambda: state() == "COMPLETED", "the end of the run")


def test_an_old_client_is_told_what_to_do(stage, tmp_path):
    env = {**stage.env, "PREFECT_HOME": str(tmp_path), "PREFECT_API_URL": stage.api}
    said = subprocess.run(
        [sys.executable, "-m", "prefect", "deployment", "ls"],
        env={**env, "COLUMNS": "500"},
        capture_output=True,
        text=True,
    )
    assert said.returncode != 0
    assert "Give it in PREFECT_API_AUTH_STRING: `jukeflow serve` printed it" in " ".join(
        (said.stdout + said.stderr).split()
    )


def test_another_command_finds_the_password_or_is_told_what_to_do(
    stage, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    monkeypatch.setenv("PREFECT_API_URL", stage.api)
    monkeypatch.setenv("JUKEFLOW_STORE", str(tmp_path / "runs"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    words = ["compose", "--model", "tiny", "--seconds", "1"]
    for wrong in ("", "jukeflow:of-yesterday"):
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", wrong)
        assert main(words) == 2
        error, hint = capsys.readouterr().err.strip().splitlines()[-2:]
        assert error.startswith(f"error: PREFECT_API_URL: the Prefect server at {stage.api}")
        assert "PREFECT_API_AUTH_STRING" in hint
        assert not (tmp_path / "runs").exists()
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "")
    monkeypatch.setenv("PREFECT_HOME", str(stage.home))
    with prepare():
        assert os.environ["PREFECT_API_AUTH_STRING"] == stage.password
    assert main(["doctor", "--json"]) == 0
    found = {one["check"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["prefect server"] == {"check": "prefect server", "ok": True, "value": stage.api}


def test_the_password_lies_beside_the_database_for_its_user_alone(stage):
    path = password_file(stage.home, int(stage.ui.rpartition(":")[2]))
    assert path.read_text().strip() == stage.password
    for file in (path, stage.home / "prefect.db"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_log_holds_a_secret(stage):
    logs = list((stage.home / "jukeflow-serve").glob("*.log"))
    assert len(logs) == 4
    for log in (*logs, stage.home / "serve.log"):
        words = log.read_text()
        assert stage.password.partition(":")[2] not in words
        assert stage.env["JUKEFLOW_ROOM_TOKEN"] not in words
        assert "key=" not in words


def test_a_room_on_its_own_finds_the_password_of_now(stage, tmp_path, monkeypatch):
    """`listen` knows the server's address alone, as after a restart of `serve`."""
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    monkeypatch.setenv("PREFECT_API_URL", stage.api)
    monkeypatch.setenv("PREFECT_HOME", str(stage.home))
    monkeypatch.setenv("JUKEFLOW_STORE", str(tmp_path / "runs"))
    monkeypatch.setenv("JUKEFLOW_CACHE", str(tmp_path / "cache"))
    new_run("lone", model="tiny", seconds=0.4)
    store = open_store(str(tmp_path / "runs"))
    choice = Choice.parse({"action": "upsample", "takes": [1]})
    made = make_choice(store, "lone", choice, by="room")
    room = Tending(store, Workshop(store, tmp_path / "logs"))
    with temporary_settings({PREFECT_API_URL: stage.api, PREFECT_API_AUTH_STRING: "old:one"}):
        room.chosen("lone", made)
        eventually(lambda: stage.flow_runs("resume-lone"), "a run that carries it out")
    assert room.tended(Picture.of(store, "lone")).problem == ""
