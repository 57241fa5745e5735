"""A store that lives as long as a test."""

from __future__ import annotations

import pytest


@pytest.fixture
def store_root(tmp_path, monkeypatch) -> str:
    root = str(tmp_path / "runs")
    monkeypatch.setenv("JUKEFLOW_STORE", root)
    return root
