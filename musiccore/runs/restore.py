"""What the files of a run tell about its `run.json`, where that and its copy are lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from musiccore.errors import MusicCoreError
from musiccore.journal.chain import record_key
from musiccore.journal.manifest import RunRecord
from musiccore.journal.records import MAX_RECORD_BYTES
from musiccore.request.check import check
from musiccore.request.plan import level_plan
from musiccore.storage.sealed import Json, unseal
from musiccore.storage.store import Store
from musiccore.tags import read_tags
from musiccore.takes.lineage import Origin

_SEARCHED: Final = timedelta(hours=1)
"""How long before the first record of its log a run may have been created; files do not tell."""


def told_records(store: Store, run_id: str) -> Iterator[RunRecord]:
    """Yield what `run.json` of a run may have held; the digest in the log says which is right.

    Args:
        store: the store's root.
        run_id: the run.
    """
    folder = store.at(run_id)
    for key in folder.list():
        if not key.startswith(("export/", "rounds/")) or key.endswith((".html", ".png", ".json")):
            continue
        with suppress(MusicCoreError, KeyError, TypeError, ValueError):
            made = read_tags(folder.get(key)).get("provenance")
            if isinstance(made, dict) and made.get("run") == run_id:
                yield from _moments(folder, _record(made))


def _record(made: dict[str, object]) -> RunRecord:
    """Return the record of a file's run, but for the moment when it was created.

    Raises:
        ConfigError: if the file does not tell enough.
    """
    told = Origin.of(made)
    origin = made["origin"]
    assert isinstance(origin, dict)  # `Origin.of` has looked
    config = check(told.request)
    plans = level_plan(config, told.request, primer_samples=told.primer_samples)
    pack: dict[str, Json] = {} if told.pack is None else {"pack": told.pack}
    return RunRecord(
        run_id=str(made["run"]),
        title=told.request.title or "",
        created="",
        request=origin["request"],
        seed=int(str(made["seed"])),
        rng=told.rng,
        models=told.weights,
        numerics={
            **told.numerics,
            "batches": [list(plan.batches) for plan in plans],
            "windows": [[[w.start, w.end, w.known] for w in plan.windows] for plan in plans],
            "primer": origin.get("primer"),
            **pack,
        },
        versions=told.versions,
    )


def _moments(folder: Store, record: RunRecord) -> Iterator[RunRecord]:
    """Yield a record with each second at which the run may have been created, latest first."""
    first = unseal(folder.get(record_key(1), limit=MAX_RECORD_BYTES), what="record 1")
    began = datetime.fromisoformat(str(first["at"]))
    for seconds in range(int(_SEARCHED.total_seconds())):
        at = (began - timedelta(seconds=seconds)).isoformat(timespec="seconds")
        yield replace(record, created=at)
