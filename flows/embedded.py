"""Prefect for a command on one machine: its settings, and a server of its own if none stands.

Call `prepare()` before anything imports prefect. With `PREFECT_API_URL` (in the environment or in
the active Prefect profile) flows talk to that server. Without it a private server starts in a
child process while the model loads; it keeps nothing, because the store remembers everything.
Either has a password: see `configured_password`.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from flows.serving.passwords import check_password, kept_password, new_password
from musiccore.errors import MusicCoreError

STARTUP_SECONDS = 180.0

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}
_CLIENT = {
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}
_SERVER = {
    "PREFECT_UI_ENABLED": "false",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
}


class PrefectError(MusicCoreError):
    """The embedded Prefect server did not start."""


def configured_api_url() -> str | None:
    """Return the address of the Prefect server that the user has configured, if any."""
    return _configured("PREFECT_API_URL")


def configured_password() -> str:
    """Return the password of the configured server; empty if there is none.

    It is the one that the user has set, as for Prefect itself, else the one that `jukeflow serve`
    keeps in Prefect's folder on this machine.
    """
    if password := _configured("PREFECT_API_AUTH_STRING"):
        return password
    url = configured_api_url()
    return "" if url is None else kept_password(prefect_home(), url)


def chosen_password() -> str:
    """Return the password that the user wants for a server that is started here; empty for any."""
    return _configured("PREFECT_SERVER_API_AUTH_STRING") or ""


def know_password() -> None:
    """Let Prefect's clients in this process, and those it starts, know the password.

    Call it before anything imports prefect.
    """
    if not os.environ.get("PREFECT_API_AUTH_STRING") and (password := configured_password()):
        os.environ["PREFECT_API_AUTH_STRING"] = password


def check_server() -> None:
    """Ask the configured server, if it is on this machine, whether it takes our password.

    Raises:
        ConfigError: if it does not.
    """
    if (url := configured_api_url()) is not None:
        check_password(url, configured_password())


@contextmanager
def with_password() -> Iterator[None]:
    """Inside, Prefect's clients know the password of now: a process may outlive several `serve`."""
    from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

    password = configured_password()
    with temporary_settings({PREFECT_API_AUTH_STRING: password} if password else {}):
        yield


def prefect_home() -> Path:
    """Return Prefect's folder: its database, profiles and passwords."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def _configured(name: str) -> str | None:
    """Return a setting of the environment, else of the active profile."""
    if value := os.environ.get(name):
        return value
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or prefect_home() / "profiles.toml")
    try:
        profiles = tomllib.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    profile = os.environ.get("PREFECT_PROFILE", profiles.get("active"))
    value = profiles.get("profiles", {}).get(profile, {}).get(name)
    return value or None


def _cache_folder() -> Path | None:
    root = os.environ.get("JUKEFLOW_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "jukeflow"
    )
    folder = Path(root).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


class _Server:
    """A Prefect server in a child process that ends with this one."""

    def __init__(self, home: Path) -> None:
        cache = _cache_folder() or home
        self._template = cache / f"prefect-{version('prefect')}.db"
        self._home = home
        self._ready = threading.Event()
        self.password = new_password()
        self._start()

    def _start(self) -> None:
        database = self._home / "prefect.db"
        migrated = self._template.exists()
        if migrated:
            shutil.copyfile(self._template, database)
        env = {
            **os.environ,
            **_QUIET,
            **_SERVER,
            "PREFECT_HOME": str(self._home),
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
            "PREFECT_API_DATABASE_MIGRATE_ON_START": str(not migrated).lower(),
            "PREFECT_SERVER_API_AUTH_STRING": self.password,
        }
        script = Path(__file__).with_name("embedded_server.py")
        self._log = (self._home / "server.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(script), str(database), str(self._template)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=env,
            start_new_session=True,  # Ctrl-C is for the command, which still needs its server
        )
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        if not port.isdigit():
            raise self._failure()
        self.api_url = f"http://127.0.0.1:{int(port)}/api"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() == b"ready":
            self._ready.set()

    def _failure(self) -> PrefectError:
        self.stop()
        tail = (self._home / "server.log").read_text(errors="replace").strip().splitlines()[-1:]
        self._template.unlink(missing_ok=True)  # the next start migrates afresh
        return PrefectError(
            f"the embedded Prefect server did not start: {' '.join(tail) or 'no message'}",
            hint="run the same command again, or start `prefect server start` and set "
            "PREFECT_API_URL",
        )

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            PrefectError: if it ended, or did not answer in time.
        """
        waited = 0.0
        while not self._ready.wait(0.25):
            waited += 0.25
            if self.process.poll() is not None or waited > STARTUP_SECONDS:
                raise self._failure()

    def stop(self) -> None:
        """End the server; what it held is not needed."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._log):
            if pipe is not None:
                pipe.close()


class Session:
    """What a command needs to run flows."""

    def __init__(self, server: _Server | None) -> None:
        self._server = server

    def __enter__(self) -> Session:
        return self

    @contextmanager
    def flows(self) -> Iterator[None]:
        """Wait for the server; inside, flows may be called."""
        if self._server is None:
            yield
            return
        self._server.wait()
        from prefect.events.clients import NullEventsClient
        from prefect.events.worker import EventsWorker
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        EventsWorker.set_client_override(NullEventsClient)  # nothing subscribes to this server
        # Joining the heartbeat thread costs a second per flow, and nobody listens to it here.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield


@contextmanager
def prepare() -> Iterator[Session]:
    """Set Prefect up for this process; call before prefect is imported."""
    logging.raiseExceptions = False  # a log line that cannot be written is lost, without a trace
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if configured_api_url() is not None:
        know_password()
        check_server()
        yield Session(None)
        return
    home = _temporary_home()
    server, before = None, os.environ.get("PREFECT_API_AUTH_STRING")
    try:
        server = _Server(home)
        os.environ.update(_CLIENT)
        os.environ["PREFECT_HOME"] = str(home)
        os.environ["PREFECT_API_URL"] = server.api_url
        os.environ["PREFECT_API_AUTH_STRING"] = server.password
        yield Session(server)
    finally:
        if server is not None:
            server.stop()
        os.environ.pop("PREFECT_API_URL", None)
        os.environ.pop("PREFECT_API_AUTH_STRING", None)
        if before is not None:
            os.environ["PREFECT_API_AUTH_STRING"] = before
        shutil.rmtree(home, ignore_errors=True)


def _temporary_home() -> Path:
    """Make the folder of a server of its own.

    Raises:
        PrefectError: if there is no place for it.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="jukeflow-prefect-"))
    except OSError as error:
        raise PrefectError(
            f"no folder for temporary files can be written: {error.strerror}",
            hint="set TMPDIR to one that can, or make room",
        ) from error


def warm() -> None:
    """Migrate the database template now, so that the first song does not wait for it."""
    with prepare() as session, session.flows():
        pass
