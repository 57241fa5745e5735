"""Who may come in: hosts, origins, the cookie, and the headers of every answer."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import Request, Response

from tasks.links import key_of

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
        parts = path.split("/")
        if len(parts) < 3 or parts[1] != "runs":
            return False
        given = request.query_params.get("key") or request.cookies.get(RUN_COOKIE, "")
        return self.opens(given, "run", parts[2])

    def session(self) -> str:
        """Return what the cookie of a person holds."""
        return key_of(self.token, "session")

    def is_session(self, cookie: str) -> bool:
        """Return whether a cookie is ours."""
        return hmac.compare_digest(cookie.encode(), self.session().encode())

    def is_token(self, token: str) -> bool:
        """Return whether somebody knows the token."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def opens(self, key: str, *what: str) -> bool:
        """Return whether a key opens one thing."""
        return hmac.compare_digest(key.encode(), key_of(self.token, *what).encode())


def protect(response: Response) -> Response:
    """Add the headers that every answer has, unless it brought its own."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
