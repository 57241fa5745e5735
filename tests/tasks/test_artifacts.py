"""Artifacts never hold up the music."""

from __future__ import annotations

import json

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact
from prefect.context import FlowRunContext

from musiccore.models.config import ModelConfig
from musiccore.models.sung import Sung
from musiccore.request.plan import Plan
from musiccore.request.request import GenerationRequest
from tasks.artifacts import artifact_key, aside, show_plan, show_text
from tasks.policies import durable_flow


def test_outside_a_prefect_run_nothing_is_shown_and_no_server_is_asked():
    asked: list[int] = []
    aside(lambda: asked.append(1))
    assert asked == []


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (("plan", "winter"), "plan-winter"),
        (("song", "a_b", 3), "song-a-b-3"),
        (("Übung",), "bung"),
        (("___",), "jukeflow"),
    ],
)
def test_key_is_one_that_prefect_accepts(parts, key):
    assert artifact_key(*parts) == key


@durable_flow(name="showing")
def showing() -> str:
    request = GenerationRequest(model="tiny", seconds=0.4)
    plan = Plan.of(ModelConfig.from_name("tiny"), request)
    aside(lambda: 1 / 0)
    show_plan("a_run", plan, Sung.of("Stra\u00dfe <b>\U0001f600</b>", "nano"))
    show_text("# What became of it", "what-became-of-it", "One sentence.")
    return str(FlowRunContext.get().flow_run.id)


@pytest.fixture(scope="module")
def shown(prefect_server) -> dict[str, Artifact]:
    """What hangs at the page of a run that shows things, one of which fails."""
    run = showing()
    with get_client(sync_client=True) as client:
        here = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
        return {str(one.key): one for one in client.read_artifacts(artifact_filter=here)}


def test_plan_is_a_table_of_levels_with_the_words_that_are_given(shown):
    plan = shown["plan-a-run"]
    rows = json.loads(str(plan.data))
    assert [row["level"] for row in rows] == [2, 1, 0]
    assert [row["steps"] for row in rows] == [25, 100, 400]
    assert all(row["windows"] >= 1 and row["memory"].endswith(" MiB") for row in rows)
    said = str(plan.description)
    assert said.startswith("What the whole of a_run costs on this cpu.\n\n")
    assert "'\u00df' by 'ss'" in said
    assert "<" not in said.replace("\\<", "")  # nothing of it is markup


def test_artifact_that_fails_costs_nothing_but_itself(shown):
    assert str(shown["what-became-of-it"].data) == "# What became of it"
    assert shown.keys() == {"plan-a-run", "what-became-of-it"}
