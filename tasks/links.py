"""Links into the listening room that work from anywhere, such as a form of Prefect.

A link carries a key that opens one sound or one run and nothing else, and not for longer than it
is meant for: that of a question opens as long as the run waits for the answer, any other for
`LINK_DAYS`. Keys are made from the room's token, which itself stands in no link but the one that
the room prints at its start.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from musiccore.errors import ConfigError
from musiccore.storage.atomic import create_file
from tasks.settings import Settings, process_settings

log = logging.getLogger(__name__)

SHORTEST_TOKEN: Final = 16

LINK_DAYS: Final = 30
"""How long a link opens what it was made for, and a visit through it lasts."""

_ASKS, _LASTS = "q", "t"  # first letters of a purpose: a question's number of its round, a time


def audio_link(
    run: str, sha256: str, settings: Settings | None = None, *, question: int | None = None
) -> str:
    """Return the address of a sound or picture of a run.

    Args:
        run: the run.
        sha256: digest of the sound.
        settings: of this process by default.
        question: the round that waits for a choice; the link opens as long as it does.
    """
    here = settings or process_settings()
    key = _key(here, "audio", run, sha256, question=question)
    return f"{_base(here)}/audio/{quote(run)}/{sha256}{key}"


def room_link(run: str, settings: Settings | None = None, *, question: int | None = None) -> str:
    """Return the address at which a person hears and chooses the takes of a run.

    Args:
        run: the run.
        settings: of this process by default.
        question: the round that waits for a choice; the link opens as long as it does.
    """
    here = settings or process_settings()
    return f"{_base(here)}/runs/{quote(run)}{_key(here, 'run', run, question=question)}"


def song_link(run: str, number: int, name: str, settings: Settings | None = None) -> str:
    """Return the address of a file of a finished song.

    Args:
        run: the run.
        number: of the song.
        name: of the file.
        settings: of this process by default.
    """
    here = settings or process_settings()
    key = _key(here, "run", run)
    return f"{_base(here)}/runs/{quote(run)}/songs/{number}/files/{quote(name)}{key}"


def _key(settings: Settings, *what: str, question: int | None = None) -> str:
    """Return the end of a link with the key that opens it.

    Without a token the link asks for it: a link is no reason to lose what it leads to.
    """
    try:
        return f"?key={made_key(room_token(settings), *what, question=question)}"
    except ConfigError as error:
        log.warning("links into the listening room hold no key: %s", error.message)
        return ""


def enter_link(settings: Settings | None = None, *, base: str = "") -> str:
    """Return the address that lets a person into the whole room; whoever has it may choose.

    Args:
        settings: of this process by default.
        base: address of the room, that of the settings by default.
    """
    here = settings or process_settings()
    return f"{base or _base(here)}/enter?token={quote(room_token(here))}"


def made_key(token: str, *what: str, question: int | None = None) -> str:
    """Return a key that opens one thing, and says for how long.

    Args:
        token: of the room.
        what: it opens.
        question: the round that waits; None for `LINK_DAYS` from now.
    """
    until = (int(time.time()) // 86_400 + LINK_DAYS + 1) * 86_400  # the same link all day long
    purpose = f"{_LASTS}{until:x}" if question is None else f"{_ASKS}{question}"
    return f"{purpose}-{key_of(token, purpose, *what)}"


def opens(token: str, key: str, *what: str, waits: Callable[[], int | None]) -> bool:
    """Return whether a key opens a thing now.

    Args:
        token: of the room.
        key: as `made_key` made it.
        what: it shall open.
        waits: asked, where it matters, which round waits for a choice.
    """
    purpose, _, sealed = key.partition("-")
    if not hmac.compare_digest(sealed.encode(), key_of(token, purpose, *what).encode()):
        return False
    if purpose.startswith(_ASKS):
        return purpose == f"{_ASKS}{waits()}"
    return time.time() < int(purpose.removeprefix(_LASTS), 16)


def key_of(token: str, *what: str) -> str:
    """Return what seals a key, or the cookie of a person."""
    return hmac.new(token.encode(), "\n".join(what).encode(), hashlib.sha256).hexdigest()[:40]


def room_token(settings: Settings) -> str:
    """Return the token of the room; makes one for this user at the first call.

    Raises:
        ConfigError: if it is too short to be a secret, or cannot be kept.
    """
    if settings.room_token:
        return _checked(settings.room_token, "JUKEFLOW_ROOM_TOKEN")
    path = settings.cache.expanduser() / "room-token"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            create_file(path, secrets.token_urlsafe(32).encode(), mode=0o600)
        return _checked(path.read_text().strip(), str(path))
    except OSError as error:
        raise ConfigError(
            f"the token of the listening room cannot be kept in {path}: {error.strerror}",
            hint="set JUKEFLOW_ROOM_TOKEN, or JUKEFLOW_CACHE to a folder that can be written",
        ) from error


def _checked(token: str, name: str) -> str:
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"{name} holds no token of at least {SHORTEST_TOKEN} plain characters",
            hint="use a long random word, or leave it away and one is made",
        )
    return token


def _base(settings: Settings) -> str:
    return settings.room.rstrip("/")
