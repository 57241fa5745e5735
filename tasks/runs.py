"""Runs in the store: created from a request, listed, and described as they stand."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from musiccore.conditioning import transliterator_name
from musiccore.config import ModelConfig
from musiccore.errors import ConfigError, NotFound, StorageError
from musiccore.journal import Journal, list_runs
from musiccore.liveness import Worker
from musiccore.manifest import RunRecord
from musiccore.planning import LevelPlan, level_plan
from musiccore.records import Event, Json
from musiccore.request import GenerationRequest
from musiccore.storage import AlreadyExists, Store, validate_run_id
from tasks.models import Models, check_weights
from tasks.settings import Settings


def program_versions() -> dict[str, str]:
    """Return the versions of what makes the music; information only."""
    found = {}
    for name in ("jukeflow", "torch", "numpy", "prefect", "soundfile"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def new_run_id(request: GenerationRequest) -> str:
    """Return a readable, fresh name: `winter-20260131-3fa9c1`."""
    words = request.title or f"{request.model} {request.conditioning.genre}"
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:40].strip("-") or request.model
    return validate_run_id(f"{slug}-{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)}".lstrip("-"))


def check_request(request: GenerationRequest, settings: Settings) -> ModelConfig:
    """Check all of a request before weights load.

    Returns:
        The model's configuration.

    Raises:
        ConfigError, ConditioningError, AudioError: for a wrong field; the message names it.
        CheckpointError: if weights are missing.
    """
    config = request.check(label_tables=settings.labels)
    check_weights(config, settings)
    return config


def run_numerics(
    request: GenerationRequest, config: ModelConfig, models: Models, primer: Primer | None
) -> dict[str, Json]:
    """Return everything that decides the numbers of a run, beside weights and request."""
    plans = level_plan(config, request, primer_samples=0 if primer is None else primer.n_samples)
    return {
        **models.numerics(),
        "batches": [list(plan.batches) for plan in plans],
        "windows": [[[w.start, w.end, w.known] for w in plan.windows] for plan in plans],
        "transliterator": transliterator_name(),
        "primer": None if primer is None else primer.to_json(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Primer:
    """What a run remembers of its primer's file, so that it can go on without it.

    Attributes:
        n_samples: length that is used, at the model's rate.
        sha256: digest of the file.
    """

    n_samples: int
    sha256: str

    @classmethod
    def of(cls, request: GenerationRequest, config: ModelConfig) -> Primer | None:
        """Look at the file of a request; None without a primer.

        Raises:
            AudioError: if it cannot be read.
        """
        if request.primer is None:
            return None
        with Path(request.primer).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(n_samples=request.primer_samples(config), sha256=digest)

    @classmethod
    def recorded(cls, record: RunRecord) -> Primer | None:
        """Return the primer that a run record names."""
        value = record.numerics.get("primer")
        if not isinstance(value, dict):
            return None
        return cls(n_samples=int(str(value["n_samples"])), sha256=str(value["sha256"]))

    def to_json(self) -> dict[str, Json]:
        """Return the form of the run record."""
        return {"n_samples": self.n_samples, "sha256": self.sha256}


def run_plan(record: RunRecord) -> list[LevelPlan]:
    """Return the windows and batches of every level of a run, level 0 first."""
    request = GenerationRequest.model_validate(dict(record.request))
    primer = Primer.recorded(record)
    return level_plan(
        ModelConfig.from_name(request.model),
        request,
        primer_samples=0 if primer is None else primer.n_samples,
    )


def create_run(
    store: Store, request: GenerationRequest, run_id: str, config: ModelConfig, models: Models
) -> None:
    """Write the run's record; the same request under the same name continues it.

    Raises:
        ConfigError: if the run exists with another request.
        StorageError: if the store cannot be written, or cannot keep two workers apart.
    """
    store.probe()
    record = RunRecord(
        run_id=run_id,
        title=request.title or "",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        request=request.model_dump(mode="json"),
        seed=request.sampling.seed,
        models=dict(models.digests()),
        numerics=run_numerics(request, config, models, Primer.of(request, config)),
        versions=program_versions(),
    )
    try:
        Journal.create(store, record)
    except AlreadyExists as error:
        there = Journal.open(store, run_id).record
        if dict(there.request) != record.request:
            raise ConfigError(
                f"run: {run_id} exists already and was asked for something else",
                hint=f"`jukeflow resume {run_id}` continues it; choose another name for this one",
            ) from error


def run_exists(store: Store, run_id: str) -> bool:
    """Return whether a run of this name is in the store."""
    try:
        Journal.open(store, run_id)
    except NotFound:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStatus:
    """One level of a run.

    Attributes:
        codes_sha256: digest of the codes of all its takes; None until the level is done.
        n_codes: codes per take.
        windows_done, windows: a window counts when all its batches are there.
    """

    level: int
    codes_sha256: str | None
    n_codes: int
    windows_done: int
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterStatus:
    """The finished song."""

    path: str
    pcm_sha256: str
    seconds: float
    sample_rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A run as it stands; `to_json` is what programs read.

    Attributes:
        state: `done`, `running` (a live worker of this machine), `unfinished`, or `damaged`.
        take: number of the take that goes on, from 1; None until it is chosen.
    """

    run: str
    title: str
    state: str
    created: str
    model: str
    store: str
    seed: int
    takes: int
    take: int | None
    levels: tuple[LevelStatus, ...]
    master: MasterStatus | None
    page: str | None
    message: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        value = asdict(self)
        value["levels"] = list(value["levels"])
        return value


