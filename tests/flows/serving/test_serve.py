"""`jukeflow serve` in a process of its own: real server, real runners, real signals."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling

from flows.__main__ import main
from flows.serving.deployments import DEPLOYMENTS, start
from musiccore.audio.sound import Audio, write
from musiccore.conversion.memory import read
from tests.flows.serving.processes import pids_of

ROOT = Path(__file__).parents[3]
PATIENCE = 150.0
MANY = 24  # sounds, so many that a conversion of all can be met half-way


@dataclass
class Served:
    process: subprocess.Popen[str]
    api: str
    password: str
    home: Path
    hook_port: int

    def said(self) -> str:
        return (self.home / "err").read_text()

    def pids(self, words: str = "") -> list[int]:
        """Processes that belong to it, with these words in their command."""
        return pids_of(self.home, words)


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def serve(home: Path, *words: str, **env: str) -> Served:
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        hook_port = probe.getsockname()[1]
    with (home / "err").open("w") as err:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "flows",
                "serve",
                "--json",
                "--store",
                str(home / "runs"),
                *words,
            ],
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env={
                **{k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"},
                "PREFECT_HOME": str(home),
                "JUKEFLOW_WEBHOOK": f"http://127.0.0.1:{hook_port}/flow",
                **env,
            },
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (home / "err").read_text()
    said = json.loads(line)
    return Served(
        process=process,
        api=said["api"],
        password=said["password"],
        home=home,
        hook_port=hook_port,
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("served") / "home", "--port", "0", "--room-port", "0")
    try:
        yield served
    finally:
        served.process.terminate()
        served.process.wait(60)


@pytest.fixture
def client(served) -> Iterator[SyncPrefectClient]:
    with (
        temporary_settings({PREFECT_API_URL: served.api, PREFECT_API_AUTH_STRING: served.password}),
        get_client(sync_client=True) as client,
    ):
        yield client


def ended(client: SyncPrefectClient, run: UUID) -> FlowRun:
    until(lambda: client.read_flow_run(run).state.is_final(), f"the end of flow run {run}")
    return client.read_flow_run(run)


def states(client: SyncPrefectClient, deployment: str) -> list[str]:
    """States of the runs of a deployment."""
    (found,) = [d.id for d in client.read_deployments() if d.name == deployment]
    return [r.state.name for r in client.read_flow_runs() if r.deployment_id == found]


def sound(path: Path, seconds: float = 0.5) -> Path:
    samples = np.sin(np.arange(int(seconds * 44100)) / 30, dtype=np.float32)[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write(Audio(samples=samples, sample_rate=44100), "wav"))
    return path


def test_every_deployment_is_registered(served, client) -> None:
    registered = {d.name: d for d in client.read_deployments()}
    assert registered.keys() == {d.name for d in DEPLOYMENTS}
    for wanted in DEPLOYMENTS:
        found = registered[wanted.name]
        assert found.entrypoint == wanted.entrypoint
        assert found.description == wanted.description()
        assert {"jukeflow", *wanted.tags} == set(found.tags)
        assert [s.active for s in found.schedules] == (
            [] if wanted.timetable is None else [wanted.timetable.active]
        )
    assert "left out" not in served.said()


def test_timetable_starts_runs(served, client) -> None:
    def planned() -> list[FlowRun]:
        return [run for run in client.read_flow_runs() if run.auto_scheduled]

    until(planned, "a run planned by the timetable of resume-interrupted")
    (swept,) = {run.deployment_id for run in planned()}
    assert client.read_deployment(swept).name == "resume-interrupted"


def test_conversion_asked_for_in_prefect_is_done(served, client, tmp_path) -> None:
    before = sound(tmp_path / "a.wav")
    run = start("convert", {"source": str(before), "target_format": "flac"})
    assert ended(client, run).state.name == "Completed"
    assert read(tmp_path / "a.flac").n_samples == read(before).n_samples


def as_it_is(client: SyncPrefectClient) -> dict[str, object]:
    """All deployments with their schedules, without the moment of the last change."""
    found = {}
    for one in client.read_deployments():
        row = one.model_dump(mode="json", exclude={"updated", "last_polled", "status"})
        if row["global_concurrency_limit"]:  # how much of it is in use is no setting
            row["global_concurrency_limit"] = row["global_concurrency_limit"]["limit"]
        for schedule in row["schedules"]:
            del schedule["updated"]
        row["schedules"].sort(key=lambda schedule: schedule["id"])
        found[one.name] = row
    return found


def change_as_people_do(client: SyncPrefectClient, songs: Path) -> dict[str, object]:
    """Edit deployments of both pools as Prefect's pages do; return them as they are then."""
    named = {one.name: one for one in client.read_deployments()}
    batch, swept, tool = named["batch"], named["resume-interrupted"], named["convert"]
    client.update_deployment(batch.id, DeploymentUpdate(parameters={"file": str(songs)}))
    client.update_deployment_schedule(batch.id, batch.schedules[0].id, active=True)
    hourly = CronSchedule(cron="7 * * * *", timezone="Europe/Berlin")
    client.update_deployment_schedule(swept.id, swept.schedules[0].id, schedule=hourly)
    client.create_deployment_schedules(
        tool.id, [DeploymentScheduleCreate(schedule=hourly, active=False)]
    )
    client.update_deployment(
        tool.id,
        DeploymentUpdate(concurrency_limit=2, tags=[*tool.tags, "mine"], description="Mine."),
    )
    client.delete_deployment(named["midi-train"].id)
    return as_it_is(client)


