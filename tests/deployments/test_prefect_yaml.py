"""deployments/prefect.yaml says what the table says, and a real server takes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from flows.serving.deployments import DEPLOYMENTS, LIMITS, Deployed, deployed, start
from musiccore.errors import ConfigError

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())
IN_FILE = {deployment["name"]: deployment for deployment in FILE["deployments"]}
POOLS = ROOT / "deployments" / "pools"


def as_yaml(one: Deployed) -> dict[str, Any]:
    """A row of the table as the file says it."""
    row: dict[str, Any] = {
        "name": one.name,
        "entrypoint": one.entrypoint,
        "description": one.description(),
        "version": version("jukeflow"),
        "tags": ["jukeflow", *one.tags],
        "work_pool": {"name": one.pool},
    }
    if one.timetable is not None:
        times = one.timetable
        row["schedules"] = [
            {
                "slug": times.slug,
                "cron": times.cron,
                "timezone": "UTC",
                "active": times.active,
            }
        ]
    return row


def test_code_comes_from_the_installed_package() -> None:
    assert FILE["pull"] == []


def test_file_and_table_hold_the_same_names() -> None:
    assert list(IN_FILE) == [one.name for one in DEPLOYMENTS]


@pytest.mark.parametrize("one", DEPLOYMENTS, ids=lambda one: one.name)
def test_file_says_what_the_table_says(one) -> None:
    assert IN_FILE[one.name] == as_yaml(one)


@pytest.mark.parametrize("one", DEPLOYMENTS, ids=lambda one: one.name)
def test_flow_can_be_started_from_a_form(one) -> None:
    flow = one.flow()
    assert one.description().endswith(".")
    assert "store" not in flow.parameters.properties
    for name, parameter in flow.parameters.properties.items():
        assert "$ref" in str(parameter) or parameter.get("description"), f"{name} has no words"


def prefect(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *words],
        cwd=ROOT,
        env={**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def client(prefect_server) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)
        for pool in LIMITS:
            client.request("DELETE", "/work_pools/{name}", path_params={"name": pool})


@pytest.mark.whole
def test_commands_of_the_readme_deploy_everything(client) -> None:
    for pool in LIMITS:
        template = "deployments/pools/process.json"
        prefect("work-pool", "create", pool, "--type", "process", "--base-job-template", template)
    prefect("deploy", "--prefect-file", "deployments/prefect.yaml", "--all")
    found = {d.name: d for d in client.read_deployments()}
    assert found.keys() == {one.name for one in DEPLOYMENTS}
    for one in DEPLOYMENTS:
        there = found[one.name]
        assert there.work_pool_name == one.pool
        assert there.entrypoint == one.entrypoint
        assert not there.pull_steps
        assert there.version == version("jukeflow")
        assert [(s.slug, s.active) for s in there.schedules] == (
            [(one.timetable.slug, one.timetable.active)] if one.timetable else []
        )
    run = start("convert", {"source": "x"}, key="same")
    assert start("convert", {"source": "x"}, key="same") == run
    assert client.read_flow_run(run).work_pool_name == "cpu"


def test_deployment_that_is_not_there_is_refused(prefect_server) -> None:
    with pytest.raises(ConfigError, match="deployment: train/train is not on the server"):
        start("train", {})
    with pytest.raises(ConfigError, match="deployment: sing is unknown"):
        deployed("sing")


def test_every_pool_of_the_readme_has_a_template() -> None:
    readme = (ROOT / "deployments" / "README.md").read_text()
    for template in POOLS.glob("*.json"):
        assert f"pools/{template.name}" in readme
        json.loads(template.read_text())
