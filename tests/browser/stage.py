"""`jukeflow serve` for a whole story: killed, started again, and asked through its own API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.flows.serving.processes import pids_of

PATIENCE = 150.0


class Stage:
    """One machine with a Prefect home and a store, on which `serve` runs.

    Args:
        folder: where everything lies.
        token: of the listening room.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.home = folder / "home"
        self.store = folder / "runs"
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
            "PREFECT_HOME": str(self.home),
            "JUKEFLOW_STORE": str(self.store),
            "JUKEFLOW_CACHE": str(folder / "cache"),
            "JUKEFLOW_ROOM_TOKEN": token,
            "DO_NOT_TRACK": "1",
        }
        self.process: subprocess.Popen[str] | None = None
        self.api = self.ui = self.room = self.password = ""

    @property
    def serves(self) -> bool:
        """Whether `serve` runs."""
        return self.process is not None and self.process.poll() is None

    def serve(self) -> None:
        """Start `serve`; the second time at the addresses of the first."""
        ports = [self.ui.rpartition(":")[2] or "0", self.room.rpartition(":")[2] or "0"]
        self.home.mkdir(exist_ok=True)
        with (self.home / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "flows", "serve", "--json"),
                    *("--port", ports[0], "--room-port", ports[1]),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.env,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.home / "serve.log").read_text()
        said = json.loads(line)
        self.api, self.room = said["api"], said["room"].partition("/enter")[0]
        self.ui = self.api.removesuffix("/api")
        self.password = said["password"]

    def kill(self, words: str = "") -> int:
        """Kill processes as a power cut would; return how many."""
        pids = pids_of(self.home, words)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not words and self.process is not None:
            self.process.wait(10)
        return len(pids)

    def close(self) -> None:
        """Stop `serve` as Ctrl-C does."""
        if self.serves:
            self.process.terminate()
            self.process.wait(60)
        self.kill()

    def log_in(self, page) -> None:
        """Let a page of Prefect know the password, as if somebody had entered it."""
        word = json.dumps(self.password)
        page.add_init_script(
            f"if (location.origin === {json.dumps(self.ui)})"
            f" localStorage.setItem('prefect-password', btoa({word}));"
        )

    # ------------------------------------------------------------------------- Prefect's own API

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Ask Prefect's API as somebody who knows the password.

        A server whose database is busy says so, and is asked again, as Prefect's client does.
        """
        user, _, word = self.password.partition(":")
        answers: list[httpx.Response] = []

        def answered() -> bool:
            answers.append(
                httpx.request(method, self.api + path, json=body, auth=(user, word), timeout=30)
            )
            return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

        soon(answered, PATIENCE)
        return answers[-1]

    def deployment(self, flow: str, name: str) -> dict[str, object]:
        """Return a deployment."""
        return self.ask("GET", f"/deployments/name/{flow}/{name}").json()

    def flow_runs(self, prefix: str) -> list[dict[str, object]]:
        """Return the flow runs whose names begin so, newest first."""
        wanted = {"flow_runs": {"name": {"like_": prefix}}, "sort": "EXPECTED_START_TIME_DESC"}
        return self.ask("POST", "/flow_runs/filter", wanted).json()

    def state(self, prefix: str) -> str:
        """Return the state of the newest of them, empty if there is none."""
        runs = self.flow_runs(prefix)
        return str(runs[0]["state"]["name"]) if runs else ""  # type: ignore[index]

    def sweep_often(self, seconds: int) -> None:
        """Let the scheduled deployment look for interrupted runs every few seconds."""
        found = self.deployment("resume-interrupted", "resume-interrupted")
        (schedule,) = found["schedules"]  # type: ignore[misc]
        answer = self.ask(
            "PATCH",
            f"/deployments/{found['id']}/schedules/{schedule['id']}",
            {"schedule": {"interval": seconds}, "active": True},
        )
        assert answer.is_success, answer.text


def soon(holds: Callable[[], object], seconds: float = 15.0) -> bool:
    """Wait until something holds; tell whether it does."""
    end = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < end:
        time.sleep(0.2)
    return bool(found)


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    assert soon(holds, PATIENCE), f"not within {PATIENCE:.0f} s: {what}"
