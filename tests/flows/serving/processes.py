"""Processes of one `serve`: those that have its Prefect home in their environment."""

from __future__ import annotations

from pathlib import Path


def pids_of(home: Path, words: str = "") -> list[int]:
    """Return the processes with this home and these words in their command."""
    mark = f"PREFECT_HOME={home}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
        if mark in environment and words in command:
            found.append(int(folder.name))
    return found
