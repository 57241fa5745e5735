"""The listening room as an application: its addresses, and what each of them answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response

from flows.listening import sounds
from flows.listening.ear import Ear
from flows.listening.guard import COOKIE, Guard, is_visited, protect, run_of
from flows.listening.pages import Pages
from flows.listening.reading import Library, progress, songs_now
from flows.listening.speaking import in_the_room
from flows.listening.tended import RunTender
from flows.listening.wishes import Wish
from musiccore.delivery.impression import Hearing
from musiccore.errors import ConfigError, MusicCoreError, NotFound, StorageError
from musiccore.pages.html import asset
from musiccore.runs.choices import make_choice
from musiccore.storage.sealed import Json
from musiccore.storage.store import open_store
from musiccore.takes.choice_log import Conflict
from tasks.links import SHORTEST_TOKEN
from tasks.settings import Settings, process_settings

MOST_BYTES = 200_000
"""Longest body of a choice: lyrics of 50,000 characters fit."""

_STATIC = {
    "round.css": "text/css",
    "room.css": "text/css",
    "player.js": "text/javascript",
    "roundpanel.js": "text/javascript",
    "room.js": "text/javascript",
    "songs.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_SONG_PAGE = (  # the page names its own script and style by digest
    "default-src 'none'; img-src data:; media-src data: 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """What a room is made of.

    Attributes:
        store: root address of the store.
        token: secret that lets people in.
        tending: lets runs go on, and knows which ones are about to.
        settings: of this process, for takes that are decoded here.
        begin: address of a page on which a song can be begun; empty if there is none.
        hosts: names under which it may be asked for.
        abroad: whether it answers to other machines, by any numeric address.
    """

    store: str
    token: str = field(repr=False)
    tending: RunTender
    settings: Settings = field(default_factory=process_settings)
    begin: str = ""
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    abroad: bool = False

    def __post_init__(self) -> None:
        if len(self.token) < SHORTEST_TOKEN:
            raise ConfigError(
                f"token: it has {len(self.token)} characters, at least {SHORTEST_TOKEN} are needed",
                hint="use a long random word, or none at all and one is made",
            )


def create_app(settings: RoomSettings) -> FastAPI:
    """Return the application.

    Args:
        settings: of the room.

    Raises:
        ConfigError: if the store's address is not one.
    """
    app = FastAPI(title="jukeflow listening room", openapi_url=None, docs_url=None, redoc_url=None)
    guard = Guard(token=settings.token, names=settings.hosts, abroad=settings.abroad)
    store, here = open_store(settings.store), settings.settings
    library = Library(store, Ear(Hearing(store, here.machine(), here.cache)), settings.tending)
    pages = Pages(begin=settings.begin)
    room = Room(library, pages, guard, settings.tending, labels=here.labels)
    app.middleware("http")(room.receive)
    for path, answer in (
        ("/", room.songs),
        ("/enter", room.enter),
        ("/static/{name}", room.static),
        ("/runs/{run}", room.round),
        ("/runs/{run}/state", room.state),
        ("/runs/{run}/audio/{digest}", room.sound),
        ("/audio/{run}/{digest}", room.linked_sound),
        ("/runs/{run}/songs/{number:int}/mix.wav", room.mix),
        ("/runs/{run}/songs/{number:int}/files/{name}", room.file),
    ):
        app.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)
    app.add_api_route("/runs/{run}/choices", room.choose, methods=["POST"], response_model=None)
    app.add_api_route("/runs/{run}/resume", room.resume, methods=["POST"], response_model=None)
    return app


class Room:
    """Answers requests.

    Args:
        library: the runs.
        pages: renders pages.
        guard: decides who may come in.
        tending: lets runs go on.
        labels: folder of artist and genre tables, None without one.
    """

    def __init__(
        self,
        library: Library,
        pages: Pages,
        guard: Guard,
        tending: RunTender,
        *,
        labels: Path | None = None,
    ) -> None:
        self._tending = tending
        self._labels = labels
        self._library = library
        self._pages = pages
        self._guard = guard
        self._mix = lru_cache(maxsize=4)(self._mixed)

    async def receive(
        self, request: Request, go_on: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Let a request in, or say why not; no error leaves as a traceback."""
        try:
            return protect(await self._answer(request, go_on))
        except MusicCoreError as error:
            return protect(self._failed(request, error))
        except Exception:
            log.exception("the listening room failed at %s", request.url.path)
            return protect(self._say(request, 500, "This page failed. Its fault is in the log."))

    async def _answer(
        self, request: Request, go_on: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if not self._guard.knows_host(request):
            return self._say(request, 421, "The room does not answer under this name.")
        if key := request.query_params.get("key", ""):
            if (answer := await run_in_threadpool(self._visited, request, key)) is not None:
                return answer
        elif not self._guard.admits(request):
            return self._closed(request)
        if request.method == "POST" and not self._guard.same_origin(request):
            return self._say(request, 403, "This came from another page, so it was not done.")
        response = await go_on(request)
        if response.status_code in (404, 405) and "content-disposition" not in response.headers:
            return self._say(request, 404, "There is nothing here.")
        return response

    def _visited(self, request: Request, key: str) -> Response | None:
        """Answer somebody who came by a link; None lets them have what they asked for.

        The key stays in no address bar: whoever opens a link in a window is led on without it.
        """
        path, run = request.url.path, run_of(request.url.path)
        if run is None:
            return None if path.startswith("/audio/") else self._closed(request)
        known = self._guard.is_session(request.cookies.get(COOKIE, ""))
        if not known and not self._guard.opens(key, "run", run, waits=lambda: self._waits(run)):
            return self._closed(request)
        if request.method not in ("GET", "HEAD"):
            return self._closed(request)
        if not is_visited(request):
            return None
        response = HTMLResponse(self._pages.render("enter.html", address=quote(path)))
        if not known:
            self._guard.visit(response, run)
        return response

    def _waits(self, run: str) -> int | None:
        """Return the round of a run that waits for a choice, if one does."""
        now = self._library.picture(run)
        return now.tree.position if now.status.state == "waiting" else None

    # ------------------------------------------------------------------------------------- pages

    def songs(self, request: Request) -> Response:
        """List the runs."""
        return HTMLResponse(self._pages.render("songs.html", songs=self._library.songs()))

    def enter(self, request: Request, token: str = "", run: str = "") -> Response:
        """Let somebody in who knows the token."""
        if not self._guard.is_token(token):
            return self._closed(request)
        # Not a redirect: a strict cookie only travels when one of our own pages leads on.
        address = f"/runs/{quote(run, safe='')}" if run else "/"
        response = HTMLResponse(self._pages.render("enter.html", address=address))
        response.set_cookie(
            COOKIE, self._guard.session(), httponly=True, samesite="strict", max_age=400 * 86400
        )
        return response

    def round(self, request: Request, run: str, round: str = "") -> Response:
        """Show a round of a run."""
        tree = self._library.picture(run).tree
        current = tree.position
        number = int(round) if round.isascii() and round.isdigit() else current
        if number not in tree.rounds:
            raise NotFound(f"run {run} has no round {number}")
        shown = self._library.view(run, number, listen=True)
        return HTMLResponse(self._pages.round(shown, number, current))

    def static(self, request: Request, name: str) -> Response:
        """Return a script or style."""
        if name not in _STATIC:
            raise NotFound("there is no such file")
        if name in ("room.css", "room.js", "songs.js", "icon.svg"):
            folder = files("flows.listening") / "static"
            content = (folder / name).read_text(encoding="utf-8")
        else:
            content = asset(name)
        return Response(
            content, media_type=_STATIC[name], headers={"Cache-Control": "private, no-cache"}
        )

    # ------------------------------------------------------------------------------------ choices

    def state(self, request: Request, run: str) -> Response:
        """Return how far a run is."""
        return JSONResponse(progress(self._library.view(run)))

    async def choose(self, request: Request, run: str) -> Response:
        """Write a choice; the answer comes when it is durable."""
        if int(request.headers.get("content-length") or 0) > MOST_BYTES:
            raise ConfigError(f"choice: it is longer than {MOST_BYTES} bytes")
        body = await request.body()
        return await run_in_threadpool(self._chosen, run, body)

    def _chosen(self, run: str, body: bytes) -> Response:
        try:
            wish = Wish.parse(json.loads(body[: MOST_BYTES + 1]))
        except ConfigError:
            raise
        except (ValueError, RecursionError) as error:
            raise ConfigError("choice: it is no JSON") from error
        store = self._library.store
        try:
            made = make_choice(
                store,
                run,
                wish.choice,
                by="room",
                label_tables=self._labels,
                who=wish.who,
                round_number=wish.round,
                seen=wish.seen,
                branch=wish.branch,
            )
        except Conflict as conflict:
            said: dict[str, Json] = {
                "message": f"{conflict.other.who or 'Somebody'} chose meanwhile: "
                f"{conflict.other.choice.in_words()}.",
                "other": conflict.other.seq,
            }
            return JSONResponse(said, status_code=409)
        next_words = self._tending.chosen(run, made)
        return JSONResponse(
            {
                "seq": made.seq,
                "action": made.choice.action,
                "words": made.choice.in_words(),
                "next": next_words,
            }
        )

    def resume(self, request: Request, run: str) -> Response:
        """Let a run go on that was interrupted, or that lost files."""
        picture = self._library.picture(run)
        if picture.status.state != "unfinished" and not picture.status.missing:
            return JSONResponse({"next": f"There is nothing to resume: {picture.status.words}."})
        return JSONResponse({"next": self._tending.resume(run)})

    # ------------------------------------------------------------------------------------- sounds

    def sound(self, request: Request, run: str, digest: str) -> Response:
        """Return a sound or picture of a run."""
        picture = self._library.picture(run)
        data, kind = sounds.blob(picture, digest, self._library.ear)
        name = sounds.take_name(self._library.view(run), digest)
        return sounds.answer(request, data, kind, digest, name=name)

    def linked_sound(self, request: Request, run: str, digest: str, key: str = "") -> Response:
        """Return a sound to whoever has the link made for it."""
        if not self._guard.opens(key, "audio", run, digest, waits=lambda: self._waits(run)):
            return self._closed(request)
        response = self.sound(request, run, digest)
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # the key is enough
        return response

    def mix(self, request: Request, run: str, number: int) -> Response:
        """Return a song as well as it can be heard now."""
        picture = self._library.picture(run)
        songs = songs_now(picture.to_json())
        version = next((one["version"] for one in songs if one["song"] == number), None)
        if version is None:
            raise NotFound(f"run {run} has no song {number}")
        data = self._mix(run, number, str(version))
        name = sounds.song_name(picture, number, "master.wav")
        return sounds.answer(request, data, "wav", str(version), keep=False, name=name)

    def _mixed(self, run: str, number: int, version: str) -> bytes:
        return sounds.mix(self._library.picture(run), number, self._library.ear.hearing)

    def file(self, request: Request, run: str, number: int, name: str) -> Response:
        """Return a file of a finished song."""
        picture = self._library.picture(run)
        data, kind, digest = sounds.exported(picture, number, name)
        saved = sounds.song_name(picture, number, name)
        response = sounds.answer(request, data, kind, digest, keep=False, name=saved)
        if kind == "html":
            response.headers["Content-Security-Policy"] = _SONG_PAGE
        return response

    # -------------------------------------------------------------------------------------- errors

    def _closed(self, request: Request) -> Response:
        if request.method != "GET" or request.url.path.endswith("/state"):
            return self._say(request, 401, "The room is closed to you: open its own address again.")
        return HTMLResponse(self._pages.render("closed.html"), status_code=401)

    def _failed(self, request: Request, error: MusicCoreError) -> Response:
        status = 400 if request.method == "POST" else 500
        if isinstance(error, NotFound) or (status == 500 and isinstance(error, ConfigError)):
            status = 404
        elif isinstance(error, StorageError):
            status = 500
        return self._say(request, status, *in_the_room(error))

    def _say(self, request: Request, status: int, message: str, hint: str = "") -> Response:
        wants_json = request.method == "POST" or request.url.path.endswith("/state")
        if wants_json:
            said: dict[str, Json] = {"message": message, "hint": hint}
            return JSONResponse(said, status_code=status)
        return HTMLResponse(
            self._pages.render("message.html", message=message, hint=hint, status=status),
            status_code=status,
        )
