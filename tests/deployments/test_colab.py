"""The Colab notebook, run with a folder in Drive's place and the machine lost half-way."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from musiccore.conversion.memory import read

NOTEBOOK = Path(__file__).parents[2] / "deployments" / "colab.ipynb"


@pytest.fixture
def drive(tmp_path, monkeypatch) -> Path:
    for name, value in {
        "DRIVE": str(tmp_path / "drive"),
        "MODEL": "nano",
        "RUN": "song",
        "SECONDS": "5",
        "TAKES": "2",
        "TAKE": "2",
    }.items():
        monkeypatch.setenv(f"JUKEFLOW_{name}", value)
    return tmp_path / "drive"


def client() -> NotebookClient:
    return NotebookClient(nbformat.read(NOTEBOOK, as_version=4), timeout=240, kernel_name="python3")


def said(notebook: NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def players(notebook: NotebookNode) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("<audio" in output.get("data", {}).get("text/html", "") for output in outputs)


def lose_the_machine(client: NotebookClient, log: Path) -> None:
    """Kill the kernel and all it started as soon as a window of level 1 is in the store."""
    while not any('"level":1' in record.read_text() for record in log.glob("0*.json")):
        time.sleep(0.02)
    os.killpg(client.km.provisioner.pid, signal.SIGKILL)


def test_notebook_has_no_outputs_and_no_secret() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(
        not c.outputs and c.execution_count is None for c in notebook.cells if "outputs" in c
    )


@pytest.mark.whole
def test_notebook_makes_a_song_although_the_machine_is_lost(drive, monkeypatch) -> None:
    first = client()
    log = drive / "jukeflow" / "song" / "log"
    killer = threading.Thread(target=lose_the_machine, args=(first, log), daemon=True)
    killer.start()
    with pytest.raises(DeadKernelError):
        first.execute()
    assert players(first.nb) == 2  # both takes could be heard
    assert "send take 2 to upsampling" in said(first.nb)
    windows = {f.name for f in log.glob("0*.json")}

    monkeypatch.setenv("JUKEFLOW_ROOM_HERE", "1")
    monkeypatch.setenv("JUKEFLOW_ROOM_PORT", "0")
    second = client()
    second.execute()
    assert "the listening room: http://127.0.0.1:" in said(second.nb)
    assert "state: done" in said(second.nb)
    assert players(second.nb) == 3
    assert read(drive / "jukeflow" / "song" / "export" / "master.wav").seconds == pytest.approx(
        5, abs=0.1
    )
    assert windows < {f.name for f in log.glob("0*.json")}  # it went on with the same log
