"""Processes that tests started, and those that these started: they have a mark in common."""

from __future__ import annotations

from pathlib import Path


def pids_of(home: Path, words: str = "") -> list[int]:
    """Return the processes of one `serve`: with this Prefect home, these words in their command."""
    return pids_with(f"PREFECT_HOME={home}", words)


def pids_with(entry: str, words: str = "") -> list[int]:
    """Return the processes with an entry in their environment and words in their command."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
        if entry.encode() in environment and words in command:
            found.append(int(folder.name))
    return found
