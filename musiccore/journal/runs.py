"""Which runs a store holds."""

from __future__ import annotations

import contextlib
import logging

from musiccore.errors import Corrupt, NotFound, StorageError
from musiccore.journal.keys import COPY_KEY, RECORD, RUN_KEY
from musiccore.journal.manifest import MAX_RUN_RECORD_BYTES, RunRecord
from musiccore.storage.run_ids import validate_run_id
from musiccore.storage.store import Store

log = logging.getLogger(__name__)


def list_runs(store: Store) -> tuple[str, ...]:
    """Return the ids of the runs in a store, sorted; other folders are passed over.

    Runs that cannot be opened are among them, those without their `run.json` too.
    """
    found = []
    for name in store.children():
        with contextlib.suppress(StorageError, ValueError):
            if _is_run(store.at(validate_run_id(name))):
                found.append(name)
    return tuple(found)


def _is_run(folder: Store) -> bool:
    """Return whether a folder is that of a run, which may have lost its `run.json`."""
    with contextlib.suppress(StorageError):
        if folder.exists(RUN_KEY):
            return True
    return has_records(folder)


def has_records(folder: Store) -> bool:
    """Return whether a log or a copy of `run.json` lies in a folder of the store."""
    return folder.exists(COPY_KEY) or any(map(RECORD.fullmatch, folder.list("log")))


def read_run_record(store: Store, run_id: str) -> RunRecord:
    """Return what `run.json` of a run holds.

    Raises:
        ConfigError: if the run id is not one.
        NotFound: if there is no such run, or no such store.
        Corrupt: if it is damaged or missing.
    """
    validate_run_id(run_id)
    try:
        data = store.at(run_id).get(RUN_KEY, limit=MAX_RUN_RECORD_BYTES)
        return RunRecord.from_bytes(data, run_id=run_id)
    except NotFound as error:
        if has_records(store.at(run_id)):
            raise without_record(run_id, f"run.json of {run_id} is missing") from error
        store.require()
        raise NotFound(
            f"run: there is no run {run_id} in {store.location()}",
            hint="`jukeflow runs` lists them",
        ) from error
    except Corrupt as error:
        raise without_record(run_id, error.message) from error


def without_record(run_id: str, what: str) -> Corrupt:
    """Return the error of a run whose `run.json` is not to be read."""
    return Corrupt(
        what,
        hint=f"`jukeflow verify {run_id} --repair` puts it back, where its copy or a delivered "
        "file tells what it held",
    )


def keep_copy(folder: Store, record: RunRecord) -> bool:
    """Keep a copy of `run.json` where there is none; return whether there is one."""
    try:
        if not folder.exists(COPY_KEY):
            folder.put(COPY_KEY, record.to_bytes())
    except StorageError as error:  # the run has its record; the next worker tries again
        log.warning("the copy of run.json was not written: %s", error.message)
        return False
    return True