def test_killed_runner_is_started_again_and_its_run_marked(served, client, tmp_path) -> None:
    edited = change_as_people_do(client, tmp_path / "songs.csv")
    for n in range(MANY):
        sound(tmp_path / "many" / f"{n}.wav", seconds=30)
    run = start("convert", {"source": str(tmp_path / "many"), "target_format": "mp3"})
    until(lambda: list((tmp_path / "many").glob("*.mp3")), "the first file")
    (runner,) = served.pids("serving.runner cpu")
    os.kill(runner, signal.SIGKILL)
    assert ended(client, run).state.name == "Crashed"
    until(lambda: served.pids("serving.runner cpu") not in ([], [runner]), "another runner")
    assert "the runner of pool cpu ended (signal SIGKILL)" in served.said()
    again = start("convert", {"source": str(sound(tmp_path / "b.wav")), "target_format": "ogg"})
    assert ended(client, again).state.name == "Completed"
    registered = as_it_is(client)
    assert registered.pop("midi-train")["entrypoint"] == "flows.midi.midi_train"
    assert registered == edited
    until(lambda: len(list((tmp_path / "many").glob("*.mp3"))) == MANY, "the files that were left")


def test_every_night_makes_the_songs_that_the_deployment_names(served, client) -> None:
    night = client.read_deployment_by_name("batch/batch")
    client.update_deployment(night.id, DeploymentUpdate(parameters={"file": "mine.csv"}))
    client.update_deployment_schedule(night.id, night.schedules[0].id, active=True)

    def planned() -> list[FlowRun]:
        runs = client.read_flow_runs(limit=200)
        return [r for r in runs if r.auto_scheduled and r.deployment_id == night.id]

    until(lambda: any(r.parameters.get("file") == "mine.csv" for r in planned()), "a night")
    client.update_deployment_schedule(night.id, night.schedules[0].id, active=False)


