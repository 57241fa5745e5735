"""What stands before a Prefect server of ours: who may ask it, under which name, from which page.

Prefect checks a password, and nothing else. A web page that knows no password can still send what
a browser sends by itself: a form, a socket, a request under a name that the page's owner has
pointed at this machine. So the gate looks at `Host` and `Origin` before anything else does.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_OPEN = ("/api/health", "/api/ready")  # they say true, to whoever starts and watches the server
_CLOSED = ("/api", "/docs", "/redoc", "/openapi.json")  # the rest are Prefect's published files
_HEADERS = (
    (b"x-frame-options", b"DENY"),  # no page may lay another picture over the buttons
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_SAFE = ("GET", "HEAD", "OPTIONS")
_SITE = b"sec-fetch-site"
_SENTENCE = (
    "This Prefect server has a password. Give it in PREFECT_API_AUTH_STRING: `jukeflow serve` "
    "printed it, and it lies in the file jukeflow-password-{port} of its PREFECT_HOME."
)


def own_origins(port: int, names: Iterable[str] = LOOPBACK_NAMES) -> tuple[str, ...]:
    """Return the origins of the server's own pages."""
    return tuple(f"http://{name}:{port}" for name in names)


class ServerGate:
    """Answers what must not reach the server, and hands on the rest.

    Args:
        app: the server.
        port: where it answers.
        password: of the server, as Prefect writes it: `name:word`.
        addresses: further addresses under which it may be asked for, as behind a proxy.
        closed: said to whoever does not know the password.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        port: int,
        password: str,
        addresses: Iterable[str] = (),
        closed: str = "",
    ) -> None:
        self._app = app
        self._credentials = b"Basic " + base64.b64encode(password.encode())
        further = [parts for parts in map(urlsplit, addresses) if parts.hostname]
        self._names = {*LOOPBACK_NAMES, *(_name(parts.netloc) for parts in further)}
        self._origins = {
            *own_origins(port),
            *(f"{parts.scheme}://{parts.netloc}".lower() for parts in further),
        }
        self._home = f"http://{LOOPBACK_NAMES[0]}:{port}"
        self._closed = closed or _SENTENCE.format(port=port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _locked(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await _say(_locked(send), *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and sentence of what is refused; None for what may pass."""
        host, *more = _values(scope, b"host") or [""]
        if more or _name(host) not in self._names:
            name = f"the name {host[:100]!r}" if host else "no name"
            return 421, f"This server does not answer to {name}; ask for {self._home}."
        if not self._comes_from_here(scope, host):
            return 403, "This came from a page of another address, so it was not done."
        if scope["type"] == "http" and self._is_closed(scope) and not self._is_known(scope):
            return 401, self._closed
        return None

    def _comes_from_here(self, scope: Scope, host: str) -> bool:
        """Return whether no page sent this, or one of our own."""
        origins = [origin.lower() for origin in _values(scope, b"origin")]
        if not origins and scope.get("method", "GET") not in _SAFE:
            return all(site in ("same-origin", "none") for site in _values(scope, _SITE))
        same = {f"{scheme}://{host}".lower() for scheme in ("http", "https")}
        return all(origin in self._origins or origin in same for origin in origins)

    def _is_closed(self, scope: Scope) -> bool:
        path, method = scope["path"], scope["method"]
        if method == "OPTIONS" and _values(scope, b"access-control-request-method"):
            return False  # a browser asks so, without the password, before our own page may
        if path in _OPEN and method in ("GET", "HEAD"):
            return False
        return any(path == closed or path.startswith(f"{closed}/") for closed in _CLOSED)

    def _is_known(self, scope: Scope) -> bool:
        given = _values(scope, b"authorization")
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), self._credentials)


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _name(host: str) -> str:
    """Return the name in a `Host`, without its port; empty if it is none."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host.lower(), "0"
    return name if port.isascii() and port.isdigit() else ""


def _locked(send: Send) -> Send:
    """Return what sends an answer with the headers that every answer has."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return sending


async def _say(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"exception_message": sentence}).encode()  # Prefect's clients show that
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
