"""A damaged hint about the end of the log costs neither the run nor all memory."""

from __future__ import annotations

import uuid

from musiccore.journal.chain import TIP_KEY
from musiccore.journal.journal import Journal
from musiccore.models.machine import Machine
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import start
from musiccore.storage.sealed import seal
from musiccore.storage.store import open_store


def test_hint_that_names_an_absurd_end_is_not_counted_out() -> None:
    store = open_store(f"memory://test-{uuid.uuid4().hex}")
    start(store, GenerationRequest(model="tiny", seconds=0.4), "song", Machine())
    absurd = {"seq": 10**12, "record_sha256": "0" * 64}  # 10**12 sentences fit into no memory
    store.at("song").put(TIP_KEY, seal(absurd))
    assert Journal.open(store, "song").record.run_id == "song"


def test_stray_file_with_an_absurd_number_is_not_counted_up_to() -> None:
    store = open_store(f"memory://test-{uuid.uuid4().hex}")
    start(store, GenerationRequest(model="tiny", seconds=0.4), "song", Machine())
    store.at("song").put("log/99999999.json", b"{}")
    journal = Journal.open(store, "song")
    assert len(journal.events) < 10
