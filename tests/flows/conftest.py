"""A store that lives as long as a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.light_pictures import light_pictures


@pytest.fixture
def store_root(tmp_path, monkeypatch) -> str:
    root = str(tmp_path / "runs")
    monkeypatch.setenv("JUKEFLOW_STORE", root)
    return root


@pytest.fixture(scope="module")
def light() -> Iterator[None]:
    """Pictures of a sound that cost nothing."""
    with light_pictures():
        yield


@pytest.fixture
def commands_have_a_server(prefect_server, monkeypatch) -> None:
    """Let commands that this process runs find the server of the tests, and start none."""
    from prefect.settings import PREFECT_API_URL

    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
