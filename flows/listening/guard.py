"""Who may come in: hosts, origins, the cookie, and the headers of every answer."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from fastapi import Request, Response

from tasks.links import LINK_DAYS, key_of, made_key, opens

COOKIE = "jukeflow_room"
RUN_COOKIE = "jukeflow_run"
_OPEN = ("/static/", "/enter", "/audio/")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Decides about every request.

    Attributes:
        token: secret of the room.
        names: host names under which it may be asked for, beside numeric addresses if `abroad`.
        abroad: whether other machines may come in.
    """

    token: str = field(repr=False)
    names: frozenset[str]
    abroad: bool

    def knows_host(self, request: Request) -> bool:
        """Return whether the Host header is ours; a page elsewhere cannot rename itself to it."""
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.abroad

    def same_origin(self, request: Request) -> bool:
        """Return whether one of our own pages sent this."""
        origin = request.headers.get("origin")
        if origin is None:
            return request.headers.get("sec-fetch-site") == "same-origin"
        return urlsplit(origin).netloc == request.headers.get("host")

    def admits(self, request: Request) -> bool:
        """Return whether the one who asks may come in."""
        path = request.url.path
        if path.startswith(_OPEN) or self.is_session(request.cookies.get(COOKIE, "")):
            return True
        run = run_of(path)
        return run is not None and self.opens(
            request.cookies.get(RUN_COOKIE, ""), "visit", run, waits=lambda: None
        )

    def visit(self, response: Response, run: str) -> None:
        """Let the one who is answered come back to a run for a while, without the link's key."""
        response.set_cookie(
            RUN_COOKIE,
            made_key(self.token, "visit", run),
            path=f"/runs/{quote(run)}",
            httponly=True,
            samesite="strict",
            max_age=LINK_DAYS * 86_400,
        )

    def session(self) -> str:
        """Return what the cookie of a person holds."""
        return key_of(self.token, "session")

    def is_session(self, cookie: str) -> bool:
        """Return whether a cookie is ours."""
        return hmac.compare_digest(cookie.encode(), self.session().encode())

    def is_token(self, token: str) -> bool:
        """Return whether somebody knows the token."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def opens(self, key: str, *what: str, waits: Callable[[], int | None]) -> bool:
        """Return whether a key opens one thing; `waits` tells which round waits for a choice."""
        return opens(self.token, key, *what, waits=waits)


def run_of(path: str) -> str | None:
    """Return the run that an address is about."""
    parts = path.split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "runs" else None


def is_visited(request: Request) -> bool:
    """Return whether the answer will stand in the window itself, with its address above it."""
    goal = request.headers.get("sec-fetch-dest")
    return goal == "document" or (goal is None and request.url.path.count("/") == 2)


def protect(response: Response) -> Response:
    """Add the headers that every answer has, unless it brought its own."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
