"""deployments/prefect.yaml names flows that exist and can be deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())
DEPLOYMENTS = {deployment["name"]: deployment for deployment in FILE["deployments"]}


def test_code_comes_from_the_installed_package() -> None:
    assert FILE["pull"] == []
    assert [d["entrypoint"] for d in DEPLOYMENTS.values() if ":" in d["entrypoint"]] == []


def test_store_is_no_parameter() -> None:
    named = [d for d in DEPLOYMENTS.values() if "store" in d.get("parameters", {})]
    assert named == []


def test_schedules_have_slugs_and_start_switched_off() -> None:
    schedules = [s for d in DEPLOYMENTS.values() for s in d.get("schedules", [])]
    assert schedules
    assert all(schedule["slug"] and schedule["active"] is False for schedule in schedules)


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_entrypoint_is_a_flow_of_the_same_name(deployment: dict[str, Any]) -> None:
    flow: Flow[Any, Any] = load_flow_from_entrypoint(deployment["entrypoint"])
    assert flow.name == deployment["name"]
    assert "store" not in flow.parameters.properties


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_fixed_parameters_are_parameters_of_the_flow(deployment: dict[str, Any]) -> None:
    flow: Flow[Any, Any] = load_flow_from_entrypoint(deployment["entrypoint"])
    example = {"request": {"model": "tiny"}, "run_id": "song-1"}
    given = {name: example[name] for name in flow.parameters.required}
    flow.validate_parameters(given | deployment.get("parameters", {}))
