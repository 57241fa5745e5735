"""The gate before a Prefect server: names, origins and passwords, without a server behind it."""

from __future__ import annotations

import base64

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from flows.serving.gate import ServerGate, own_origins

PASSWORD = "jukeflow:a-word-of-this-test"
KNOWN = {"authorization": "Basic " + base64.b64encode(PASSWORD.encode()).decode()}
BASE = "http://127.0.0.1:4200"


def inside() -> FastAPI:
    """An application that notes what reaches it."""
    app = FastAPI()
    app.state.reached = []

    @app.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    def answer(path: str) -> str:
        app.state.reached.append(path)
        return path

    @app.websocket("/api/events/in")
    async def events(socket: WebSocket) -> None:
        app.state.reached.append("socket")
        await socket.accept()
        await socket.close()

    app.add_middleware(
        CORSMiddleware, allow_origins=own_origins(4200), allow_methods="*", allow_headers="*"
    )
    return app


@pytest.fixture
def app() -> FastAPI:
    return inside()


@pytest.fixture
def client(app) -> TestClient:
    gate = ServerGate(app, port=4200, password=PASSWORD, addresses=["https://songs.example/api"])
    return TestClient(gate, base_url=BASE)


def test_the_password_opens_the_api(client, app):
    assert client.post("/api/flows/", headers=KNOWN).status_code == 200
    assert app.state.reached == ["api/flows/"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"authorization": ""},
        {"authorization": "Basic"},
        {"authorization": "Basic " + base64.b64encode(b"jukeflow:another").decode()},
        {"authorization": "Bearer " + base64.b64encode(PASSWORD.encode()).decode()},
        {"authorization": PASSWORD},
        {"authorization": "Basic ü"},
    ],
)
@pytest.mark.parametrize("path", ["/api/flows/", "/api", "/api/docs", "/docs", "/openapi.json"])
def test_without_it_a_sentence_says_what_to_do(client, app, given, path):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        headers = [(name, value.encode()) for name, value in given.items()]
        reply = client.request(method, path, headers=headers)
        assert reply.status_code == 401
        assert "www-authenticate" not in reply.headers  # a browser would keep the password for all
    sentence = client.get(path, headers=headers).json()["exception_message"]
    assert "PREFECT_API_AUTH_STRING" in sentence
    assert "jukeflow-password-4200" in sentence
    assert app.state.reached == []


def test_health_and_pages_are_open(client):
    for path in ("/api/health", "/api/ready", "/", "/v2/assets/index.js", "/ui-settings"):
        assert client.get(path).status_code == 200
    assert client.post("/api/health").status_code == 401
    assert client.get("/api/variables/name/health").status_code == 401


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4200", "localhost:4200", "[::1]:4200", "LOCALHOST", "songs.example"]
)
def test_its_own_names_are_known(client, host):
    assert client.get("/api/x", headers={**KNOWN, "host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4200",
        "127.0.0.1.evil.example",
        "localhost.evil.example:4200",
        "evil.example@127.0.0.1:4200",
        "127.0.0.1:4200@evil.example",
        "192.0.2.7:4200",
        "0.0.0.0:4200",
        "[::1",
        "127.0.0.1:4200, evil.example",
        "",
    ],
)
def test_a_foreign_name_is_refused_even_with_the_password(client, app, host):
    for path in ("/api/x", "/", "/api/health"):
        reply = client.get(path, headers={**KNOWN, "host": host})
        assert reply.status_code == 421
        assert "127.0.0.1:4200" in reply.json()["exception_message"]
    assert app.state.reached == []


def test_two_names_are_refused(client):
    hosts = [("host", "127.0.0.1:4200"), ("host", "evil.example"), *KNOWN.items()]
    assert client.get("/api/x", headers=hosts).status_code == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:9999",
        "http://localhost",
        "http://127.0.0.1:4200.evil.example",
        "https://evil.example:4200",
        "chrome-extension://abc",
        "file://",
        "null",
        "",
    ],
)
def test_a_foreign_page_is_refused_even_with_the_password(client, app, origin):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        reply = client.request(method, "/api/x", headers={**KNOWN, "origin": origin})
        assert reply.status_code == 403
        assert "access-control-allow-origin" not in reply.headers
    asks = {"origin": origin, "access-control-request-method": "POST"}
    assert client.options("/api/x", headers=asks).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/events/in", **h(asks)):
        pass
    assert app.state.reached == []


def h(headers):
    return {"headers": headers}


def test_a_request_that_another_page_made_without_saying_so_is_refused(client, app):
    for site in ("cross-site", "same-site"):
        reply = client.post("/api/x", headers={**KNOWN, "sec-fetch-site": site})
        assert reply.status_code == 403
    assert app.state.reached == []


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:4200", "127.0.0.1:4200"),
        ("http://localhost:4200", "127.0.0.1:4200"),
        ("http://localhost:9000", "localhost:9000"),  # through a tunnel
        ("https://songs.example", "songs.example"),
    ],
)
def test_its_own_pages_may_ask_and_listen(client, origin, host):
    headers = {**KNOWN, "origin": origin, "host": host}
    assert client.post("/api/x", headers=headers).status_code == 200
    with client.websocket_connect("/api/events/in", headers={"origin": origin, "host": host}):
        pass


def test_its_own_page_may_ask_before_it_sends_the_password(client):
    asks = {
        "origin": "http://localhost:4200",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    reply = client.options("/api/flows/", headers=asks)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "http://localhost:4200"


def test_a_socket_under_a_foreign_name_is_refused(client, app):
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/api/events/in", headers={"host": "evil.example:4200"}),
    ):
        pass
    assert app.state.reached == []


def test_no_page_may_frame_what_it_answers(client):
    for reply in (client.get("/"), client.get("/api/x"), client.get("/", headers={"host": "x"})):
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert reply.headers["x-content-type-options"] == "nosniff"
