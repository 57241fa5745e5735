"""JSON in one form only, and sealed with its digest: no flipped bit survives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final, TypeAlias

from musiccore.errors import ConfigError, Corrupt, StorageError

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

RECORD_VERSION: Final = 1


def canonical_json(value: object) -> bytes:
    """Return the one JSON form of a value: sorted keys, no spaces, ASCII.

    Raises:
        ConfigError: if it holds what JSON cannot, such as NaN.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"this value cannot be stored as JSON: {error}") from error
    return text.encode("ascii")


def sha256(data: bytes) -> str:
    """Return the digest as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def seal(body: Mapping[str, Json], *, version: int = RECORD_VERSION) -> bytes:
    """Wrap a body with its digest."""
    return canonical_json(
        {"v": version, "sha256": sha256(canonical_json(dict(body))), "body": dict(body)}
    )


def unseal(data: bytes, *, what: str) -> dict[str, Json]:
    """Return the body of sealed bytes.

    Args:
        data: bytes made by `seal`.
        what: name of the object in messages.

    Raises:
        Corrupt: if a single bit differs from what was written.
        StorageError: if a newer version of this program wrote it.
    """
    try:
        outer = json.loads(data)
        version, digest, body = outer["v"], outer["sha256"], outer["body"]
        intact = (
            outer.keys() == {"v", "sha256", "body"}
            and type(version) is int
            and isinstance(body, dict)
            and canonical_json(outer) == data
            and sha256(canonical_json(body)) == digest
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Corrupt(f"{what} is damaged: not a sealed object") from error
    if not intact:
        raise Corrupt(f"{what} is damaged: its bytes differ from its digest")
    if version > RECORD_VERSION:
        raise StorageError(
            f"{what} has version {version}, this program reads up to {RECORD_VERSION}",
            hint="update jukeflow",
        )
    result: dict[str, Json] = body
    return result