def chosen_take(journal: Journal) -> int | None:
    """Return the take that the last selection names, None before the first."""
    selections = journal.events_of("selection")
    if not selections:
        return None
    take = selections[-1].fields.get("take")
    return take if isinstance(take, int) else None


def last_export(journal: Journal) -> Event | None:
    """Return the record of the last delivery, unless a selection came after it."""
    facts = journal.events_of("exported", "selection")
    return facts[-1] if facts and facts[-1].type == "exported" else None


def is_done(journal: Journal) -> bool:
    """Return whether everything the request asked for is delivered."""
    return last_export(journal) is not None


def describe_run(store: Store, run_id: str) -> RunStatus:
    """Return a run as it stands; reads the log, no weights.

    Raises:
        NotFound: if there is no such run.
        Corrupt: if its log is damaged.
    """
    journal = Journal.open(store, run_id)
    request = GenerationRequest.model_validate(dict(journal.record.request))
    config = ModelConfig.from_name(request.model)
    take = chosen_take(journal)
    levels = tuple(
        _describe_level(journal, plan, config, take) for plan in run_plan(journal.record)
    )
    export = last_export(journal)
    return RunStatus(
        run=run_id,
        title=journal.record.title,
        state="done" if export else ("running" if _is_running(journal) else "unfinished"),
        created=journal.record.created,
        model=request.model,
        store=store.location(),
        seed=journal.record.seed,
        takes=request.takes,
        take=None if take is None else take + 1,
        levels=levels,
        master=None if export is None else _master(journal, export),
        page=None if export is None else journal.store.location("export/index.html"),
    )


def describe_runs(store: Store) -> list[RunStatus]:
    """Return every run of a store; damaged ones say what is wrong."""
    found = []
    for run_id in list_runs(store):
        try:
            found.append(describe_run(store, run_id))
        except (StorageError, ConfigError) as error:
            found.append(
                RunStatus(
                    run=run_id,
                    title="",
                    state="damaged",
                    created="",
                    model="",
                    store=store.location(),
                    seed=0,
                    takes=0,
                    take=None,
                    levels=(),
                    master=None,
                    page=None,
                    message=error.message,
                )
            )
    return found


def unfinished_runs(store: Store) -> list[str]:
    """Return the runs that still have something to do, oldest first."""
    waiting = []
    for run_id in list_runs(store):
        try:
            journal = Journal.open(store, run_id)
        except StorageError:
            continue
        if not is_done(journal):
            waiting.append((journal.record.created, run_id))
    return [run_id for _, run_id in sorted(waiting)]


def _describe_level(
    journal: Journal, plan: LevelPlan, config: ModelConfig, take: int | None
) -> LevelStatus:
    top = plan.level == config.levels - 1

    def concerns(fields: Mapping[str, Json]) -> bool:
        return fields.get("level") == plan.level and (top or fields.get("takes") == [take])

    passes = Counter(
        index
        for _, index in {
            (event.fields.get("group"), event.fields.get("index"))
            for event in journal.events_of("window")
            if concerns(event.fields)
        }
    )
    done = [event for event in journal.events_of("level_done") if concerns(event.fields)]
    digest = done[-1].fields.get("codes_sha256") if done else None
    return LevelStatus(
        level=plan.level,
        codes_sha256=digest if isinstance(digest, str) else None,
        n_codes=plan.n_codes,
        windows_done=sum(n == len(plan.batches) for n in passes.values()),
        windows=len(plan.windows),
    )


def _master(journal: Journal, export: Event) -> MasterStatus | None:
    master = export.fields.get("master")
    if not isinstance(master, dict):
        return None
    return MasterStatus(
        path=journal.store.location(str(master["path"])),
        pcm_sha256=str(master["pcm_sha256"]),
        seconds=float(str(master["seconds"])),
        sample_rate=int(str(master["sample_rate"])),
    )


def _is_running(journal: Journal) -> bool:
    claim = journal.claim_in_force
    worker = None if claim is None else Worker.from_json(claim.fields.get("worker"))
    return worker is not None and worker.is_alive() is True
