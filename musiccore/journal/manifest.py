"""What a run is (`run.json`, written once) and what it delivered (`manifest.json`).

The run record freezes everything that decides the numbers. A worker that would compute other
numbers is told which fields differ before it computes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Self

from musiccore.errors import ConfigError, Corrupt, StorageError
from musiccore.storage.sealed import Json, canonical_json, seal, unseal

SCHEMA: Final = 1
MAX_RUN_RECORD_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of the numerics that is not as the run has it.

    Attributes:
        field: dotted name.
        recorded: value that the run has, None if it has no such field.
        current: value of this worker.
    """

    field: str
    recorded: Json
    current: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The immutable record of a run.

    Attributes:
        run_id: name of the run and of its folder.
        title: what the user calls it; any text.
        created: wall clock, ISO 8601 with offset.
        request: the whole request as JSON.
        seed: seed of every draw, 0 to 2**63 - 1.
        rng: scheme of the draws.
        models: name → sha256 of the weights.
        numerics: what else decides the numbers: dtype, device kind, torch, batch split, priming
            chunk, window hops, flags.
        versions: program → version; information only, never compared.
        schema: layout of this record.
    """

    run_id: str
    title: str = ""
    created: str
    request: Mapping[str, Json]
    seed: int
    rng: str
    models: Mapping[str, str]
    numerics: Mapping[str, Json]
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if type(self.seed) is not int or not 0 <= self.seed < 2**63:
            raise ConfigError(
                f"seed: {str(self.seed)[:40]!r} is not a whole number from 0 to 2**63 - 1"
            )
        for name in ("request", "models", "numerics", "versions"):
            if not isinstance(getattr(self, name), Mapping):
                raise ConfigError(f"{name}: a table is needed, not {getattr(self, name)!r}")

    def to_bytes(self) -> bytes:
        """Return the bytes of `run.json`.

        Raises:
            ConfigError: if a value is not JSON or the record is too large.
        """
        data = seal(_plain(self))
        if len(data) > MAX_RUN_RECORD_BYTES:
            raise ConfigError(f"request: {len(data)} bytes, the limit is {MAX_RUN_RECORD_BYTES}")
        return data

    @classmethod
    def from_bytes(cls, data: bytes, *, run_id: str) -> Self:
        """Read `run.json`.

        Raises:
            Corrupt: if it is damaged or belongs to another run.
            StorageError: if a newer version of this program wrote it.
        """
        body = unseal(data, what="run.json")
        schema = body.get("schema")
        if type(schema) is int and schema > SCHEMA:
            raise StorageError(
                f"run {run_id} has schema {schema}, this program reads up to {SCHEMA}",
                hint="update jukeflow",
            )
        if body.get("run_id") != run_id:
            raise Corrupt(f"run.json of {run_id} belongs to run {body.get('run_id')!r}")
        if set(body) != {item.name for item in fields(cls)} or schema != SCHEMA:
            raise Corrupt(f"run.json of {run_id} has unknown or missing fields")
        try:
            return cls(**body)  # type: ignore[arg-type]
        except ConfigError as error:
            raise Corrupt(f"run.json of {run_id}: {error.message}") from error

    def numerics_in_force(self, changes: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """Return what decides the numbers, later changes by consent included."""
        frozen: dict[str, Json] = {"rng": self.rng, **self.numerics}
        frozen.update({f"models.{name}": digest for name, digest in self.models.items()})
        frozen.update(changes or {})
        return frozen


def numerics_differences(
    recorded: Mapping[str, Json], current: Mapping[str, Json]
) -> tuple[Difference, ...]:
    """Compare the numerics of a run with those of a worker, field by field.

    Both are tables as `RunRecord.numerics_in_force` returns them.
    """
    return tuple(
        Difference(field=name, recorded=recorded.get(name), current=current.get(name))
        for name in sorted(recorded.keys() | current.keys())
        if canonical_json([recorded.get(name)]) != canonical_json([current.get(name)])
    )


def refuse_differences(run_id: str, differences: tuple[Difference, ...]) -> None:
    """Raise `ConfigError` that names each differing field, if there is one."""
    if not differences:
        return
    lines = ", ".join(
        f"{item.field} (the run has {item.recorded!r}, here it is {item.current!r})"
        for item in differences
    )
    raise ConfigError(
        f"run {run_id} would not continue bit for bit: {lines}",
        hint="resume where it was started, or consent to other numbers from here on with "
        f"`jukeflow resume {run_id} --accept-different-numerics`; it is recorded",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverable:
    """One delivered file.

    Attributes:
        path: place below the run's folder, such as `export/master.wav`.
        kind: what it is: `master`, `level`, `picture`, `page`, `codes`, `score`.
        sha256: digest of the file.
        size: bytes.
        pcm_sha256: digest of the decoded samples, for audio; it outlives tags and containers.
    """

    path: str
    kind: str
    sha256: str
    size: int
    pcm_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run delivered and what went into it; JSON beside the audio.

    Attributes:
        run_id: run that made it.
        created: wall clock, ISO 8601.
        request_sha256: digest of the request.
        seed: seed of the run.
        rng: scheme of the draws.
        models: name → sha256 of the weights.
        versions: program → version.
        licence: one sentence about the weights that made the audio.
        inputs: name → sha256 of what was used (primer, codes of each level).
        outputs: the files.
    """

    run_id: str
    created: str
    request_sha256: str
    seed: int
    rng: str
    models: Mapping[str, str]
    versions: Mapping[str, str]
    licence: str
    inputs: Mapping[str, str]
    outputs: tuple[Deliverable, ...]
    schema: int = SCHEMA

    def to_bytes(self) -> bytes:
        """Return the JSON bytes."""
        return seal(_plain(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the JSON bytes.

        Raises:
            Corrupt: if they are damaged.
            StorageError: if a newer version of this program wrote them.
        """
        body = unseal(data, what="the manifest")
        schema = body.get("schema")
        if type(schema) is int and schema > SCHEMA:
            raise StorageError(
                f"the manifest has schema {schema}, this program reads up to {SCHEMA}",
                hint="update jukeflow",
            )
        try:
            outputs = body.pop("outputs")
            assert isinstance(outputs, list)
            files = tuple(Deliverable(**item) for item in outputs)  # type: ignore[arg-type]
            return cls(outputs=files, **body)  # type: ignore[arg-type]
        except (TypeError, KeyError, AssertionError) as error:
            raise Corrupt("the manifest has unknown or missing fields") from error


def _plain(value: RunRecord | Manifest) -> dict[str, Json]:
    """Return a record with the dicts and lists that JSON gives back."""

    def convert(item: object) -> Json:
        if isinstance(item, RunRecord | Manifest | Deliverable):
            return {entry.name: convert(getattr(item, entry.name)) for entry in fields(item)}
        if isinstance(item, Mapping):
            return {str(key): convert(inner) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [convert(inner) for inner in item]
        if item is None or isinstance(item, str | int | float | bool):
            return item
        raise ConfigError(f"{item!r} cannot be stored as JSON")

    result = convert(value)
    assert isinstance(result, dict)
    return result
