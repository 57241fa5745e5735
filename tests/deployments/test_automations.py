"""The script that applies the automations, run as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.settings import PREFECT_API_URL

SCRIPT = Path(__file__).parents[2] / "deployments" / "automations.py"


def apply(webhook: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={
            **os.environ,
            "PREFECT_API_URL": PREFECT_API_URL.value() or "",
            "JUKEFLOW_WEBHOOK": webhook,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def named(prefect_server):
    names = ("jukeflow-zombie-to-crashed", "jukeflow-person-needed")
    yield names
    for name in names:
        Automation.read(name=name).delete()


def test_second_run_updates_what_the_first_created(named) -> None:
    zombie, person = named
    assert apply() == [f"{zombie}: created"]
    first = Automation.read(name=zombie).id
    assert apply("http://127.0.0.1:9/a") == [f"{zombie}: updated", f"{person}: created"]
    assert apply("http://127.0.0.1:9/b") == [f"{zombie}: updated", f"{person}: updated"]
    found = Automation.read(name=zombie)
    assert found.id == first
    assert found.trigger.within >= 3 * timedelta(seconds=30)
    assert not found.actions[0].force
    url = Webhook.load("jukeflow-person-needed").url.get_secret_value()
    assert url == "http://127.0.0.1:9/b"