@pytest.mark.slow
def test_both_webhooks_hear_of_a_run_that_waits(served, client) -> None:
    bodies: list[tuple[str, dict[str, object]]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", served.hook_port), Hook) as hook:
        threading.Thread(target=hook.serve_forever, args=(0.05,), daemon=True).start()
        subprocess.run(
            [sys.executable, "deployments/automations.py"],
            cwd=ROOT,
            env={
                **os.environ,
                "PREFECT_API_URL": served.api,
                "PREFECT_HOME": str(served.home),  # where it finds the password
                "JUKEFLOW_WEBHOOK": f"http://127.0.0.1:{served.hook_port}/automation",
            },
            check=True,
            capture_output=True,
        )
        run = start("compose", {"song": {"model": "tiny", "seconds": 1}, "name": "waits"})
        until(lambda: client.read_flow_run(run).state.name == "Suspended", "the question")
        until(lambda: len(bodies) == 2, "both messages")
        hook.shutdown()
    assert {path: body["event"] for path, body in bodies} == {
        "/flow": "choice-needed",
        "/automation": "choice-needed",
    }
    assert all(body["link"] and body["text"] for _, body in bodies)


def song(served: Served, name: str) -> UUID:
    """Start a song, and wait until a window of level 1 is kept."""
    request = {"model": "nano", "seconds": 4.2, "seed": 3}
    run = start("generate", {"song": request, "name": name})
    log = served.home / "runs" / name / "log"
    until(lambda: any('"level":1' in f.read_text() for f in log.glob("0*.json")), "level 1")
    return run


@pytest.mark.slow
def test_song_of_a_killed_runner_is_continued_without_a_person(served, client) -> None:
    run = song(served, "killed")
    (runner,) = served.pids("serving.runner gpu")
    os.kill(runner, signal.SIGKILL)
    assert ended(client, run).state.name == "Crashed"
    until(lambda: "Completed" in states(client, "continue"), "the end of the run that went on")
    assert (served.home / "runs" / "killed" / "export" / "manifest.json").exists()


def inside(client: SyncPrefectClient, run: UUID) -> list[str]:
    """States of the flow runs and task runs that a run had called, without those of `Completed`."""
    of_run = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    called = client.read_flow_runs(flow_run_filter=of_run)
    steps = FlowRunFilter(id=FlowRunFilterId(any_=[run, *(each.id for each in called)]))
    tasks = client.read_task_runs(flow_run_filter=steps)
    return [e.state.name for e in (*called, *tasks) if e.state.name != "Completed"]


@pytest.mark.slow
def test_song_of_a_killed_process_is_continued_without_a_person(served, client) -> None:
    before = len(states(client, "continue"))
    run = song(served, "process-killed")
    (process,) = served.pids("prefect.engine")
    os.kill(process, signal.SIGKILL)
    assert ended(client, run).state.name == "Crashed"
    until(lambda: set(inside(client, run)) == {"Crashed"}, "the end of what it had called")
    until(lambda: len(states(client, "continue")) > before, "the run that goes on")
    log = served.home / "runs" / "process-killed" / "export" / "manifest.json"
    until(log.exists, "the song")


@pytest.mark.slow
def test_song_that_a_person_cancelled_stays_where_it_is(served, client) -> None:
    before = states(client, "continue")
    run = song(served, "cancelled")
    client.set_flow_run_state(run, Cancelling())
    until(lambda: client.read_flow_run(run).state.name == "Cancelled", "the end of the song")
    until(lambda: set(inside(client, run)) == {"Cancelled"}, "the end of what it had called")
    of_run = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    called = [run, *(each.id for each in client.read_flow_runs(flow_run_filter=of_run))]
    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=called))
    assert [log.message for log in client.read_logs(mine) if log.level >= logging.ERROR] == []
    assert ended(client, start("resume-interrupted", {})).state.name == "Completed"
    assert states(client, "continue") == before


def test_ctrl_c_cancels_what_runs_and_leaves_no_process(served, client, tmp_path) -> None:
    for n in range(MANY):
        sound(tmp_path / "many" / f"{n}.wav", seconds=30)
    run = start("convert", {"source": str(tmp_path / "many"), "target_format": "mp3"})
    until(lambda: list((tmp_path / "many").glob("*.mp3")), "the first file")
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 0
    assert served.pids() == []
    assert not list((tmp_path / "many").glob(".*"))
    with sqlite3.connect(served.home / "prefect.db") as database:
        states = database.execute(
            "select state_name, message from flow_run join flow_run_state on state_id ="
            " flow_run_state.id where flow_run.id = ?",
            [str(run)],
        )
        assert states.fetchall() == [("Cancelled", "Runner is shutting down.")]


@pytest.mark.whole
def test_killed_serve_leaves_no_process(prefect_server, tmp_path) -> None:
    api = PREFECT_API_URL.value()
    served = serve(tmp_path / "home", "--no-server", "--no-room", PREFECT_API_URL=api)
    assert served.api == api
    assert served.pids("serving.runner")
    served.process.kill()
    until(lambda: served.pids() == [], "the end of every process")
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--port", "70000"], "port is 70000"),
        (["--gpu-limit", "0"], "gpu-limit is 0"),
        (["--no-server"], "no-server: no Prefect server is configured"),
    ],
)
def test_wrong_option_is_refused(words, named, capsys, store_root, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    assert main(["serve", *words]) == 2
    assert named in capsys.readouterr().err


def test_port_in_use_is_refused(capsys, store_root, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"port: {port} is in use" in capsys.readouterr().err
