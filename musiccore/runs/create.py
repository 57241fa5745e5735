"""Runs in the store: created from a request that was checked."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError, NotFound
from musiccore.journal.journal import Journal
from musiccore.journal.manifest import RunRecord
from musiccore.models.config import ModelConfig
from musiccore.models.labels import transliterator_name
from musiccore.models.loading import Models, check_weights
from musiccore.models.machine import Machine
from musiccore.request.check import check
from musiccore.request.plan import level_plan
from musiccore.request.request import GenerationRequest
from musiccore.runs.primer import compose_primer, file_sha256, primer_piece
from musiccore.runs.primer_audio import primer_samples
from musiccore.sampling.randomness import RNG_SCHEME
from musiccore.storage.run_ids import validate_run_id
from musiccore.storage.sealed import Json
from musiccore.storage.store import AlreadyExists, BlobRef, Store
from musiccore.tags.software import version_of


def program_versions() -> dict[str, str]:
    """Return the versions of what makes the music; information only."""
    names = ("jukeflow", "torch", "numpy", "prefect", "soundfile")
    return {name: version_of(name) for name in names}


def new_run_id(request: GenerationRequest, *, unique: str = "") -> str:
    """Return a readable, fresh name: `winter-20260131-3fa9c1`.

    Args:
        request: what to make.
        unique: what tells the run from others of the same title; a date and a random number by
            default.
    """
    words = request.title or f"{request.model} {request.conditioning.genre}"
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:40].strip("-") or request.model
    unique = unique or f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)}"
    return validate_run_id(f"{slug}-{unique}".lstrip("-"))


RESERVED: Final = frozenset({"batches", "locks", "speeds"})
"""Names at the root of a store that it keeps for itself."""


def fresh_run_id(name: str) -> str:
    """Return a name that somebody wants to give to a run.

    Raises:
        ConfigError: if it is no run id, or a name that the store needs itself.
    """
    if validate_run_id(name) in RESERVED:
        raise ConfigError(
            f"run: {name!r} is a name that the store needs itself",
            hint=f"choose another one, such as {name}-1",
        )
    return name


def check_request(request: GenerationRequest, machine: Machine) -> ModelConfig:
    """Check all of a request before weights load.

    Returns:
        The model's configuration.

    Raises:
        ConfigError, ConditioningError, AudioError: for a wrong field; the message names it.
        MissingProgram: if only ffmpeg could read the primer and there is none.
        CheckpointError: if weights are missing.
    """
    config = check(request, label_tables=machine.labels)
    primer_samples(request, config, ffmpeg=machine.ffmpeg)
    check_weights(config, machine)
    return config


def run_numerics(
    request: GenerationRequest,
    config: ModelConfig,
    models: Models,
    primer: Primer | None,
    pack: Json = None,
) -> dict[str, Json]:
    """Return everything that decides the numbers of a run, beside weights and request.

    Args:
        request: what to make.
        config: of the model.
        models: its networks on this machine.
        primer: what is remembered of the primer.
        pack: where the run's rows lie in passes that it shares with others; None if it does not.
    """
    plans = level_plan(config, request, primer_samples=0 if primer is None else primer.n_samples)
    return {
        **models.numerics(),
        "batches": [list(plan.batches) for plan in plans],
        "windows": [[[w.start, w.end, w.known] for w in plan.windows] for plan in plans],
        "transliterator": transliterator_name(),
        "primer": None if primer is None else primer.to_json(),
        **({} if pack is None else {"pack": pack}),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Primer:
    """What a run remembers of its primer's file, so that it can go on without it.

    Attributes:
        n_samples: length that is used, at the model's rate.
        sha256: digest of the file, or of the MIDI file of a composed primer.
        kept: what is used of it, in the run; None in runs that an older version began.
    """

    n_samples: int
    sha256: str
    kept: BlobRef | None = None

    @classmethod
    def of(
        cls, request: GenerationRequest, config: ModelConfig, *, ffmpeg: str | None = None
    ) -> Primer | None:
        """Look at the primer of a request, or compose it; None without a primer.

        Raises:
            AudioError: if its file cannot be read.
            MissingProgram: if only ffmpeg could read it and there is none.
        """
        n_samples = primer_samples(request, config, ffmpeg=ffmpeg)
        if request.primer_compose is not None:
            data = compose_primer(request, config)
            return cls(n_samples=n_samples, sha256=hashlib.sha256(data).hexdigest())
        if request.primer is None:
            return None
        return cls(n_samples=n_samples, sha256=file_sha256(Path(request.primer)))

    @classmethod
    def recorded(cls, record: RunRecord) -> Primer | None:
        """Return the primer that a run record names."""
        value = record.numerics.get("primer")
        if not isinstance(value, dict):
            return None
        kept = value.get("kept")
        return cls(
            n_samples=int(str(value["n_samples"])),
            sha256=str(value["sha256"]),
            kept=None if kept is None else BlobRef.from_json(kept),
        )

    def to_json(self) -> dict[str, Json]:
        """Return the form of the run record."""
        kept: dict[str, Json] = {} if self.kept is None else {"kept": self.kept.to_json()}
        return {"n_samples": self.n_samples, "sha256": self.sha256, **kept}


def create_run(
    store: Store,
    request: GenerationRequest,
    run_id: str,
    config: ModelConfig,
    models: Models,
    *,
    primer: Primer | None = None,
    score: bytes = b"",
    pack: Json = None,
) -> None:
    """Write the run's record; the same request under the same name continues it.

    What is used of the primer is kept first: a run that is there needs no file any more.

    Args:
        store: the root of the store.
        request: what to make.
        run_id: name of the run.
        config: of the model.
        models: its networks on this machine.
        primer: what is known of its primer; by default it is looked at.
        score: the MIDI file that the run starts from, where it is at hand without its file.
        pack: where the run's rows lie in passes that it shares with others.

    Raises:
        ConfigError: if the run exists with another request.
        AudioError: if the primer cannot be read.
        StorageError: if the store cannot be written, or cannot keep two workers apart.
    """
    fresh_run_id(run_id)
    store.probe()
    if run_exists(store, run_id):
        _check_same(store, request, run_id)
        return
    ffmpeg = models.machine.ffmpeg
    primer = primer or Primer.of(request, config, ffmpeg=ffmpeg)
    if primer is not None:
        data = score or primer_piece(request, config, primer.n_samples, primer.sha256, ffmpeg)
        primer = replace(primer, kept=store.at(run_id).put_blob(data))
    record = RunRecord(
        run_id=run_id,
        title=request.title or "",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        request=request.model_dump(mode="json"),
        seed=request.sampling.seed,
        rng=RNG_SCHEME,
        models=dict(models.digests()),
        numerics=run_numerics(request, config, models, primer, pack),
        versions=program_versions(),
    )
    try:
        Journal.create(store, record)
    except AlreadyExists:
        _check_same(store, request, run_id)


def start(
    store: Store,
    request: GenerationRequest,
    run_id: str,
    machine: Machine,
    *,
    config: ModelConfig | None = None,
) -> tuple[ModelConfig, bool]:
    """Check a request and create its run, unless it is there.

    Args:
        store: the root of the store.
        request: what to make.
        run_id: name of the run.
        machine: that makes it.
        config: what `check_request` returned, where the request was checked already.

    Returns:
        The model's configuration, and whether the run was created now.

    Raises:
        MusicCoreError: as for `check_request` and `create_run`.
    """
    begun = run_exists(store, run_id)
    if config is None:  # a run that is there keeps what it uses of its primer
        config = check_request(request.without_primer() if begun else request, machine)
    create_run(store, request, run_id, config, Models(config, machine))
    return config, not begun


def _check_same(store: Store, request: GenerationRequest, run_id: str) -> None:
    there = Journal.open(store, run_id).record
    if GenerationRequest.parse(there.request) != request:
        raise ConfigError(
            f"run: {run_id} exists already and was asked for something else",
            hint=f"{{resume {run_id}}} continues it; choose another {{name}} for this one",
        )


def run_exists(store: Store, run_id: str) -> bool:
    """Return whether a run of this name is in the store."""
    try:
        Journal.open(store, run_id)
    except NotFound:
        return False
    return True
