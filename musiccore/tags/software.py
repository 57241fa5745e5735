"""What made a file, as its tags name it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def version_of(package: str = "jukeflow") -> str:
    """Return the version of an installed package; `unknown` if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def software() -> str:
    """Return this program and its version."""
    return f"jukeflow {version_of()}"
