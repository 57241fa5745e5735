"""The job templates of the work pools hold together, and name what their workers know."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import prefect.server
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.workers.process import ProcessJobConfiguration

FILES = sorted((Path(__file__).parents[2] / "deployments" / "pools").glob("*.json"))
TEMPLATES: dict[str, dict[str, Any]] = {f.stem: json.loads(f.read_text()) for f in FILES}
EACH = pytest.mark.parametrize("kind", TEMPLATES)

# What each kind of worker reads from a job, beyond what Prefect lists for its releases.
NEWER = {"docker": {"container_create_kwargs"}}


def listed(kind: str) -> set[str]:
    """Fields of the worker's jobs, from the list that Prefect's server ships."""
    views = Path(prefect.server.__file__).parent / "api" / "collections_data" / "views"
    packages = json.loads((views / "aggregate-worker-metadata.json").read_text())
    workers = {name: worker for package in packages.values() for name, worker in package.items()}
    return set(workers[kind]["default_base_job_configuration"]["job_configuration"])


def placeholders(value: object) -> set[str]:
    return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", json.dumps(value)))


def test_five_kinds_of_pool_are_there() -> None:
    assert set(TEMPLATES) == {"process", "docker", "kubernetes", "vertex-ai", "cloud-run-v2"}


@EACH
def test_every_placeholder_is_declared_and_every_variable_used(kind) -> None:
    template = TEMPLATES[kind]
    assert set(template) == {"job_configuration", "variables"}
    assert placeholders(template["job_configuration"]) == set(template["variables"]["properties"])


@EACH
def test_every_variable_has_title_type_and_sentence(kind) -> None:
    variables = TEMPLATES[kind]["variables"]
    for variable in variables["properties"].values():
        assert variable["title"]
        assert variable["type"]
        assert variable["description"].endswith(".")
    assert set(variables.get("required", ())) <= set(variables["properties"])
    assert all("default" not in variables["properties"][n] for n in variables.get("required", ()))


@EACH
def test_worker_knows_every_field(kind) -> None:
    assert set(TEMPLATES[kind]["job_configuration"]) <= listed(kind) | NEWER.get(kind, set())


@EACH
def test_server_takes_the_template(prefect_server, kind) -> None:
    with get_client(sync_client=True) as client:
        body = WorkPoolCreate(name=f"try-{kind}", type=kind, base_job_template=TEMPLATES[kind])
        client.create_work_pool(body)
        try:
            there = client.read_work_pool(f"try-{kind}").base_job_template
            assert there["job_configuration"] == TEMPLATES[kind]["job_configuration"]
        finally:
            client.request("DELETE", "/work_pools/{name}", path_params={"name": f"try-{kind}"})


@pytest.mark.parametrize("kind", ["docker", "kubernetes", "vertex-ai"])
def test_job_gets_one_gpu_unless_told_otherwise(kind) -> None:
    properties = TEMPLATES[kind]["variables"]["properties"]
    defaults = {name: value.get("default") for name, value in properties.items()}
    counts = {
        "docker": lambda: defaults["container_create_kwargs"]["device_requests"][0]["count"],
        "kubernetes": lambda: defaults["gpus"],
        "vertex-ai": lambda: defaults["accelerator_count"],
    }
    assert counts[kind]() == 1


def test_process_job_gets_its_variables() -> None:
    made = ProcessJobConfiguration.from_template_and_values(
        TEMPLATES["process"],
        {"env": {"CUDA_VISIBLE_DEVICES": "0"}, "command": "prefect flow-run execute"},
    )
    job = asyncio.run(made)
    assert job.env == {"CUDA_VISIBLE_DEVICES": "0"}
    assert job.command == "prefect flow-run execute"
    assert job.stream_output is True
    assert job.working_dir is None
