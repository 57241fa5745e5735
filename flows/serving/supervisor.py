"""`jukeflow serve` itself: what is started in which order, and how all of it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from flows.serving.addresses import LOOPBACK, answers, local_port
from flows.serving.children import Child, ServeError, Watchdog
from flows.serving.deployments import Pool
from flows.serving.gate import own_origins
from flows.serving.passwords import check_password, forget_password, keep_password, password_file

START_SECONDS = 180.0
STOP_SECONDS = 45.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServePlan:
    """What to serve.

    Attributes:
        api_url: of Prefect's server.
        own_server: whether it is started here; nobody else then serves our deployments.
        room_port: of the listening room; None for none.
        limits: runs at the same time, by pool.
        store: root address of the store.
        home: Prefect's folder, for database and logs.
        password: of Prefect's server; empty for none.
    """

    api_url: str
    own_server: bool
    room_port: int | None
    limits: Mapping[Pool, int]
    store: str
    home: Path
    password: str = field(default="", repr=False)

    @property
    def password_file(self) -> Path | None:
        """Where the password of the server that is started here is kept."""
        port = local_port(self.api_url) if self.own_server else None
        return None if port is None else password_file(self.home, port)

    @property
    def ui_url(self) -> str:
        """Address of Prefect's pages."""
        return self.api_url.removesuffix("/").removesuffix("/api")

    @property
    def room_url(self) -> str | None:
        """Address of the listening room."""
        return None if self.room_port is None else f"http://{LOOPBACK}:{self.room_port}"

    def environment(self) -> dict[str, str]:
        """Return the variables of every process that is started."""
        env = {
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_RUNNER_POLL_FREQUENCY": "3",
            **os.environ,
            "PREFECT_API_URL": self.api_url,
            "PREFECT_HOME": str(self.home),
            "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
            "JUKEFLOW_STORE": self.store,
            "PYTHONSAFEPATH": "1",  # a folder `tasks` where the user stands is not ours
            "PYTHONUNBUFFERED": "1",
        }
        env.pop("PREFECT_DEFAULT_WORK_POOL_NAME", None)
        if self.password:
            env["PREFECT_API_AUTH_STRING"] = self.password
        if self.room_url is not None:
            env["JUKEFLOW_ROOM"] = self.room_url
        return env


class Supervisor:
    """Starts everything, keeps it up, and ends it.

    Args:
        plan: what to serve.
        say: told what happens, in plain words.
    """

    def __init__(self, plan: ServePlan, say: Say) -> None:
        self._plan = plan
        self._say = say
        self._signals = 0
        logs = plan.home / "jukeflow-serve"
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._guard = Watchdog()
        env = plan.environment()
        server = None
        if plan.own_server:
            port = int(plan.api_url.removesuffix("/api").rsplit(":", 1)[1])
            server = self._child(
                "the Prefect server",
                ["-m", "flows.serving.server", str(port)],
                {**env, **_server_settings(port, plan.password)},
                logs / "server.log",
                lambda: answers(f"{plan.api_url}/health"),
            )
        self._server = server
        self._runners = [
            self._child(
                f"the runner of pool {pool}",
                [
                    *("-m", "flows.serving.runner", pool, str(limit)),
                    *(["--sole"] if plan.own_server else []),
                ],
                env,
                logs / f"{pool}.log",
            )
            for pool, limit in plan.limits.items()
        ]
        self._room = None
        if (room := plan.room_url) is not None:
            self._room = self._child(
                "the listening room",
                [
                    *("-m", "flows", "listen", "--silent"),  # its address holds the token
                    *("--port", str(plan.room_port), "--store", plan.store),
                ],
                env,
                logs / "room.log",
                lambda: answers(room),
            )

    def _child(
        self,
        name: str,
        words: list[str],
        env: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool] | None = None,
    ) -> Child:
        return Child(name, [sys.executable, "-P", *words], env, log, self._guard, self._say, ready)

    @property
    def _children(self) -> list[Child]:
        """Everything, in the order of starting."""
        others = (self._server, self._room)
        return [*(child for child in others if child is not None), *self._runners]

    def run(self, announce: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM.

        Args:
            announce: called once, when everything answers.

        Raises:
            ServeError: if something did not start.
        """
        with self._listening():
            try:
                self._start()
                if not self._signals:
                    announce()
                while not self._signals:
                    for child in self._children:
                        child.watch()
                    time.sleep(0.2)
            finally:
                self._stop()
                if (path := self._plan.password_file) is not None:
                    forget_password(path, self._plan.password)

    def _start(self) -> None:
        if (path := self._plan.password_file) is not None:
            keep_password(path, self._plan.password)
        if self._server is not None:
            self._server.start()
            self._wait_for([self._server])
        elif not answers(f"{self._plan.api_url}/health"):
            raise ServeError(
                f"no Prefect server answers at {self._plan.api_url}",
                hint="start it, or unset PREFECT_API_URL and a server is started here",
            )
        else:
            check_password(self._plan.api_url, self._plan.password)
        rest = [child for child in self._children if child is not self._server]
        for child in rest:
            if not self._signals:
                child.start()
        self._wait_for(rest)

    def _wait_for(self, children: list[Child]) -> None:
        deadline = time.monotonic() + START_SECONDS
        for child in children:
            while not self._signals and not child.is_ready():
                if not child.is_running() or time.monotonic() > deadline:
                    raise ServeError(
                        f"{child.name} did not start: {child.last_words()}",
                        hint=f"all it said is in {child.log}",
                    )
                time.sleep(0.1)

    def _stop(self) -> None:
        if any(child.pid is not None for child in self._runners):
            self._say("stopping: running flows end at their next safe point; again to stop at once")
        self._end(self._runners)
        self._end([child for child in self._children if child not in self._runners])
        self._guard.close()

    def _end(self, children: list[Child]) -> None:
        """End some children in order, or at once when a second signal comes."""
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + STOP_SECONDS
        patient = max(1, self._signals)
        while not all(child.has_ended() for child in children):
            if self._signals > patient or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        for child in children:
            child.kill()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        def hear(signum: int, frame: FrameType | None) -> None:
            self._signals += 1

        before = {
            signum: signal.getsignal(signum)
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        for signum, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(signum, hear)
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)


def _server_settings(port: int, password: str) -> dict[str, str]:
    return {
        "PREFECT_SERVER_API_HOST": LOOPBACK,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_AUTH_STRING": password,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(own_origins(port)),
        "PREFECT_SERVER_UI_ENABLED": "true",
        "PREFECT_SERVER_UI_API_URL": _api_of_pages(),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }


def _api_of_pages() -> str:
    """Return where Prefect's pages look for the API: beside them, by whatever name they go."""
    names = ("PREFECT_SERVER_UI_API_URL", "PREFECT_UI_API_URL")
    return next((os.environ[name] for name in names if os.environ.get(name)), "/api")
