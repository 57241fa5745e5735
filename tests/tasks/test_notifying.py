"""Messages to a webhook, posted to a real server of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from musiccore.errors import ConfigError
from tasks import notifying
from tasks.links import room_link
from tasks.notifying import notify
from tasks.settings import Settings

FACTS = {"run": "bach-1", "round": 1, "text": "bach-1 waits for a choice", "link": "http://x/y"}


class Hook(ThreadingHTTPServer):
    """Keeps what it was sent, and answers with the next of some statuses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.statuses: list[int] = []
        self.bodies: list[dict[str, object]] = []
        self.answers = threading.Event()  # until it is set, nobody gets an answer
        self.answers.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/secret-path"


class Receiver(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self.server.answers.wait(60)
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook(monkeypatch) -> Iterator[Hook]:
    monkeypatch.setattr(notifying, "PAUSES_SECONDS", (0.0, 0.0))
    with Hook() as hook:
        threading.Thread(target=hook.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("JUKEFLOW_WEBHOOK", hook.address)
        monkeypatch.setenv("JUKEFLOW_ROOM_TOKEN", "a-token-of-this-test")
        yield hook
        hook.shutdown()


def delivered() -> None:
    """Wait until no message is under way."""
    for thread in threading.enumerate():
        if thread.name == "notify":
            thread.join(20)


def test_message_holds_the_facts(hook) -> None:
    notify("choice-needed", FACTS)
    delivered()
    assert hook.bodies == [{"event": "choice-needed", **FACTS}]


def test_message_without_text_and_link_says_the_event_and_where(hook) -> None:
    notify("choice-needed", {"run": "bach-1"})
    delivered()
    assert hook.bodies[0]["text"] == "jukeflow: choice-needed"
    assert hook.bodies[0]["link"] == room_link("bach-1")


def test_server_error_is_tried_again_twice(hook, caplog) -> None:
    hook.statuses = [500, 503, 200]
    notify("choice-needed", FACTS)
    delivered()
    assert len(hook.bodies) == 3
    assert not caplog.records


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (404, 1), (302, 3)])
def test_warning_does_not_hold_the_address(hook, caplog, status, attempts) -> None:
    hook.statuses = [status] * 3
    notify("choice-needed", FACTS)
    delivered()
    assert len(hook.bodies) == attempts
    (record,) = caplog.records
    assert f"answered {status}" in record.getMessage()
    assert "secret-path" not in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_slow_webhook_does_not_hold_up_the_work(hook) -> None:
    hook.answers.clear()
    notify("choice-needed", FACTS)
    assert [thread.name for thread in threading.enumerate()].count("notify") == 1  # under way
    hook.answers.set()
    delivered()
    assert len(hook.bodies) == 1


def test_webhook_that_is_not_there_is_a_warning(hook, caplog, monkeypatch) -> None:
    monkeypatch.setenv("JUKEFLOW_WEBHOOK", "http://127.0.0.1:9/secret-path")
    notify("choice-needed", FACTS)
    delivered()
    assert "was not reached (ConnectionRefusedError)" in caplog.text
    assert "secret-path" not in caplog.text


def test_no_webhook_sends_nothing(hook, monkeypatch) -> None:
    monkeypatch.delenv("JUKEFLOW_WEBHOOK")
    notify("choice-needed", FACTS)
    delivered()
    assert hook.bodies == []


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://x/y", "nowhere", "http:///y", "http://[x"]
)
def test_address_that_is_no_web_address_is_refused(address, caplog, monkeypatch) -> None:
    with pytest.raises(ConfigError, match="JUKEFLOW_WEBHOOK") as refusal:
        Settings(webhook=address)
    assert address not in str(refusal.value)
    assert "secret" not in repr(Settings(webhook="https://x/secret"))
    monkeypatch.setenv("JUKEFLOW_WEBHOOK", address)
    notify("choice-needed", FACTS)  # and never fails the work
    assert "was not sent" in caplog.text
    assert address not in caplog.text
